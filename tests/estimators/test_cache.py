"""The feature cache: made once, rebuilt when damaged, whole whoever else writes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import numpy as np
import pytest

from softnce_jax.estimators.cache import _write_matrix, cached

RANDOM = np.random.default_rng(0)
A, B = RANDOM.normal(size=(2, 10, 3)).astype(np.float32)
INPUTS = {"texts": "0a", "model": "1b"}


class Maker:
    """Makes a and b in blocks of 4 rows, and counts how often."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return {"a": (A[i : i + 4] for i in (0, 4, 8)), "b": (B[i : i + 4] for i in (0, 4, 8))}


def entry_of(folder):
    """The one entry, nothing else being left in the folder."""
    (entry,) = folder.iterdir()
    return entry


def assert_whole(matrices):
    assert sorted(matrices) == ["a", "b"]
    for name, expected in (("a", A), ("b", B)):
        np.testing.assert_array_equal(matrices[name], expected)
        assert isinstance(matrices[name], np.memmap) and not matrices[name].flags.writeable


def test_made_once_then_mapped(tmp_path, caplog):
    make = Maker()
    for _ in range(3):
        assert_whole(cached(tmp_path, INPUTS, make))
    assert make.calls == 1 and caplog.messages == []
    manifest = json.loads((entry_of(tmp_path) / "manifest.json").read_text())
    assert manifest["about"] == {"format": 1, **INPUTS}
    assert manifest["matrices"]["a"]["shape"] == [10, 3]
    assert manifest["matrices"]["a"]["dtype"] == "float32"


@pytest.mark.parametrize("other", [{"texts": "0b"}, {"model": "1c"}, {"lengths": [8, 9]}])
def test_a_changed_input_misses(other, tmp_path):
    make = Maker()
    cached(tmp_path, INPUTS, make)
    cached(tmp_path, INPUTS | other, make)
    assert make.calls == 2 and len(list(tmp_path.iterdir())) == 2


def flip(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "a flipped bit": lambda entry: flip(entry / "b.npy"),
    "a truncated matrix": lambda entry: (entry / "a.npy").write_bytes(
        (entry / "a.npy").read_bytes()[:-40]
    ),
    "an absent matrix": lambda entry: (entry / "a.npy").unlink(),
    "an absent manifest": lambda entry: (entry / "manifest.json").unlink(),
    "half a manifest": lambda entry: (entry / "manifest.json").write_text('{"matrices": {"a"'),
    "another manifest": lambda entry: (entry / "manifest.json").write_text("[1]"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_entry_is_rebuilt_saying_so(damage, tmp_path, caplog):
    make = Maker()
    cached(tmp_path, INPUTS, make)
    DAMAGE[damage](entry_of(tmp_path))
    assert_whole(cached(tmp_path, INPUTS, make))
    (line,) = caplog.messages
    assert make.calls == 2
    assert "damaged" in line and str(entry_of(tmp_path)) in line and "\n" not in line
    assert_whole(cached(tmp_path, INPUTS, make))
    assert make.calls == 2 and caplog.messages == [line]


def test_what_fails_half_way_leaves_nothing(tmp_path):
    def fail():
        yield A[:4]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path, INPUTS, lambda: {"a": fail()})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="could not store features"):
        cached(tmp_path / "file", INPUTS, Maker())


@pytest.mark.parametrize("damaged", [False, True])
def test_threads_that_write_at_once_agree(damaged, tmp_path):
    if damaged:
        cached(tmp_path, INPUTS, Maker())
        flip(entry_of(tmp_path) / "a.npy")
    ready, found = threading.Barrier(6, timeout=30), []

    def work():
        def make():
            ready.wait()
            return Maker()()

        found.append(cached(tmp_path, INPUTS, make))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for matrices in found:
        assert_whole(matrices)
    assert_whole(cached(tmp_path, INPUTS, dict))
    entry_of(tmp_path)


LARGE = """
import sys, resource, numpy as np
from pathlib import Path
from softnce_jax.estimators.cache import cached
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
blocks = (np.full((1000, 768), i, np.float32) for i in range(100))
a = cached(Path(sys.argv[1]), {}, lambda: {"a": blocks})["a"]
assert a.shape == (100000, 768) and a[99999, 0] == 99
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_a_large_matrix_is_never_in_memory(tmp_path):
    """300 MB are written by a process that grows by a few blocks of 3 MB."""
    command = [sys.executable, "-c", LARGE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 60


def test_any_shape_has_a_header_of_the_same_length(tmp_path):
    for rows, width in ((1, 1), (123, 4567)):
        blocks = [np.ones((1, width), np.float32)] * rows
        assert _write_matrix(tmp_path / "a.npy", blocks) == (rows, width)
        assert np.load(tmp_path / "a.npy", allow_pickle=False).sum() == rows * width
