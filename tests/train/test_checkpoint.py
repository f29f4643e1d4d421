"""Checkpoints: what was saved comes back to the bit, damage falls back, the best is kept."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from softnce_jax.errors import InputError
from softnce_jax.train import checkpoint
from softnce_jax.train.checkpoint import (
    Best,
    Checkpoints,
    DamagedCheckpoint,
    checksums,
    read_config,
)
from softnce_jax.train.state import TrainState, with_scale
from softnce_jax.train.versions import versions

CONFIG = {"seed": 1, "loss": "infonce"}


def state_at(step: int) -> TrainState:
    random = np.random.default_rng(step)
    params = {"a": jnp.asarray(random.normal(size=(33, 7)), jnp.float32), "b": jnp.ones(3)}
    return TrainState(jnp.asarray(step, jnp.int32), params, (params, jnp.int32(step)))


def same(a, b) -> bool:
    leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(np.asarray(x), np.asarray(y)) for x, y in leaves)


@pytest.fixture
def make(tmp_path):
    """Opens the checkpoints of a folder; everything opened is closed at the end."""
    opened = []

    def open_checkpoints(**options):
        opened.append(Checkpoints(tmp_path / "checkpoints", CONFIG, **options))
        return opened[-1]

    yield open_checkpoints
    for checkpoints in opened:
        checkpoints.close()


def saved(make, steps, best=None, **options):
    checkpoints = make(**options)
    for step in steps:
        checkpoints.save(state_at(step), best and best(step))
    checkpoints.wait()
    return checkpoints


def steps_in(folder):
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def test_restores_to_the_bit(make, tmp_path, caplog):
    saved(make, [3, 5], lambda step: Best(3, 0.5))
    restored = make().restore(state_at(0))
    assert same(restored.state, state_at(5)) and restored.best == Best(3, 0.5)
    assert caplog.messages == []
    assert not same(restored.state, state_at(3))
    assert read_config(tmp_path / "checkpoints", 5) == CONFIG


def test_nothing_saved_restores_nothing(make):
    assert make().restore(state_at(0)) is None


def test_keeps_the_latest_and_the_best(make, tmp_path):
    saved(make, [1, 2, 3, 4, 5], lambda step: Best(min(step, 2), 0.5), keep=2)
    assert steps_in(tmp_path / "checkpoints") == [2, 4, 5]


def test_a_new_best_releases_the_old_one(make, tmp_path):
    saved(make, [1, 2, 3, 4, 5, 6], lambda step: Best(1 if step < 4 else 4, 0.5), keep=1)
    assert steps_in(tmp_path / "checkpoints") == [4, 6]


def largest(folder):
    return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def truncate(folder):
    data = largest(folder / "state")
    data.write_bytes(data.read_bytes()[:-20])


def flip(folder):
    data = largest(folder / "state")
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(bytes(content))


DAMAGE = {
    "truncated": truncate,
    "flipped": flip,
    "data deleted": lambda folder: largest(folder / "state").unlink(),
    "state deleted": lambda folder: shutil.rmtree(folder / "state"),
    "about deleted": lambda folder: shutil.rmtree(folder / "about"),
    "about emptied": lambda folder: largest(folder / "about").write_text(""),
    "all files deleted": lambda folder: [p.unlink() for p in folder.rglob("*") if p.is_file()],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_falls_back_one_checkpoint(make, tmp_path, caplog, damage):
    saved(make, [3, 5])
    DAMAGE[damage](tmp_path / "checkpoints" / "5")
    checkpoints = make()
    restored = checkpoints.restore(state_at(0))
    assert same(restored.state, state_at(3))
    (line,) = caplog.messages
    assert line.startswith("checkpoint 5 is damaged") and line.endswith(": going back one")
    # Moved aside with whatever is left of it.
    assert [path.name for path in (tmp_path / "damaged").iterdir()] == ["5-0"]
    # The damaged step can be saved again.
    checkpoints.save(state_at(5), None)
    checkpoints.wait()
    assert same(make().restore(state_at(0)).state, state_at(5))


def test_all_damaged_restores_nothing(make, tmp_path, caplog):
    saved(make, [3, 5])
    for step in ("3", "5"):
        truncate(tmp_path / "checkpoints" / step)
    assert make().restore(state_at(0)) is None
    assert len(caplog.messages) == 2


def test_a_damaged_best_falls_back_to_before_it(make, tmp_path, caplog):
    """Training ends with the best: a checkpoint whose best is gone could never be finished."""
    saved(make, [1, 3, 5, 6], lambda step: Best(3, 0.5) if step > 1 else Best(1, 0.4), keep=4)
    flip(tmp_path / "checkpoints" / "3")
    restored = make().restore(state_at(0))
    assert restored.best == Best(1, 0.4) and same(restored.state, state_at(1))
    assert caplog.messages[0].startswith("checkpoint 6 needs the best: checkpoint 3 is damaged")
    assert {path.name for path in (tmp_path / "damaged").iterdir()} == {"3-0", "5-0", "6-0"}


def other_tree(state):
    return dataclasses.replace(state, opt_state=(*state.opt_state, jnp.zeros(2)))


def other_dtype(state):
    return dataclasses.replace(state, params=state.params | {"b": jnp.ones(3, jnp.bfloat16)})


def other_shape(state):
    return dataclasses.replace(state, params=state.params | {"b": jnp.ones(4)})


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (other_tree, r".opt_state[2] is none in it, float32[2] here"),
        (other_dtype, r".params['b'] is float32[3] in it, bfloat16[3] here"),
        (other_shape, r".params['b'] is float32[3] in it, float32[4] here"),
    ],
)
def test_another_state_is_no_damage(make, tmp_path, caplog, change, differs):
    """As another optax, or JAX_ENABLE_X64, would ask for."""
    saved(make, [3, 5])
    with pytest.raises(InputError, match=re.escape(differs)):
        make().restore(change(state_at(0)))
    assert steps_in(tmp_path / "checkpoints") == [3, 5] and caplog.messages == []
    assert same(make().restore(state_at(0)).state, state_at(5))


@pytest.mark.parametrize("learned_before", [False, True])
def test_a_learned_scale_that_is_only_in_one_of_two_states_is_named(
    make, tmp_path, caplog, learned_before
):
    """As in a checkpoint written before scales were learned; the folder stays as it is."""
    learned = with_scale(state_at(5), 20.0, optax.adam(1e-3))
    stored, here = (learned, state_at(5)) if learned_before else (state_at(5), learned)
    checkpoints = make()
    checkpoints.save(stored, None)
    checkpoints.wait()
    there, wanted = ("float32[]", "none") if learned_before else ("none", "float32[]")
    expected = f"settings or versions: .scale.log is {there} in it, {wanted} here"
    with pytest.raises(InputError, match=re.escape(expected)) as caught:
        make().restore(here)
    assert "\n" not in str(caught.value)
    assert steps_in(tmp_path / "checkpoints") == [5] and caplog.messages == []
    assert same(make().restore(stored).state, stored)  # negative control


@pytest.mark.parametrize("of_last_release", [False, True])
def test_64_bits_are_no_damage(make, tmp_path, caplog, of_last_release):
    """With JAX_ENABLE_X64 the last release wrote some leaves so."""
    with jax.enable_x64(True):
        wide = dataclasses.replace(state_at(0), params={"a": jnp.ones(3)}, opt_state=())
        assert wide.params["a"].dtype == "float64"
        wide = dataclasses.replace(wide, step=jnp.asarray(5, jnp.int32))
        checkpoints = make()
        checkpoints.save(wide, None)
        checkpoints.wait()
    if of_last_release:
        path = tmp_path / "checkpoints/5/about/metadata"
        about = json.loads(path.read_text())
        path.write_text(json.dumps({k: about[k] for k in ("config", "best", "checksums")}))
    here = dataclasses.replace(wide, params={"a": jnp.ones(3)})
    expected = ".params['a'] is float64[3] in it, float32[3] here (it was written with jax_enable"
    with pytest.raises(InputError, match=re.escape(expected)):
        make().restore(here)
    assert steps_in(tmp_path / "checkpoints") == [5] and caplog.messages == []
    narrow = dataclasses.replace(here, step=jnp.asarray(6, jnp.int32))
    checkpoints.save(narrow, None)
    checkpoints.wait()
    assert same(make().restore(here).state, narrow)  # negative control


@pytest.mark.parametrize(
    ("error", "unreadable", "expected"),
    [
        (ValueError("NOT_FOUND: a"), PermissionError(13, "Permission denied"), "cannot be read"),
        (ValueError("DATA_LOSS: b"), OSError(5, "Input/output error"), "Input/output error"),
        (MemoryError("no"), None, "no memory (no)"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory"), None, "no memory (RESOURCE"),
    ],
)
def test_what_the_machine_refuses_is_no_damage(
    make, tmp_path, monkeypatch, error, unreadable, expected
):
    saved(make, [3, 5])
    checkpoints = make()

    def fail(_):
        raise unreadable

    def restore(*_, **__):
        raise error

    monkeypatch.setattr(checkpoints._manager, "restore", restore)
    if unreadable:
        monkeypatch.setattr(checkpoint, "file_digest", fail)
    with pytest.raises(OSError, match=re.escape(expected)) as raised:
        checkpoints.restore(state_at(0))
    assert not isinstance(raised.value, DamagedCheckpoint)
    assert steps_in(tmp_path / "checkpoints") == [3, 5]


def test_a_checkpoint_of_other_versions_is_no_damage(make, tmp_path, monkeypatch):
    saved(make, [5])
    monkeypatch.setattr(checkpoint, "versions", lambda: versions() | {"orbax-checkpoint": "99"})
    truncate(tmp_path / "checkpoints" / "5")
    installed = re.escape(versions()["orbax-checkpoint"])
    with pytest.raises(InputError, match=rf"it is of orbax-checkpoint {installed}, here 99\)$"):
        make().restore(state_at(0))
    assert steps_in(tmp_path / "checkpoints") == [5]


def test_any_flipped_bit_changes_the_checksum():
    x = np.random.default_rng(0).normal(size=257).astype(np.float32)
    plain = int(checksums(x))
    for element in (0, 1, 100, 256):
        for bit in (0, 1, 22, 31):
            bits = x.copy().view(np.uint32)
            bits[element] ^= np.uint32(1 << bit)
            assert int(checksums(bits.view(np.float32))) != plain
    assert int(checksums(x[::-1].copy())) != plain
    assert int(checksums(x.copy())) == plain


def test_checksum_does_not_depend_on_the_sharding():
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    x = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
    assert int(checksums(x)) == int(checksums(jax.device_put(x, sharding)))


def test_a_full_disk_is_seen_before_anything_is_written(make, tmp_path, monkeypatch):
    checkpoints = make()
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(state_at(1)))
    free = shutil.disk_usage(tmp_path)._replace(free=size - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    with pytest.raises(OSError, match=r"it takes 0\.0 MB, 0\.0 MB are free"):
        checkpoints.save(state_at(1), None)
    assert steps_in(tmp_path / "checkpoints") == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free._replace(free=size))
    checkpoints.save(state_at(1), None)


def test_what_orbax_raises_while_saving_is_an_os_error(make, monkeypatch):
    checkpoints = make()

    def fail(*_, **__):
        raise ValueError("No space left on device\nand much more")

    monkeypatch.setattr(checkpoints._manager, "save", fail)
    with pytest.raises(OSError, match=r"could not save a checkpoint .*: No space left on device$"):
        checkpoints.save(state_at(1), None)


@pytest.mark.parametrize("content", [b"[]", b'{"config": 1}', b"\xff", None])
def test_a_configuration_that_cannot_be_read_is_one_line(content, tmp_path):
    folder = tmp_path / "checkpoints"
    with Checkpoints(folder, {"seed": 1}) as checkpoints:
        checkpoints.save(state_at(1), None)
        checkpoints.wait()
    assert read_config(folder, 1) == {"seed": 1}  # negative control
    path = folder / "1/about/metadata"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(InputError, match=r"checkpoint 1 in .*checkpoints") as caught:
        read_config(folder, 1)
    assert "\n" not in str(caught.value)
