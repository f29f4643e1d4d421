"""A grid of runs: the product of the values given, in the order in which they are run."""

from __future__ import annotations

import dataclasses
import itertools
import re
import tomllib
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from softnce_jax.languages import LANGUAGES
from softnce_jax.errors import InputError
from softnce_jax.train.config import NOT_COMPARED, Config

DEFAULTS = {
    "lang": list(LANGUAGES),
    "encoder": ["auto"],
    "loss": ["infonce", "soft_infonce"],
    "estimator": ["bm25"],
    "seed": [1234, 12345, 123456],
}
HINTS = typing.get_type_hints(Config)
# What InfoNCE does not use: its cells are the same for all values of these.
OF_ESTIMATORS = ("estimator", "alpha", "beta", "temperature", "floor")
# Settings of one estimator, which cells with others do not take.
OF_ONE = {"bm25_statistics": "bm25", "sentence_model": "sentence", "teacher": "teacher"}
NAMED = ("lang", "encoder", "loss", "estimator", "seed")


class Cell(NamedTuple):
    """One run of a grid: the name of its folder and its configuration."""

    name: str
    config: Config


def make_grid(
    out: Path,
    *,
    grid: str | None = None,
    texts: Mapping[str, str | None] = MappingProxyType({}),
    settings: Sequence[str] = (),
) -> list[Cell]:
    """The cells that flags and file name, seed by seed; those that others stand on come first.

    The file's top-level keys are settings of finetune.py (`_` for `-`) with a value or a list of
    values. Each `[[cells]]` table adds the product of its own lists with those; without any, the
    top level is the grid.

    Args:
      out: the folder of the runs.
      grid: a TOML file.
      texts: setting → values with commas between them, or None; they replace the file's.
      settings: the same as `name=value,value`.

    Returns:
      Cells with different names.

    Raises:
      InputError: an unknown setting or value, a file that cannot be read, an empty list.

    Example:
      >>> texts = {"lang": "go", "loss": "infonce,soft_infonce", "seed": "1,2"}
      >>> [cell.name for cell in make_grid(Path("runs"), texts=texts, settings=["epochs=1"])][:2]
      ['go-auto-infonce-none-1-epochs1', 'go-auto-soft_infonce-bm25-1-epochs1']
    """
    file = _read(grid) if grid else {}
    tables = file.pop("cells", [{}])
    if not isinstance(tables, list):
        raise InputError(f"{grid}: write [[cells]], with two brackets")
    named = {name: split_values(name, text) for name, text in texts.items() if text is not None}
    shared = DEFAULTS | file | named | given(settings)
    chosen = [settings for table in tables for settings in product(shared | table)]
    return cells(chosen, out)


def cells(chosen: list[dict[str, Any]], out: Path) -> list[Cell]:
    """The cells of settings, each once, in the order in which they are run."""
    named: dict[str, dict[str, Any]] = {}
    for settings in map(_settle, chosen):
        if named.setdefault(_name(settings), settings) != settings:
            raise InputError(f"two cells would be called {_name(settings)}: use two grids")
    settled = list(named.values())
    seeds = list(dict.fromkeys(s.get("seed") for s in settled))
    settled.sort(key=lambda s: (seeds.index(s.get("seed")), "teacher" in s.get("estimator", "")))
    return [Cell(_name(s), _config(s, settled, out)) for s in settled]


def product(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of the values, each checked against what the setting takes.

    Example:
      >>> list(product({"seed": [1, 2], "epochs": 3}))
      [{'seed': 1, 'epochs': 3}, {'seed': 2, 'epochs': 3}]
    """
    lists = {
        name: [check(name, x) for x in (value if isinstance(value, list) else [value])]
        for name, value in values.items()
    }
    if empty := [name for name, items in lists.items() if not items]:
        raise InputError(f"{empty[0]} has no values: give one, or leave it out")
    for combination in itertools.product(*lists.values()):
        yield dict(zip(lists, combination, strict=True))


def check(name: str, value: Any) -> Any:
    """The value of a setting, if the setting exists and takes it."""
    if name not in HINTS or name == "out":
        raise InputError(f"no setting {name!r}: a grid takes those of finetune.py --help, with _")
    options = typing.get_args(HINTS[name]) or (HINTS[name],)
    options = (HINTS[name],) if typing.get_origin(HINTS[name]) is Literal else options
    for option in options:
        if typing.get_origin(option) is Literal and value in typing.get_args(option):
            return value
        if option is float and type(value) is int:
            return float(value)
        if type(value) is option:
            return value
    raise InputError(f"{name} = {value!r} is none of {HINTS[name]}".replace("typing.", ""))


def split_values(name: str, text: str) -> list[Any]:
    """The values that a flag gives a setting, with commas between them."""
    values = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        try:
            value = tomllib.loads(f"x = {item}")["x"]
            values.append(check(name, value))
        except (tomllib.TOMLDecodeError, InputError):
            values.append(check(name, item))
    return values


def given(items: Sequence[str]) -> dict[str, list]:
    """The settings of `--set name=value,value`."""
    values = {}
    for item in items:
        name, equals, text = item.partition("=")
        if not equals:
            raise InputError(f"--set {item}: write it as name=value")
        name = name.replace("-", "_")
        values[name] = split_values(name, text)
    return values


def _read(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; --grid takes a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}") from None


def _settle(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings without those that the cell's loss and estimator do not use."""
    if settings.get("loss") == "infonce":
        settings = {name: value for name, value in settings.items() if name not in OF_ESTIMATORS}
    estimator = settings.get("estimator", "none")
    return {name: v for name, v in settings.items() if OF_ONE.get(name, "") in estimator}


def _name(settings: dict[str, Any]) -> str:
    """A name that other cells of the grid have no influence on."""
    named = [str(settings.get(name, "none")) for name in NAMED]
    others = sorted({*settings} - {*NAMED, *NOT_COMPARED, "data"})
    parts = [*named, *(f"{name}{settings[name]}" for name in others)]
    return re.sub(r"[^\w.+*-]", "_", "-".join(Path(part).name for part in parts))


def _config(settings: dict[str, Any], settled: list[dict[str, Any]], out: Path) -> Config:
    """The configuration of a cell; the paper's frozen teacher is the InfoNCE cell beside it."""
    found = dict(settings)
    if "teacher" in settings.get("estimator", "") and settings.get("teacher") is None:
        wanted = _settle(settings | {"loss": "infonce"})
        if wanted not in settled:
            raise InputError(
                f"{_name(settings)} needs the InfoNCE run beside it: add --loss infonce, or name a "
                "model with --set teacher=FOLDER"
            )
        found["teacher"] = str(out / _name(wanted))
    return dataclasses.replace(Config(), **found, out=str(out / _name(settings)))
