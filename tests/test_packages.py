"""A package of another version that breaks: named in a line, with the version that works."""

from __future__ import annotations

import os
import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from softnce_jax import cli
from softnce_jax.packages import TESTED, wrong_version
from tests.command_lines import lines

ROOT = Path(__file__).resolve().parents[1]


def raised(source: str, names: dict | None = None) -> Exception:
    try:
        exec(source, names or {})
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def another(monkeypatch, name: str, version: str = "99.0") -> None:
    """Makes an installed package of another version."""
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda n: version if n == name else real(n))


def test_the_versions_are_those_of_the_requirements():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    pinned = {}
    for line in lines[lines.index("") : lines.index("", lines.index("") + 1)]:
        if line:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate():
                pinned[requirement.name] = str(requirement.specifier).removeprefix("==")
    assert pinned == TESTED


@pytest.mark.parametrize(
    ("source", "package"),
    [
        ("import optax\noptax.no_such_function", "optax"),
        ("from optax import no_such_name", "optax"),
        ("import optax.no_such_module", "optax"),
        ("import jax\njax.numpy.no_such_function", "jax"),
        ("import transformers\ntransformers.RobertaConfig.no_such_method", "transformers"),
        ("import tokenizers\ntokenizers.AddedToken('a').no_such_method()", "tokenizers"),
    ],
)
def test_what_is_gone_names_the_package_the_version_and_the_one_that_works(
    source, package, monkeypatch
):
    error = raised(source)
    another(monkeypatch, package, TESTED[package])
    assert wrong_version(error) is None  # negative control: of this version it is our fault
    another(monkeypatch, package)
    line = wrong_version(error)
    assert line.startswith(f"{package} 99.0 does not work here (") and "\n" not in line
    assert line.endswith(f"{TESTED[package]} does: pip install {package}=={TESTED[package]}")
    assert "no_such_" in line


def test_what_another_package_asks_for(monkeypatch):
    message = "tokenizers>=0.22.0,<=0.23.0 is required, but found tokenizers==99.0\nTry: pip ..."
    another(monkeypatch, "tokenizers")
    assert wrong_version(ImportError(message)).startswith("tokenizers 99.0 does not work here (")
    assert wrong_version(ImportError(f"of {message}")) is None  # negative control


def test_behind_another_packages_error(monkeypatch):
    another(monkeypatch, "tokenizers")
    cause = raised("import tokenizers\ntokenizers.no_such_name")
    error = ImportError("Failed to import", name="transformers.models")
    error.__cause__ = cause
    another(monkeypatch, "tokenizers")
    assert "tokenizers 99.0 does not work here" in wrong_version(error)


@pytest.mark.parametrize("source", ["None.x", "object().x", "import json\njson.x", "1 / 0"])
def test_other_errors_are_ours(source, monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda _: "99.0")
    assert wrong_version(raised(source, {"__name__": "softnce_jax.train.fit"})) is None


def fake(folder: Path, package: str, source: str = "") -> None:
    """A package of version 99.0 that lacks nearly everything."""
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").write_text(source)
    about = folder / f"{package}-99.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 99.0\n")
    (about / "top_level.txt").write_text(package)


def path_with(folder: Path) -> str:
    return os.pathsep.join([str(folder), str(ROOT)])


def test_every_program_says_so_in_a_line(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    fake(tmp_path / "new", "tyro")
    monkeypatch.setenv("PYTHONPATH", path_with(tmp_path / "new"))
    shown = lines(*[[name, "--help"] for name in cli.COMMANDS], cwd=tmp_path / "work")
    for name, (status, out, err) in zip(cli.COMMANDS, shown, strict=True):
        assert (status, out) == (1, "")
        assert re.fullmatch(
            rf"error: softnce {name}: tyro 99\.0 does not work here \(.*\), {TESTED['tyro']} "
            rf"does: pip install tyro=={TESTED['tyro']}\n",
            err,
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    "package", ["flax", "optax", "transformers", "tokenizers", "huggingface_hub", "grain"]
)
def test_a_package_that_breaks_the_imports_of_a_run(package, tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    fake(tmp_path / "new", package)
    monkeypatch.setenv("PYTHONPATH", path_with(tmp_path / "new"))
    ((status, _, err),) = lines(["finetune", "--data", "sample"], cwd=tmp_path / "work")
    line = err.splitlines()[-1]
    assert status == 1 and "Traceback" not in err
    assert line.startswith(f"error: softnce finetune: {package} 99.0 does not work here (")
    assert line.endswith(f"pip install {package}=={TESTED[package]}")
    # optax is used only where the optimiser is built, a moment after the run's folder is.
    assert package == "optax" or list((tmp_path / "work").iterdir()) == []
