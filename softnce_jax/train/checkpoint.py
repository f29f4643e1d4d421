"""Checkpoints: state, configuration and checksums, written by Orbax; damage falls back one."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from softnce_jax.errors import first_line
from softnce_jax.train import distributed
from softnce_jax.train.state import TrainState

log = logging.getLogger(__name__)


class Best(NamedTuple):
    """The best evaluation so far on the validation split."""

    step: int
    mrr: float


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
    leaves = jax.tree_util.tree_leaves_with_path(jax.device_get(checksums(tree)))
    return {jax.tree_util.keystr(path): int(value) for path, value in leaves}


class Checkpoints:
    """The checkpoints of a run: the latest few, and the best that each of them knows of."""

    def __init__(self, folder: str | Path, config: dict, *, keep: int = 2):
        self.folder = Path(folder).resolve()
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

    def restore(self, like: TrainState) -> Restored | None:
        """The latest checkpoint that is whole; damaged ones are logged and removed.

        Args:
          like: a state of the same shapes, dtypes and shardings.

        Returns:
          None where no checkpoint is whole.
        """
        for step in sorted(self._manager.all_steps(), reverse=True):
            restored, damage = None, "on another process"
            # Orbax raises bare exceptions of many classes for damaged files.
            try:
                restored = self.restore_step(step, like)
            except Exception as error:
                damage = first_line(error)
            # One process may fail to read what the others can: all go back together.
            if distributed.any_process(restored is None):
                log.info(f"checkpoint {step} is damaged ({damage}): going back one")
                self._remove(step)
                continue
            if restored.best is not None:
                self._best_of[step] = restored.best.step
            return restored
        return None

    def restore_step(self, step: int, like: TrainState) -> Restored:
        """The checkpoint of one step. Damage raises ValueError, or anything from Orbax."""
        args = ocp.args.Composite(
            state=ocp.args.StandardRestore(like), about=ocp.args.JsonRestore()
        )
        restored = self._manager.restore(step, args=args)
        stored, best = restored.about["checksums"], restored.about["best"]
        for name, value in named_checksums(restored.state).items():
            if stored.get(name) != value:
                raise ValueError(f"the checksum of {name} differs")
        return Restored(restored.state, best and Best(**best))

    def _remove(self, step: int) -> None:
        if distributed.is_first():
            shutil.rmtree(self.folder / str(step), ignore_errors=True)
        distributed.barrier(f"checkpoint {step} removed")
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
    """The configuration stored in the checkpoint of a step."""
    manager = ocp.CheckpointManager(Path(folder).resolve())
    restored = manager.restore(step, args=ocp.args.Composite(about=ocp.args.JsonRestore()))
    manager.close()
    return restored.about["config"]
