"""Types checked at run time: of what a JSON file holds, and of the ranges that flags have.

A range stands beside its field, as in `seed: Seed = 1234`; msgspec reads it there.
"""

from __future__ import annotations

import json
import typing
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from softnce_jax.errors import InputError

__all__ = [
    "Count",
    "Factor",
    "Fraction",
    "Length",
    "Metric",
    "Name",
    "NotNegative",
    "OutPath",
    "Positive",
    "Seed",
    "Size",
    "check_fields",
    "check_type",
]

# No bound is infinite, so that NaN and infinity lie outside of every one.
LARGEST = 1e38  # about that of float32
Count = Annotated[int, Meta(ge=1, le=10**9)]
Size = Annotated[int, Meta(ge=0, le=10**9)]
Length = Annotated[int, Meta(ge=1, le=1 << 20)]  # tokens of a text, positions of a network
Seed = Annotated[int, Meta(ge=0, lt=1 << 32)]
Factor = Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]
Positive = Annotated[float, Meta(gt=0, le=LARGEST)]
NotNegative = Annotated[float, Meta(ge=0, le=LARGEST)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Metric = Annotated[float, Meta(ge=0, le=1 + 1e-6)]  # of a ranking; above 1 by rounding alone
Name = Annotated[str, Meta(min_length=1, max_length=4096)]  # as long as a path may be
# A path of this machine: not of cloud storage, which is not written to yet.
OutPath = Annotated[str, Meta(min_length=1, pattern=r"^(?![A-Za-z][A-Za-z0-9+.-]*://)[^\x00]*$")]


def check_type(value: Any, as_type: Any, source: Any) -> Any:
    """The value, if it is of a type.

    Args:
      value: as JSON has it: dictionaries, lists, texts, numbers.
      as_type: of it: a TypedDict, list[int], a type of this module, ... What a dictionary has
        beside the fields of its TypedDict is no matter.
      source: the file, for messages.

    Raises:
      InputError: another type, a missing field or a number out of its range, in one line that names
        source and field.

    Example:
      >>> check_type({"a": [1, "b"]}, dict[str, list[int]], "x.json")
      Traceback (most recent call last):
      ...
      softnce_jax.errors.InputError: x.json: [...][1]: expected int, got str
    """
    try:
        json.dumps(value, ensure_ascii=False).encode()  # JSON may hold lone surrogates
        msgspec.convert(value, as_type)
    except msgspec.ValidationError as error:
        raise InputError(f"{source}: {_problem(error)}") from None
    except UnicodeEncodeError:
        raise InputError(f"{source}: a lone surrogate, which is no character") from None
    return value


def _problem(error: msgspec.ValidationError) -> str:
    """What msgspec says, the place first: `config.seed: expected int, got str`."""
    problem, _, place = str(error).replace("`", "").partition(" - at ")
    place = place.partition("$")[2].removeprefix(".")
    problem = problem[:1].lower() + problem[1:]
    problem = problem.replace(f" >= {-LARGEST}", ", finite").replace(f" <= {LARGEST}", ", finite")
    return f"{place}: {problem}" if place else problem


def check_fields(flags: Any) -> None:
    """Raises InputError where a field of a dataclass of flags is out of its type's range.

    Example:
      >>> from dataclasses import make_dataclass
      >>> check_fields(make_dataclass("Flags", [("k", Count, 5)])(k=0))
      Traceback (most recent call last):
      ...
      softnce_jax.errors.InputError: --k 0: expected int >= 1
    """
    types = typing.get_type_hints(type(flags), include_extras=True)
    for name, value in vars(flags).items():
        try:
            msgspec.convert(value, types[name])
        except msgspec.ValidationError as error:
            problem = _problem(error)
            if "matching regex" in problem:
                problem = "expected a path of this machine: no NUL byte, no URL"
            raise InputError(f"--{name.replace('_', '-')} {value}: {problem}") from None
