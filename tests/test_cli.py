"""The command line: help without jax, one line where something is missing, an exit status."""

from __future__ import annotations

import ast
import configparser
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from importlib import metadata
from pathlib import Path

import pytest

import softnce_jax
from softnce_jax import cli
from softnce_jax.errors import InputError
from tests.command_lines import lines, lines_without

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "softnce_jax"
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")


def file_of(command: str) -> str:
    return command.replace("-", "_") + ".py"


def test_each_command_has_a_module_and_a_program():
    for folder in (PACKAGE / "commands", ROOT / "experiments"):
        names = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
        assert names == {file_of(name) for name in cli.COMMANDS}
    assert SETUP["options.entry_points"]["console_scripts"].split() == [
        "softnce", "=", "softnce_jax.cli:main"
    ]  # fmt: skip


def test_help_lists_the_commands(tmp_path):
    """With nothing installed but Python."""
    ((status, out, err),) = lines_without("jax,numpy,tyro,flax,filelock", ["--help"], cwd=tmp_path)
    assert status == 0 and not err
    assert out.startswith("usage: softnce COMMAND")
    for name, about in cli.COMMANDS.items():
        assert f"  {name} " in out and about in out


def test_help_of_a_command_needs_no_device_code(tmp_path):
    missing = "jax,jaxlib,flax,optax,orbax,grain,transformers,tokenizers,tree_sitter,matplotlib"
    shown = lines_without(missing, *[[name, "--help"] for name in cli.COMMANDS], cwd=tmp_path)
    for name, (status, out, err) in zip(cli.COMMANDS, shown, strict=True):
        assert (status, err) == (0, "")
        assert out.startswith(f"usage: softnce {name} ")


def test_without_the_extra_every_program_says_so_in_a_line(tmp_path):
    shown = lines_without("tyro", *[[name, "--help"] for name in cli.COMMANDS], cwd=tmp_path)
    for name, result in zip(cli.COMMANDS, shown, strict=True):
        line = f'error: softnce {name}: tyro is not installed: pip install "softnce_jax[train]"\n'
        assert result == (1, "", line)


SAMPLE = ("--data", "sample")
MISSING = [
    ("finetune", SAMPLE, "flax grain tokenizers transformers optax orbax safetensors tqdm"),
    ("evaluate", ("--model", "m", *SAMPLE), "flax tokenizers safetensors"),
    ("mine", ("source", "--lang", "ruby", "--out", "out"), "datasketch tree_sitter"),
    ("prepare", (), "absl tensorflow_datasets requests"),
    ("mine-negatives", ("--model", "bm25", *SAMPLE), "bm25s"),
    ("train-simcse", SAMPLE, "flax"),
    ("sweep", SAMPLE, "flax"),
    ("tables", ("runs",), "tabulate"),
    ("figures", ("runs",), "matplotlib"),
    ("negatives", (), "flax"),
]
PACKAGES = sorted({package for _, _, packages in MISSING for package in packages.split()})


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_a_missing_package_is_told_in_a_line(package, tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "runs").mkdir()
    extra = "figures" if package == "matplotlib" else "train"
    needing = [(name, flags) for name, flags, packages in MISSING if package in packages.split()]
    shown = lines_without(package, *[[name, *flags] for name, flags in needing], cwd=tmp_path)
    for (name, _), (status, _, err) in zip(needing, shown, strict=True):
        line = (
            f'error: softnce {name}: {package} is not installed: pip install "softnce_jax[{extra}]"'
        )
        assert (status, err.splitlines()[-1:]) == (1, [line])
    assert {path.name for path in tmp_path.rglob("*")} == {"source", "runs"}  # before any work


def test_all_programs_show_the_same_flags(tmp_path):
    """`softnce`, `python -m softnce_jax` and experiments/, each under its own name."""
    entry = "import sys; sys.argv[0] = '/bin/softnce'; from softnce_jax.cli import main; main()"
    name = "mine-negatives"
    programs = {
        f"softnce {name}": ["-c", entry, name],
        f"python -m softnce_jax {name}": ["-m", "softnce_jax", name],
        file_of(name): [str(ROOT / "experiments" / file_of(name))],
    }
    shown = set()
    for program, arguments in programs.items():
        done = subprocess.run([sys.executable, *arguments, "--help"], cwd=tmp_path,
                              capture_output=True, text=True, check=True)  # fmt: skip
        usage, _, flags = done.stdout.partition("\n")
        assert usage.startswith(f"usage: {program} ")
        shown.add(flags)
    assert len(shown) == 1 and "--data" in shown.pop()


def test_names_may_have_underscores(monkeypatch):
    called = []
    monkeypatch.setattr(cli, "run", lambda name, flags, program: called.append((name, flags)))
    cli.main(["mine_negatives", "--k", "3"])
    cli.main(["mine-negatives"])
    assert called == [("mine-negatives", ["--k", "3"]), ("mine-negatives", [])]


