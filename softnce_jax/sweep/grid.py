"""A grid of runs: the product of the values given, in the order in which they are run."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
import tomllib
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from softnce_jax import registry
from softnce_jax.data.code_search_net.published import COUNTS
from softnce_jax.errors import InputError, first_line
from softnce_jax.estimators.spec import parse
from softnce_jax.files import to_path
from softnce_jax.languages import LANGUAGES
from softnce_jax.train.config import LOSS_SETTINGS, NOT_COMPARED, Config
from softnce_jax.typed import check_fields

__all__ = ["Cell", "make_cells", "make_grid", "product", "set_values", "split_values"]

DEFAULTS = {
    "lang": list(COUNTS),
    "encoder": ["auto"],
    "loss": ["infonce", "soft_infonce"],
    "estimator": ["bm25"],
    "seed": [1234, 12345, 123456],
}
TYPES = typing.get_type_hints(Config)
# Settings of one estimator, which cells with others do not take.
ESTIMATOR_OF = {"bm25_statistics": "bm25"}
ESTIMATOR_OF |= {row.model: name for name, row in registry.ESTIMATORS.items() if row.model}
LARGEST_GRID = 10_000  # cells: years of training
NAMED = ("lang", "encoder", "loss", "estimator", "seed")  # the value alone is in a cell's name


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
    """The cells of flags and a file, seed by seed; a cell that another one needs comes first.

    The file's top-level keys are settings of finetune.py (`_` for `-`) with a value or a list of
    values. Each `[[cells]]` table adds the product of its own lists with those; without any, the
    top level is the grid.

    Args:
      out: the folder of the runs.
      grid: a TOML file.
      texts: setting → values with commas between them, or None; they replace the file's.
      settings: further ones, as `name=value,value`.

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
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InputError(f"{grid}: write [[cells]], with two brackets")
    for table in (file, *tables):
        try:
            _lists(table)
        except InputError as error:
            raise InputError(f"{grid}: {error}") from None
    flags = {name: split_values(name, text) for name, text in texts.items() if text is not None}
    shared = DEFAULTS | file | flags | set_values(settings)
    return make_cells(out, [chosen for table in tables for chosen in product(shared | table)])


def make_cells(out: Path, combinations: list[dict[str, Any]]) -> list[Cell]:
    """The cells of combinations of settings, each once, in the order in which they are run.

    Raises:
      InputError: two cells of one name, or one that needs a run which the grid does not have.
    """
    named: dict[str, dict[str, Any]] = {}
    for settings in map(_used, combinations):
        if named.setdefault(_name(settings), settings) != settings:
            raise InputError(f"two cells would be called {_name(settings)}: use two grids")
    used = list(named.values())
    seeds = list(dict.fromkeys(s.get("seed") for s in used))
    # A teacher is the InfoNCE run of the same seed: it is trained before the cells that need it.
    used.sort(key=lambda s: (seeds.index(s.get("seed")), "teacher" in s.get("estimator", "")))
    return [Cell(_name(s), _config(s, used, out)) for s in used]


