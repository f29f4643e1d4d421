"""What an import costs: the loss needs jax alone, data loaders not even that. The public names."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import softnce_jax

ROOT = Path(__file__).resolve().parents[1]


def modules(*statements: str) -> list[set[str]]:
    """What a fresh Python has in sys.modules after each statement."""
    program = "\n".join(f"{statement}\nprint(*sys.modules)" for statement in statements)
    output = subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [set(line.split()) for line in output.stdout.splitlines()]


def test_the_loss_imports_jax_and_nothing_else():
    jax, loss, more = modules(
        "import jax, jax.numpy",
        "from softnce_jax import soft_infonce",
        "import softnce_jax.estimators.bm25",
    )
    assert loss - jax == {"softnce_jax", "softnce_jax.losses", "softnce_jax._scores"}
    assert "softnce_jax.estimators.bm25" in more


def test_the_package_alone_imports_no_jax():
    before, package, names = modules(
        "import typing, importlib",
        "import softnce_jax; dir(softnce_jax)",
        "from softnce_jax import infonce, negative_weights",
    )
    assert package - before == {"softnce_jax"}
    assert "jax" in names


def test_dir_shows_the_public_names():
    shown = {name for name in dir(softnce_jax) if not name.startswith("__")}
    assert shown == set(softnce_jax.__all__)
    assert {"soft_infonce", "weight_diagnostics"} <= shown
    assert all(callable(getattr(softnce_jax, name)) for name in shown)
    assert not hasattr(softnce_jax, "no_such_name")


def test_type_checkers_see_the_public_names():
    """They read the imports under TYPE_CHECKING: the same names, from where each is defined."""
    tree = ast.parse(Path(softnce_jax.__file__).read_text("utf-8"))
    blocks = {ast.unparse(node.test): node for node in tree.body if isinstance(node, ast.If)}
    block = blocks["TYPE_CHECKING"]
    # With a module's __getattr__ in sight, a misspelt name would pass.
    (hidden,) = blocks["not TYPE_CHECKING"].body
    assert hidden.name == "__getattr__"
    imported = {alias.name: line.module for line in block.body for alias in line.names}
    assert sorted(imported) == sorted(softnce_jax.__all__)
    for name, module in imported.items():
        function = getattr(importlib.import_module(module), name)
        assert function is getattr(softnce_jax, name) and function.__module__ == module
    assert (Path(softnce_jax.__file__).parent / "py.typed").exists()


DATA = """
import softnce_jax.data.load, softnce_jax.data.hard_negatives, softnce_jax.data.cleaning
import softnce_jax.data.sample, softnce_jax.data.mining.mine, softnce_jax.dataflow.cache
import softnce_jax.processes, softnce_jax.packing, softnce_jax.train.config
"""


def test_processes_that_load_data_need_no_jax():
    (found,) = modules(DATA)
    assert {"softnce_jax.data.load", "softnce_jax.dataflow.extract"} <= found
    assert "jax" not in found


def test_batches_are_made_where_jax_cannot_be_imported():
    """Grain imports jax where it is installed, so it is taken away."""
    (found,) = modules("sys.modules['jax'] = None\nimport softnce_jax.train.batches")
    assert "softnce_jax.train.batches" in found
    assert not {
        name for name in found if name.startswith(("jax.", "flax", "softnce_jax.encoders."))
    }