def test_version_help_and_unknown_commands(capsys):
    cli.main(["--version"])
    assert capsys.readouterr().out == f"softnce_jax {softnce_jax.__version__}\n"
    cli.main([])
    assert capsys.readouterr().out.startswith("usage: softnce COMMAND")
    with pytest.raises(SystemExit) as exit:
        cli.main(["finetone"])
    assert exit.value.code == 2
    assert capsys.readouterr().err.startswith("error: no command 'finetone': finetune, evaluate")


@pytest.mark.parametrize(
    ("error", "status", "printed"),
    [
        (InputError("--k 0 is not positive"), 1, "error: --k 0 is not positive\n"),
        (PermissionError(13, "Permission denied", "a"), 1, "error: [Errno 13] Perm"),
        (FloatingPointError("loss at step 3"), 1, "error: loss at step 3\n"),
        (KeyboardInterrupt(), 130, ""),
        (ModuleNotFoundError("", name="flax"), 1, "error: softnce mine: flax is not"),
        (SystemExit(143), 143, ""),
    ],
)
def test_what_a_user_can_cure_is_one_line(error, status, printed, monkeypatch, capsys):
    def fail(_):
        raise error

    monkeypatch.setattr("softnce_jax.commands.mine.main", fail)
    with pytest.raises(SystemExit) as exit:
        cli.run("mine", ["source", "--lang", "ruby", "--out", "out"])
    assert exit.value.code == status
    shown = capsys.readouterr()
    assert shown.err.startswith(printed) and shown.err.count("\n") == bool(printed)


# Without data or work: each looks for a device before it reads anything.
DEVICE_COMMANDS = {
    "finetune": ["--data", "sample"],
    "train-simcse": ["--data", "sample"],
    "evaluate": ["--model", "nowhere", "--data", "sample"],
    "mine-negatives": ["--model", "bm25", "--data", "sample"],
    "sweep": ["--data", "sample"],
    "negatives": [],
}


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["cuda", "gpo"])
def test_no_such_device_is_one_line(platform, tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", platform)
    commands = [[command, *flags] for command, flags in DEVICE_COMMANDS.items()]
    shown = lines(*commands, ["tables", "nowhere"], cwd=tmp_path)
    for (status, _, err), command in zip(shown[:-1], commands, strict=True):
        assert status == 1 and err.count("\n") == 1, (command, err)
        assert err.startswith(f"error: JAX_PLATFORMS={platform}: jax finds no such device here (")
    assert shown[-1].err.startswith("error: nowhere: no finished runs")  # it needs no device
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError("no backend"), AssertionError()])
def test_no_device_met_in_a_library_is_one_line(error, monkeypatch, capsys):
    def fail(*_):
        raise error

    monkeypatch.setattr("softnce_jax.commands.mine.main", fail)
    monkeypatch.setattr("jax.devices", fail)
    with pytest.raises(SystemExit) as exit:
        cli.run("mine", ["source", "--lang", "ruby", "--out", "out"])
    assert exit.value.code == 1
    assert capsys.readouterr().err.startswith("error: jax finds no device (")


def test_other_errors_of_a_device_keep_their_trace(monkeypatch):
    def fail(_):
        raise RuntimeError("ours")

    monkeypatch.setattr("softnce_jax.commands.mine.main", fail)
    with pytest.raises(RuntimeError, match="ours"):
        cli.run("mine", ["source", "--lang", "ruby", "--out", "out"])


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("JAX_ENABLE_X64", "maybe", "invalid truth value 'maybe' for environment 'JAX_ENABLE_X64'"),
        ("JAX_NUM_CPU_DEVICES", "a", 'Invalid value "a" for JAX flag jax_num_cpu_devices'),
    ],
)
def test_a_wrong_variable_for_jax_is_one_line(name, value, words, monkeypatch, capsys):
    def fail(_):
        raise ValueError(words)

    monkeypatch.setattr("softnce_jax.commands.mine.main", fail)
    with pytest.raises(ValueError, match=value):  # an error that names no variable that is set
        monkeypatch.delenv(name, raising=False)
        cli.run("mine", ["source", "--lang", "ruby", "--out", "out"])
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as exit:
        cli.run("mine", ["source", "--lang", "ruby", "--out", "out"])
    assert exit.value.code == 1
    assert capsys.readouterr().err == f"error: {name}={value}: {words}\n"


