"""Values are of the type they must be, or one line names file and field; flags have ranges."""

from __future__ import annotations

import dataclasses
import importlib
import math
import os
import typing

import msgspec
import pytest

from softnce_jax import cli
from softnce_jax.errors import InputError
from softnce_jax.files import read_json
from softnce_jax.typed import Count, OutPath, check_fields, check_type


def test_a_value_stays_as_it_is():
    value = {"seed": 1, "other": [math.nan]}
    assert check_type(value, dict[str, int | list[float]], "x.json") is value


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[]", "expected object, got array"),
        (b'{"a": "1"}', r"\[...\]: expected int, got str"),
        (b'{"a": 0}', r"\[...\]: expected int >= 1"),
        (b'{"a": 1', "missing or not JSON"),
        (b"\xff", "missing or not JSON"),
        (b"[" * 100_000, "missing or not JSON"),
        (b'{"a": ' + b"1" * 5000 + b"}", "missing or not JSON"),
        (b'{"a": NaN}', r"\[...\]: expected int, got float"),
    ],
)
def test_files_of_another_type_are_one_line(content, message, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{path}: {message}") as caught:
        read_json(path, dict[str, Count])
    assert "\n" not in str(caught.value)
    path.write_bytes(b'{"a": 1}')  # negative control
    assert read_json(path, dict[str, Count]) == {"a": 1}


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.json")
    (tmp_path / "y.json").symlink_to("/dev/zero")
    for name in ("x.json", "y.json"):
        with pytest.raises(InputError, match="no regular file"):
            read_json(tmp_path / name)


FLAGS = [
    ("evaluate", {"model": "m"}, "query_length", 0, "--query-length 0: expected int >= 1"),
    ("evaluate", {"model": "m"}, "code_length", 10**18, "--code-length 1"),
    ("evaluate", {"model": "m"}, "depth", 0, "--depth 0: expected int >= 1"),
    ("evaluate", {"model": "m"}, "depth", -3, "--depth -3: expected int >= 1"),
    ("mine", {"path": ".", "lang": "go", "out": "o"}, "processes", 0, "--processes 0: "),
    ("mine", {"path": ".", "lang": "go", "out": "o"}, "processes", -1, "--processes -1: "),
    ("prepare", {}, "processes", 0, "--processes 0: "),
    ("finetune", {}, "seed", -1, "--seed -1: expected int >= 0"),
    ("finetune", {}, "seed", 1 << 32, "--seed 4294967296: expected int"),
    ("finetune", {}, "evaluate_every", math.inf, "--evaluate-every inf: expected float"),
    ("finetune", {}, "alpha", math.nan, "--alpha nan: expected float"),
    ("finetune", {}, "epochs", 10**18, "--epochs 1000000000000000000: expected int"),
    ("finetune", {}, "fold", -1, "--fold -1: "),
    ("finetune", {}, "keep", 0, "--keep 0: "),
    ("train-simcse", {}, "temperature", 0.0, "--temperature 0.0: "),
    ("mine-negatives", {"model": "bm25"}, "k", 0, "--k 0: "),
    ("mine-negatives", {"model": "bm25"}, "ranks", (0, 9), "--ranks"),
    *(
        (name, given, "out", out, "a path of this machine: no NUL byte, no URL")
        for name, given in (("finetune", {}), ("sweep", {}), ("tables", {"runs": "r"}))
        for out in ("a\0b", "gs://bucket/run", "s3://bucket")
    ),
]


@pytest.mark.parametrize(("command", "given", "name", "value", "message"), FLAGS)
def test_flags_out_of_range_are_one_line_before_any_work(command, given, name, value, message):
    module = importlib.import_module(f"softnce_jax.commands.{command.replace('-', '_')}")
    check_fields(module.Flags(**given))  # negative control: the defaults
    with pytest.raises(InputError) as caught:
        check_fields(module.Flags(**given | {name: value}))
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_number_of_every_command_has_a_range(command):
    module = importlib.import_module(f"softnce_jax.commands.{command.replace('-', '_')}")
    types = typing.get_type_hints(module.Flags, include_extras=True)
    for field in dataclasses.fields(module.Flags):
        for value in (-(10**39), -1e300, math.nan):
            kind = types[field.name]
            if kind in (int, float, int | None, float | None):
                raise AssertionError(f"{command}: {field.name} has no range")
            if typing.get_origin(kind) is not dict:
                with pytest.raises(msgspec.ValidationError):
                    msgspec.convert(value, kind)


@pytest.mark.parametrize("path", ["runs/a", "/tmp/a b", "../x", "a:b", "C:x", "http:/x", "~/x"])
def test_paths_of_this_machine_are_paths(path):
    assert check_type(path, OutPath, "x") == path


def test_a_command_checks_its_flags(capsys):
    with pytest.raises(SystemExit):
        cli.run("mine", ["nowhere", "--lang", "go", "--out", "o", "--processes", "0"])
    assert capsys.readouterr().err == "error: --processes 0: expected int >= 1\n"
