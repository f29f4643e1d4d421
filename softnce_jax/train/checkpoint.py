"""Checkpoints: state, configuration and checksums, written by Orbax; damage falls back one.

Only what is proven to be damaged is passed over, and it is moved aside, never removed. A checkpoint
of other code or versions, files that may not be read, or too little memory are errors: the
checkpoint may be whole.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, NotRequired, TypedDict

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from softnce_jax.errors import InputError, first_line
from softnce_jax.files import file_digest, set_aside, to_path
from softnce_jax.train import distributed
from softnce_jax.train.state import TrainState
from softnce_jax.train.versions import versions
from softnce_jax.typed import check_type

log = logging.getLogger(__name__)


_WIDE = re.compile(r"(float|u?int)64\[")  # types that only jax_enable_x64 allows


class DamagedCheckpoint(OSError):
    """A checkpoint whose files are proven to be missing or changed."""


class Best(NamedTuple):
    """The best evaluation so far on the validation split."""

    step: int
    mrr: float


class _StoredBest(TypedDict):
    step: int
    mrr: float


class _About(TypedDict):
    """What is stored beside the state; the last release had neither arrays nor versions."""

    config: dict[str, Any]
    best: _StoredBest | None
    checksums: dict[str, int]
    arrays: NotRequired[dict[str, str]]
    versions: NotRequired[dict[str, str]]


class Restored(NamedTuple):
    """The content of a checkpoint."""

    state: TrainState
    best: Best | None


@jax.jit
def checksums(tree: Any) -> Any:
    """A uint32 for each leaf that any flipped bit changes, whatever the sharding.

    Orbax restores a flipped bit without a word. Each element's bits are multiplied by an odd number
    of its own and summed modulo 2^32: an odd factor is invertible, so one changed element always
    changes the sum. Integer sums do not depend on the order in which devices add.
    """

    def checksum(x: jax.Array) -> jax.Array:
        unsigned = jnp.dtype(f"uint{8 * x.dtype.itemsize}")
        bits = jax.lax.bitcast_convert_type(x, unsigned).ravel().astype(jnp.uint32)
        odd = jax.lax.iota(jnp.uint32, bits.size) * jnp.uint32(2654435762) + jnp.uint32(1)
        return jnp.sum(bits * odd, dtype=jnp.uint32)

    return jax.tree.map(checksum, tree)


def named_checksums(tree: Any) -> dict[str, int]:
    """The checksums by the leaves' names."""
    return {name: int(value) for name, value in _by_name(jax.device_get(checksums(tree))).items()}


def _by_name(tree: Any) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def _described(tree: Any) -> dict[str, str]:
    """Shape and dtype of each leaf, as `float32[33,7]`."""
    return {
        name: f"{leaf.dtype}[{','.join(map(str, leaf.shape))}]"
        for name, leaf in _by_name(tree).items()
    }


def _words(name: str) -> tuple[str, ...]:
    """The parts of a leaf's name, whatever is between them.

    Example:
      >>> _words(".params['a']") == _words("['params']['a']")
      True
    """
    return tuple(re.findall(r"\w+", name))


def _x64(there: str, here: str) -> str:
    """The end of a message: that one of two types is of jax_enable_x64, if only one is."""
    is_wide = _WIDE.match(there) is not None
    if "none" in (there, here) or is_wide == (_WIDE.match(here) is not None):
        return ""
    return f" (it was written {'with' if is_wide else 'without'} jax_enable_x64)"


def _other_versions(about: dict[str, Any]) -> str:
    """The end of a message: which packages have other versions here than a checkpoint's, if any."""
    stored, here = about.get("versions", {}), versions()
    other = [
        f"{name} {stored[name]}, here {here[name]}"
        for name in stored
        if name in here and stored[name] != here[name]
    ]
    return f" (it is of {'; '.join(other)})" if other else ""


