"""Who may import whom: the package layout of docs/design.md, read from the source."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "softnce_jax"
# Each room, a folder or a module of the package, and the rooms it may import; errors are
# everyone's. From bottom to top: a room imports only those above it in this list.
MAY_USE = {
    "errors": "",
    "_scores": "",
    "losses": "_scores",
    "weights": "_scores",
    "blockwise": "_scores weights",
    "registry": "",
    "typed": "",
    "files": "typed",
    "mesh": "",
    "processes": "",
    "languages": "",
    "packages": "",
    "dataflow": "files languages processes",
    "packing": "dataflow",
    "data": "files languages processes",
    "encoders": "_scores files mesh dataflow packing data",
    "pretrained": "typed files mesh encoders",
    "retrieval": "files mesh data encoders",
    "estimators": "files mesh registry data encoders pretrained",
    "train": "_scores weights blockwise registry typed files languages mesh dataflow packing data "
    "encoders pretrained retrieval estimators",
    "sweep": "weights registry typed files languages mesh data encoders pretrained retrieval "
    "estimators train",
    "commands": "typed files languages mesh data encoders pretrained retrieval estimators train "
    "sweep",
    "cli": "typed files languages mesh packages",
    "__main__": "cli",
}
DEVICE_CODE = {"jax", "jaxlib", "flax", "optax", "orbax", "transformers"}


def imports(path: Path, *, checked_only: bool = True) -> set[str]:
    """The modules that a file imports, with or without those for the type checker alone.

    Of `from a import b` both `a` and `a.b`, for b may be a module.
    """
    tree = ast.parse(path.read_text("utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
        if not checked_only
    }
    names = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def modules() -> dict[str, Path]:
    """The package's modules by their names, without the sources of the sample."""
    sample = PACKAGE / "data" / "sample"
    paths = [p for p in PACKAGE.rglob("*.py") if sample not in p.parent.parents]
    names = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in paths}
    return {name.removesuffix(".__init__"): path for name, path in names.items()}


MODULES = modules()


def ours(path: Path, *, checked_only: bool = True) -> set[str]:
    """Those of our modules that a file imports."""
    return (imports(path, checked_only=checked_only) & set(MODULES)) - {"softnce_jax"}


def room_of(module: str) -> str:
    return module.split(".")[1]


def test_every_room_is_in_the_list():
    assert {room_of(module) for module in MODULES if module != "softnce_jax"} == set(MAY_USE)


@pytest.mark.parametrize("room", MAY_USE)
def test_rooms_use_only_what_they_may(room):
    allowed = {room, "errors", *MAY_USE[room].split()}
    used = {
        (module, other)
        for module, path in MODULES.items()
        if module != "softnce_jax" and room_of(module) == room
        for other in ours(path)
    }
    assert not {f"{module} imports {other}" for module, other in used
                if room_of(other) not in allowed}  # fmt: skip
    unused = allowed - {room, "errors"} - {room_of(other) for _, other in used}
    assert not unused, f"{room} no longer imports {unused}: shorten its row"


def test_the_list_goes_from_bottom_to_top():
    order = list(MAY_USE)
    for room, used in MAY_USE.items():
        assert all(order.index(other) < order.index(room) for other in used.split())
    assert "estimators" not in MAY_USE["retrieval"] and "retrieval" not in MAY_USE["estimators"]


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The sets of nodes that reach each other, of two nodes or more: Tarjan's algorithm."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in graph[node]:
            if other not in number:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == number[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for node in graph:
        if node not in number:
            visit(node)
    return found


def test_no_modules_import_each_other_in_a_circle():
    """Nor for types: a reader can begin with a module that needs no other one."""
    graph = {name: ours(path) for name, path in MODULES.items() if name != "softnce_jax"}
    assert sum(map(len, graph.values())) > 200
    assert not circles(graph)


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b", "a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert circles({"x": {"a"}, "a": {"b"}, "b": {"a"}, "c": {"d"}, "d": {"c"}}) == [
        ["a", "b"],
        ["c", "d"],
    ]


def test_the_losses_know_only_jax():
    for name in ("losses", "_scores", "weights", "blockwise"):
        names = {module.partition(".")[0] for module in imports(PACKAGE / f"{name}.py")}
        standard = {"__future__", "collections", "functools", "numbers", "typing"}
        assert names <= {"jax", "jaxtyping", "softnce_jax"} | standard
        at_run_time = {
            m.partition(".")[0] for m in imports(PACKAGE / f"{name}.py", checked_only=False)
        }
        assert "jaxtyping" not in at_run_time and "jax" in at_run_time


LOADER = [
    module
    for module in MODULES
    if module != "softnce_jax"
    and (room_of(module) in ("data", "dataflow", "packing", "processes", "languages", "files")
         or module == "softnce_jax.train.batches")
]  # fmt: skip


@pytest.mark.parametrize("module", LOADER)
def test_loader_processes_need_no_device_code(module):
    """File by file; tests/test_import.py imports them without jax."""
    names = imports(MODULES[module], checked_only=False)
    assert not {name for name in names if name.partition(".")[0] in DEVICE_CODE}
    others = ours(MODULES[module], checked_only=False)
    assert others <= {*LOADER, "softnce_jax.errors", "softnce_jax.typed", "softnce_jax.train"}


def test_experiments_hold_no_logic():
    programs = sorted((ROOT / "experiments").glob("*.py"))
    assert programs
    for path in programs:
        body = re.sub(r'^""".*?"""\n', "", path.read_text("utf-8"), flags=re.DOTALL)
        name = path.stem.replace("_", "-")
        assert body == (
            "\nfrom softnce_jax.cli import run\n\n"
            f'if __name__ == "__main__":\n    run("{name}")\n'
        )  # fmt: skip


def test_imports_are_found(tmp_path):
    lines = [
        "from typing import TYPE_CHECKING",
        "if TYPE_CHECKING:",
        "    import rax",
        "import jax",
        "def f():",
        "    from softnce_jax import registry",
    ]
    path = tmp_path / "module.py"
    path.write_text("\n".join(lines))
    always = {"typing", "typing.TYPE_CHECKING", "jax", "softnce_jax", "softnce_jax.registry"}
    assert imports(path) == {*always, "rax"}
    assert imports(path, checked_only=False) == always
    assert ours(path) == {"softnce_jax.registry"}