@pytest.mark.parametrize("command", [["finetune", "--help"], ["--help"]])
def test_a_reader_that_has_enough_is_no_error(command, tmp_path):
    """As `softnce finetune --help | head -1`."""
    program = [sys.executable, "-m", "softnce_jax", *command]
    options = {"cwd": tmp_path, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(program, **options) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE


def test_ctrl_c_ends_a_command(monkeypatch, capsys):
    seen = []

    def interrupted(_):
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            seen.append("removed")

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr("softnce_jax.commands.mine.main", interrupted)
    monkeypatch.setattr(cli, "SECONDS_TO_END", 600)
    threads = threading.active_count()
    with pytest.raises(SystemExit) as exit:
        cli.run("mine", ["source", "--lang", "ruby", "--out", "out"])
    assert exit.value.code == 130 and seen == ["removed"]
    assert capsys.readouterr() == ("", "") and signal.getsignal(signal.SIGINT) is before
    time.sleep(0.1)
    assert threading.active_count() == threads  # none that would end this process later


# Ctrl-C where the exception is lost, as in a callback of C, or in an import, where it may crash.
SWALLOWED = """
import signal, sys, time
from pathlib import Path
from softnce_jax import cli
from softnce_jax.commands import mine
cli.SECONDS_TO_END = float(sys.argv[1])
def main(_):
    if sys.argv[2] == "import":
        import swallows
    if sys.argv[2] != "nothing":
        exec(Path("swallows.py").read_text())
    time.sleep(0.5)
    print("went on")
mine.main = main
cli.run("mine", ["source", "--lang", "ruby", "--out", "out"])
"""


@pytest.mark.parametrize(
    ("seconds", "place", "status", "out"),
    [
        (0.1, "callback", 130, ""),
        (600, "import", 130, ""),
        (600, "callback", 130, "went on\n"),  # sooner than the time is up
        (0.1, "nothing", 0, "went on\n"),  # negative control
    ],
)
def test_ctrl_c_ends_a_command_wherever_it_comes(seconds, place, status, out, tmp_path):
    text = "import signal\ntry: signal.raise_signal(2)\nexcept KeyboardInterrupt: pass\n"
    (tmp_path / "swallows.py").write_text(text)
    (tmp_path / "program.py").write_text(SWALLOWED)
    done = subprocess.run(
        [sys.executable, "program.py", str(seconds), place],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, out, "")


@pytest.mark.parametrize(
    "error", [ValueError("ours"), ModuleNotFoundError("", name="scipy"), ImportError("ours")]
)
def test_other_errors_keep_their_trace(error, monkeypatch):
    def fail(_):
        raise error

    monkeypatch.setattr("softnce_jax.commands.mine.main", fail)
    with pytest.raises(type(error)):
        cli.run("mine", ["source", "--lang", "ruby", "--out", "out"])


def test_a_package_missing_behind_another_packages_error():
    try:
        try:
            raise ModuleNotFoundError("", name="safetensors")
        except ModuleNotFoundError as error:
            raise RuntimeError("Failed to import transformers.models") from error
    except RuntimeError as error:
        line = cli._missing_extra(error)
    assert line == 'safetensors is not installed: pip install "softnce_jax[train]"'


def third_party() -> set[str]:
    """The packages that the source imports, by the first part of their names."""
    names = set()
    for path in PACKAGE.rglob("*.py"):
        if path.parent.parent.name == "sample":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module)
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)


def test_every_package_that_is_imported_belongs_to_an_extra():
    listed = {package for packages in cli.EXTRAS.values() for package in packages}
    # jax brings numpy; jaxtyping is for type checkers; torch is asked for where it is used.
    others = {"softnce_jax", "jax", "numpy", "jaxtyping", "torch"}
    names = third_party()
    assert names - listed == others and "flax" in names


@pytest.mark.parametrize("extra", cli.EXTRAS)
def test_extras_are_those_of_the_package(extra):
    """What setup.cfg installs is listed by a name under which it is imported."""
    lines = SETUP["options.extras_require"][extra].splitlines()
    installed = {re.split(r"[<>=]", line)[0].lower() for line in lines if line and line[0] != "#"}
    packages = metadata.packages_distributions()
    of = {name: {d.lower().replace("_", "-") for d in packages.get(name, [])}
          for name in cli.EXTRAS[extra]}  # fmt: skip
    for distribution in installed:
        assert any(distribution.replace("_", "-") in names for names in of.values()), distribution
    if "filelock" in of:  # negative control
        assert "matplotlib" not in set().union(*of.values())


def test_messages_go_to_the_terminal(tmp_path):
    program = """
import logging
from softnce_jax import cli
cli._log_to_terminal()
cli._log_to_terminal()
log = logging.getLogger("softnce_jax.train")
log.info("told"); log.warning("warned"); log.debug("hidden")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=dict(os.environ),
                          capture_output=True, text=True)  # fmt: skip
    assert (done.stdout, done.stderr) == ("told\n", "warned\n")


def test_names_of_others_cannot_steer_the_terminal(monkeypatch, capsys):
    name = "a\x1b[2J\r\u202eb"
    logger = logging.getLogger("softnce_jax")
    for attribute, value in (("handlers", []), ("level", logger.level), ("propagate", True)):
        monkeypatch.setattr(logger, attribute, value)
    cli._log_to_terminal()
    logger.warning(name)
    for fail in (lambda: cli._fail(f"{name}: no such file"), lambda: cli.main([name])):
        with pytest.raises(SystemExit):
            fail()
    said = capsys.readouterr().err
    shown = r"a\x1b[2J\r\u202eb"
    assert said.split("\n")[:2] == [shown, f"error: {shown}: no such file"]
    assert not any(c in said for c in "\x1b\r\u202e") and said.count("\n") == 3
