"""Who may import whom: the rooms of docs/design.md, read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "softnce_jax"
MATHS = [
    PACKAGE / "weights.py",
    PACKAGE / "blockwise.py",
    PACKAGE / "weights.py",
    *(PACKAGE / "losses").glob("*.py"),
]
ROOMS = ("data", "dataflow", "estimators", "encoders", "retrieval", "train", "sweep")
# Each room and the rooms it may use; errors are everyone's.
MAY_USE = {
    "data": {"data", "dataflow", "packing"},  # the grammars
    "dataflow": {"dataflow"},
    "estimators": {"estimators", "retrieval", "encoders", "data"},
    "encoders": {"encoders", "dataflow", "packing"},
    "retrieval": {"retrieval", "encoders", "dataflow", "data", "packing"},
    "train": {
        "train",
        "retrieval",
        "encoders",
        "estimators",
        "dataflow",
        "data",
        "losses",
        "blockwise",
        "weights",
        "diagnostics",
        "packing",
    },
    "sweep": {"sweep", "train", "retrieval", "encoders", "data", "weights"},
}


def imports(path: Path) -> set[str]:
    """The modules that a file imports, those for the type checker alone left out."""
    tree = ast.parse(path.read_text("utf-8"))
    checked_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names = set()
    for node in ast.walk(tree):
        if id(node) in checked_only:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    return names


def files(room: str) -> list[Path]:
    return [p for p in (PACKAGE / room).rglob("*.py") if p.parent.parent.name != "sample"]


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_use_only_what_they_may(room):
    assert files(room)
    for path in files(room):
        for name in imports(path):
            if name.startswith("softnce_jax.") and name != "softnce_jax.errors":
                assert name.split(".")[1] in MAY_USE[room], f"{path.name} imports {name}"


def test_the_losses_know_only_jax():
    assert len(MATHS) > 2
    for path in MATHS:
        names = {tuple(name.split(".")[:2]) for name in imports(path)}
        outside = {name[0] for name in names} - {"__future__", "typing", "functools"}
        assert outside <= {"jax", "softnce_jax", "numbers"}
        ours = {name for name in names if name[0] == "softnce_jax"}
        assert ours <= {("softnce_jax", "losses"), ("softnce_jax", "weights")}


@pytest.mark.parametrize("room", ["data", "dataflow"])
def test_loader_processes_need_no_device_code(room):
    for path in files(room):
        assert not {n for n in imports(path) if n.split(".")[0] in ("jax", "flax", "optax")}


def test_experiments_hold_no_logic():
    for path in (ROOT / "experiments").glob("*.py"):
        assert len(path.read_text("utf-8").splitlines()) < 60
        tree = ast.parse(path.read_text("utf-8"))
        assert not [n for n in ast.walk(tree) if isinstance(n, ast.For | ast.While | ast.ClassDef)]


def test_imports_are_found(tmp_path):
    lines = [
        "from typing import TYPE_CHECKING",
        "if TYPE_CHECKING:",
        "    import rax",
        "import jax",
    ]
    (tmp_path / "module.py").write_text("\n".join(lines))
    assert imports(tmp_path / "module.py") == {"typing", "jax"}
