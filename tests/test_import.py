"""The loss is light to use: it imports jax, and of ours the losses and the weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOSSES = (ROOT / "softnce_jax" / "losses").glob("[a-z]*.py")
OURS = {f"softnce_jax{room}" for room in ("", ".losses", ".weights", ".blockwise")}
OURS |= {f"softnce_jax.losses.{path.stem}" for path in LOSSES}


def modules(statement: str) -> set[str]:
    """What stands in sys.modules of a fresh Python after the statement."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(output.stdout.split())


def test_the_loss_imports_jax_and_nothing_else():
    added = modules("from softnce_jax import soft_infonce") - modules("import jax, jax.numpy")
    assert {name.partition(".")[0] for name in added} == {"softnce_jax"}
    assert added == OURS
    assert "softnce_jax.estimators.bm25" in modules("import softnce_jax.estimators.bm25")


def test_processes_that_find_data_flow_need_no_jax():
    found = modules("import softnce_jax.processes, softnce_jax.train.config")
    assert "softnce_jax.dataflow.extract" in found and "jax" not in found
    assert "jax" in modules("from softnce_jax import infonce, negative_weights")
