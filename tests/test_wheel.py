"""The wheel: with jax alone it computes a loss, with the extra it trains on its sample."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SKIPPED = (".*", "build", "*.egg-info", "runs", "__pycache__")
PROGRAM = """
import importlib.util, jax, jax.numpy as jnp, softnce_jax
from softnce_jax import negative_weights, soft_infonce
q, c = jnp.eye(4), 2 * jnp.eye(4)
w = negative_weights(q @ q.T, alpha=1.3, beta=0.7, temperature=1.0)
loss, dq = jax.value_and_grad(soft_infonce)(q, c, w)
extras = [n for n in ("transformers", "flax", "jaxtyping", "tyro") if importlib.util.find_spec(n)]
facts = softnce_jax.__file__, softnce_jax.__version__, f"{loss:.4f}", dq.shape, extras
print(*facts, sep="\\n")
"""

pytestmark = pytest.mark.slow


def start(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "XLA_FLAGS")}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def run(*command: str | Path, cwd: Path) -> str:
    done = start(*command, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # A copy, for setuptools leaves its build/ in the tree and takes stale files from there.
    source = shutil.copytree(ROOT, folder / "source", ignore=shutil.ignore_patterns(*SKIPPED))
    pip = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", ".")
    run(*pip, str(source), cwd=folder)
    (wheel,) = folder.glob("softnce_jax-*.whl")
    return wheel


def test_wheel_installed_alone(wheel, tmp_path):
    """Weights of equal negatives are 1, so the loss is log(1 + 3 e^−2) = 0.3408."""
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"
    python = programs / "python"
    run(python, "-m", "pip", "install", wheel, cwd=tmp_path)
    file, version, loss, shape, extras = run(python, "-c", PROGRAM, cwd=tmp_path).splitlines()
    assert file.startswith(str(tmp_path / "venv"))
    assert version in wheel.name
    assert (loss, shape, extras) == ("0.3408", "(4, 4)", "[]")

    assert "  finetune " in run(programs / "softnce", "--help", cwd=tmp_path)
    for program in ([programs / "softnce"], [python, "-m", "softnce_jax"]):
        done = start(*program, "finetune", "--lang", "ruby", cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr == (
            'error: softnce finetune: tyro is not installed: pip install "softnce_jax[train]"\n'
        )


def test_wheel_trains_on_its_sample(wheel, tmp_path):
    """Its commands and the sample are in it: run from an empty folder, not from the checkout."""
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"
    run(programs / "python", "-m", "pip", "install", "--no-deps", wheel, cwd=tmp_path)
    # The packages of this environment, but not the checkout: a path file of another is not read.
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = "import softnce_jax; print(softnce_jax.__file__)"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(programs / "python", "-c", where, cwd=empty).startswith(str(site))

    shown = run(programs / "softnce", "finetune", "--lang", "ruby", "--epochs", "1", cwd=empty)
    assert "data      sample, ruby: 128 train" in shown and "trained" in shown
    assert (empty / "runs" / "ruby-tiny-soft_infonce-bm25-1234" / "results.json").exists()
    for name in ("evaluate", "prepare", "mine-negatives"):
        shown = run(programs / "softnce", name, "--help", cwd=empty)
        assert f"usage: softnce {name} " in shown