class Checkpoints:
    """The checkpoints of a run: the latest few, and the best that each of them knows of."""

    def __init__(self, folder: str | Path, config: dict, *, keep: int = 2):
        self.folder = to_path(folder).resolve()
        self.config = config
        self._keep = keep
        self._best_of: dict[int, int] = {}
        # Orbax's threads print traces of errors that reach us too and are reported in one line.
        for name in ("absl", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        options = ocp.CheckpointManagerOptions(
            preservation_policy=self, cleanup_tmp_directories=True
        )
        self._manager = ocp.CheckpointManager(self.folder, options=options)

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        """Orbax's preservation policy: the latest, and what they name as best."""
        latest = {info.step for info in checkpoints[-self._keep :]}
        best = {self._best_of[step] for step in latest if step in self._best_of}
        return [info.step in latest | best for info in checkpoints]

    def latest(self) -> int | None:
        """The last step saved."""
        return self._manager.latest_step()

    def save(self, state: TrainState, best: Best | None) -> None:
        """Starts saving; returns once the state is copied. Raises OSError where it cannot."""
        self._check_space(state)
        step = int(state.step)
        if best is not None:
            self._best_of[step] = best.step
        about = {
            "config": self.config,
            "best": best and best._asdict(),
            "checksums": named_checksums(state),
            "arrays": _described(state),
            "versions": versions(),
        }
        args = ocp.args.Composite(
            state=ocp.args.StandardSave(state), about=ocp.args.JsonSave(about)
        )
        self._or_os_error(lambda: self._manager.save(step, args=args))

    def wait(self) -> None:
        """Waits until what was saved is on disk. Raises OSError where it could not be."""
        self._or_os_error(self._manager.wait_until_finished)

    def close(self) -> None:
        """Frees the manager's threads."""
        self._manager.close()

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def restore(self, like: TrainState) -> Restored | None:
        """The latest checkpoint that is whole, as is the best that it names.

        Damaged ones are logged and moved to the folder `damaged` of the run.

        Args:
          like: a state of the same shapes, dtypes and shardings.

        Returns:
          None where no checkpoint is whole.

        Raises:
          InputError: a checkpoint of other code or versions.
          OSError: files that cannot be read here, or not now.
        """
        for step in sorted(self._manager.all_steps(), reverse=True):
            restored, damage = None, "on another process"
            try:
                self._check_best(step, like)
                restored = self.restore_step(step, like)
            except DamagedCheckpoint as error:
                damage = first_line(error)
            # One process may fail to read what the others can: all go back together.
            if distributed.any_process(restored is None):
                log.info(f"{damage}: going back one")
                self._set_aside(step)
                continue
            if restored.best is not None:
                self._best_of[step] = restored.best.step
            return restored
        return None

    def _check_best(self, step: int, like: TrainState) -> None:
        """Raises unless the best checkpoint, which training ends with, can be restored then."""
        best = self._about(step)["best"]
        if best is None or best["step"] == step:
            return
        try:
            self.restore_step(best["step"], like)
        except DamagedCheckpoint as error:
            raise DamagedCheckpoint(
                f"checkpoint {step} needs the best: {first_line(error)}"
            ) from None

    def restore_step(self, step: int, like: TrainState) -> Restored:
        """The checkpoint of one step.

        Args:
          step: of the checkpoint.
          like: a state of the same shapes, dtypes and shardings.

        Raises:
          DamagedCheckpoint: files that are missing, torn or changed.
          InputError: a checkpoint of other code or versions.
          OSError: files that cannot be read here, or not now.
        """
        about = self._about(step)
        self._check_same_state(step, about, like)
        args = ocp.args.Composite(state=ocp.args.StandardRestore(like))
        try:
            state = self._manager.restore(step, args=args).state
        except Exception as error:  # Orbax raises bare exceptions of many classes
            self._raise_why(step, error, about)
        for name, value in named_checksums(state).items():
            if about["checksums"].get(name) != value:
                raise DamagedCheckpoint(
                    f"checkpoint {step} is damaged: the checksum of {name} differs"
                )
        return Restored(state, about["best"] and Best(**about["best"]))

    def _about(self, step: int) -> dict[str, Any]:
        """What is stored beside the state."""
        args = ocp.args.Composite(about=ocp.args.JsonRestore())
        try:
            return check_type(self._manager.restore(step, args=args).about, _About, "about")
        except Exception as error:
            self._raise_why(step, error, {})

    def _check_same_state(self, step: int, about: dict[str, Any], like: TrainState) -> None:
        """Raises InputError where the stored state has other arrays than the one wanted."""
        wanted = _described(like)
        stored = about.get("arrays") or self._arrays_of_older(step, about)
        for name in sorted({*wanted, *stored}):
            here, there = wanted.get(name, "none"), stored.get(name, "none")
            if there is not None and here != there:
                raise InputError(
                    f"checkpoint {step} in {self.folder} is of other code, settings or versions: "
                    f"{name} is {there} in it, {here} here{_x64(there, here)}"
                    f"{_other_versions(about)}"
                )

    def _arrays_of_older(self, step: int, about: dict[str, Any]) -> dict[str, str | None]:
        """Shape and dtype of each leaf of the last release, which stored names alone.

        Orbax knows them, under names of another form, unless its own files are damaged: then None.
        """
        try:
            with ocp.StandardCheckpointer() as reader:
                stored = reader.metadata(self.folder / str(step) / "state")
            arrays = _described(stored.item_metadata.tree)
        except Exception:  # bare exceptions of many classes; the files are read again and told
            arrays = {}
        known = {_words(name): array for name, array in arrays.items()}
        return {name: known.get(_words(name)) for name in about["checksums"]}

    def _raise_why(self, step: int, error: Exception, about: dict[str, Any]) -> NoReturn:
        """Raises DamagedCheckpoint if nothing but damage explains that Orbax failed.

        What else could: memory, files that the system does not let us read, another Orbax.
        """
        reason = first_line(error)
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
            raise OSError(f"checkpoint {step} in {self.folder}: no memory ({reason})") from error
        try:
            for path in sorted((self.folder / str(step)).rglob("*")):
                if path.is_file():
                    file_digest(path)
        except OSError as unreadable:
            raise OSError(f"checkpoint {step} cannot be read: {unreadable}") from error
        if other := _other_versions(about):
            raise InputError(
                f"checkpoint {step} in {self.folder} cannot be restored ({reason}){other}"
            ) from error
        raise DamagedCheckpoint(f"checkpoint {step} is damaged ({reason})") from error

    def _set_aside(self, step: int) -> None:
        if distributed.is_first():
            set_aside(self.folder / str(step), self.folder.parent / "damaged")
        distributed.barrier(f"checkpoint {step} set aside")
        self._manager.reload()

    def _check_space(self, state: TrainState) -> None:
        needed = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise OSError(
                f"could not save a checkpoint in {self.folder}: it takes {needed / 1e6:.1f} MB, "
                f"{free / 1e6:.1f} MB are free"
            )

    def _or_os_error(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except Exception as error:
            for unfinished in self.folder.glob("*.orbax-checkpoint-tmp"):
                shutil.rmtree(unfinished, ignore_errors=True)
            raise OSError(
                f"could not save a checkpoint in {self.folder}: {first_line(error)}"
            ) from error


def read_config(folder: str | Path, step: int) -> dict:
    """The configuration stored in the checkpoint of a step.

    Raises:
      InputError: it cannot be read.
    """
    source = f"checkpoint {step} in {folder}"
    manager = ocp.CheckpointManager(to_path(folder).resolve())
    try:
        args = ocp.args.Composite(about=ocp.args.JsonRestore())
        return check_type(manager.restore(step, args=args).about, _About, source)["config"]
    except InputError:
        raise
    except Exception as error:  # Orbax raises bare exceptions of many classes
        raise InputError(f"{source} cannot be read ({first_line(error)})") from error
    finally:
        manager.close()