def product(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of the values, each of them checked.

    Example:
      >>> list(product({"seed": [1, 2], "epochs": 3}))
      [{'seed': 1, 'epochs': 3}, {'seed': 2, 'epochs': 3}]
    """
    lists = _lists(values)
    if (cells := math.prod(map(len, lists.values()))) > LARGEST_GRID:
        raise InputError(f"a grid of {cells:,} cells, at most {LARGEST_GRID:,}: give fewer values")
    for combination in itertools.product(*lists.values()):
        yield dict(zip(lists, combination, strict=True))


def _lists(values: dict[str, Any]) -> dict[str, list]:
    """The values of every setting, each of them checked."""
    lists = {
        name: [_check(name, x) for x in (value if isinstance(value, list) else [value])]
        for name, value in values.items()
    }
    if empty := [name for name, items in lists.items() if not items]:
        raise InputError(f"{empty[0]} has no values: give one, or leave it out")
    return lists


def split_values(name: str, text: str) -> list[Any]:
    """The values that a flag gives a setting, with commas between them.

    Example:
      >>> split_values("alpha", "1, 1.5"), split_values("lang", "go,ruby")
      ([1.0, 1.5], ['go', 'ruby'])
    """
    values = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        try:  # a number or a boolean, in TOML's notation; else the text itself
            value = tomllib.loads(f"x = {item}")["x"]
            values.append(_check(name, value))
        except (ValueError, RecursionError):  # InputError is a ValueError
            values.append(_check(name, item))
    return values


def set_values(items: Sequence[str]) -> dict[str, list]:
    """The values of `--set name=value,value`."""
    values = {}
    for item in items:
        name, equals, text = item.partition("=")
        if not equals:
            raise InputError(f"--set {item}: write it as name=value")
        name = name.replace("-", "_")
        values[name] = split_values(name, text)
    return values


def _check(name: str, value: Any) -> Any:
    """The value of a setting, if the setting exists and takes it."""
    if name not in TYPES or name == "out":
        raise InputError(f"no setting {name!r}: a grid takes those of finetune.py --help, with _")
    if name == "loss" and isinstance(value, str):
        registry.loss(value)  # any text fits the type; this refuses unknown losses
    if name == "estimator" and isinstance(value, str) and value != "none":
        parse(value)
    if name == "lang" and isinstance(value, str) and value not in (*LANGUAGES, "all"):
        raise InputError(f"unknown language {value!r}: lang takes {', '.join(LANGUAGES)} or all")
    options = typing.get_args(TYPES[name]) or (TYPES[name],)
    options = (TYPES[name],) if typing.get_origin(TYPES[name]) is Literal else options
    for option in options:
        if typing.get_origin(option) is Literal and value in typing.get_args(option):
            return value
        if option is float and type(value) is int:
            return float(value)
        if type(value) is option:
            return value
    known = " | ".join(getattr(option, "__name__", f"{option}") for option in options)
    known = known.replace("NoneType", "None").replace("typing.", "")
    raise InputError(f"{name} = {value!r}: expected {known}, or a list of such values")


def _read(path: str) -> dict[str, Any]:
    try:
        # Editors may begin with a byte order mark.
        return tomllib.loads(to_path(path).read_text("utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; --grid takes a TOML file") from None
    except (ValueError, RecursionError, OSError) as error:  # no TOML, not UTF-8, too many digits
        raise InputError(f"{path}: {first_line(error)}") from None


def _used(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings without those that the cell's loss and estimator do not use."""
    if "loss" in settings and (loss := registry.loss(settings["loss"])).target is None:
        # Its cells are the same for all values of what only losses with a similarity read.
        unused = {"estimator", *LOSS_SETTINGS} - {*loss.settings}
        settings = {k: value for k, value in settings.items() if k not in unused}
    estimator = settings.get("estimator", "none")
    return {k: value for k, value in settings.items() if ESTIMATOR_OF.get(k, "") in estimator}


def _name(settings: dict[str, Any]) -> str:
    """A cell's name, which does not depend on the other cells of the grid."""
    named = [str(settings.get(name, "none")) for name in NAMED]
    others = sorted({*settings} - {*NAMED, *NOT_COMPARED, "data"})
    parts = [*named, *(f"{name}{settings[name]}" for name in others)]
    return re.sub(r"[^\w.+*-]", "_", "-".join(Path(part).name for part in parts))


def _config(settings: dict[str, Any], used: list[dict[str, Any]], out: Path) -> Config:
    """The configuration of a cell; where no teacher is named, it is the InfoNCE cell beside it."""
    filled = dict(settings)
    if "teacher" in settings.get("estimator", "") and settings.get("teacher") is None:
        needed = _used(settings | {"loss": "infonce"})
        if needed not in used:
            raise InputError(
                f"{_name(settings)} needs the InfoNCE run beside it: add --loss infonce, or name a "
                "model with --set teacher=FOLDER"
            )
        filled["teacher"] = str(out / _name(needed))
    config = dataclasses.replace(Config(), **filled, out=str(out / _name(settings)))
    check_fields(config)
    return config
