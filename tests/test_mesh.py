"""The mesh: which device holds which rows. Several processes are in tests/train/test_hosts.py."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import numpy as np
import pytest
from jax.sharding import AxisType

from softnce_jax import mesh
from softnce_jax.errors import InputError
from softnce_jax.mesh import (
    by_rows,
    check_batch_size,
    devices,
    make_mesh,
    put_global,
    replicated,
    shard_rows,
    without_x64,
)

FOUR = make_mesh(jax.devices()[:4])
X = np.arange(24).reshape(8, 3)


def test_a_mesh_has_one_axis_that_the_compiler_shards():
    assert dict(FOUR.shape) == {"data": 4}
    assert FOUR.axis_types == (AxisType.Auto,)
    assert FOUR.devices.tolist() == jax.devices()[:4]


def test_devices_are_those_given_and_process_by_process(monkeypatch):
    """Of two processes whose ids alternate, as those of a TPU's hosts may."""
    devices = [SimpleNamespace(id=i, process_index=i % 2) for i in (3, 0, 2, 1)]
    monkeypatch.setattr(mesh, "Mesh", lambda devices, *_, **__: [d.id for d in devices])
    assert make_mesh(devices) == [0, 2, 1, 3]
    assert make_mesh(devices[1:2]) == [0]


def test_rows_are_split_in_order():
    for array in (shard_rows({"x": X}, FOUR)["x"], put_global({"x": X}, by_rows(FOUR))["x"]):
        shards = sorted(array.addressable_shards, key=lambda shard: shard.device.id)
        for number, shard in enumerate(shards):
            np.testing.assert_array_equal(shard.data, X[2 * number : 2 * number + 2])
        np.testing.assert_array_equal(array, X)


def test_replicated_arrays_are_whole_on_every_device():
    array = put_global(X, replicated(FOUR))
    assert len(array.addressable_shards) == 4
    for shard in array.addressable_shards:
        np.testing.assert_array_equal(shard.data, X)


@pytest.mark.parametrize("sharding", [by_rows, replicated])
def test_with_several_processes_the_same_arrays_come_about(sharding, monkeypatch):
    expected = put_global(X, sharding(FOUR))
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(jax, "device_put", None)  # not used
    array = put_global(X, sharding(FOUR))
    assert array.sharding == expected.sharding
    np.testing.assert_array_equal(array, expected)


def test_batches_that_devices_cannot_share():
    check_batch_size(8, FOUR)
    check_batch_size(8, FOUR, 4)
    with pytest.raises(InputError, match="--batch-size 6 is not divisible by 4 devices"):
        check_batch_size(6, FOUR)
    with pytest.raises(InputError, match="--micro-batch 2 is not divisible by 4 devices"):
        check_batch_size(8, FOUR, 2)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RuntimeError("Unable to initialize 'tpu': no libtpu.so\nand more"),
            "no libtpu.so",
        ),
        (AssertionError(), "no such platform is installed"),
    ],
)
def test_no_device_is_one_line(error, said, monkeypatch):
    def fail():
        raise error

    assert devices() == jax.devices()  # negative control
    monkeypatch.setattr(jax, "devices", fail)
    with pytest.raises(InputError, match=r"^jax finds no device") as without:
        devices()
    before = jax.config.jax_platforms
    jax.config.update("jax_platforms", "tpu")
    try:
        with pytest.raises(InputError, match=r"^JAX_PLATFORMS=tpu: ") as caught:
            devices()
    finally:
        jax.config.update("jax_platforms", before)
    for shown in (f"{caught.value}", f"{without.value}"):
        assert said in shown and "\n" not in shown


def test_numbers_have_32_bits_whatever_the_flag():
    with jax.enable_x64(True):
        wide = jax.numpy.zeros(2)
        with without_x64():
            narrow = jax.numpy.zeros(2)
    assert (wide.dtype, narrow.dtype) == ("float64", "float32")
