"""The wheel, installed with jax and nothing else, computes a loss and its gradient."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
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
extras = [n for n in ("transformers", "flax", "jaxtyping") if importlib.util.find_spec(n)]
facts = softnce_jax.__file__, softnce_jax.__version__, f"{loss:.4f}", dq.shape, extras
print(*facts, sep="\\n")
"""


def run(*command: str, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "XLA_FLAGS")}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.slow
def test_wheel_installed_alone(tmp_path):
    """Weights of equal negatives are 1, so the loss is log(1 + 3 e^−2) = 0.3408."""
    # A copy, for setuptools leaves its build/ in the tree and takes stale files from there.
    source = shutil.copytree(ROOT, tmp_path / "source", ignore=shutil.ignore_patterns(*SKIPPED))
    python = sys.executable
    run(python, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", ".", str(source), cwd=tmp_path)
    (wheel,) = tmp_path.glob("softnce_jax-*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    run(python, "-m", "pip", "install", str(wheel), cwd=tmp_path)
    file, version, loss, shape, extras = run(python, "-c", PROGRAM, cwd=tmp_path).splitlines()
    assert file.startswith(str(tmp_path / "venv"))
    assert version in wheel.name
    assert (loss, shape, extras) == ("0.3408", "(4, 4)", "[]")
