"""From the command line to a configuration, and from an error to one line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

import tyro

from softnce_jax.errors import InputError

T = TypeVar("T")


def run(main: Callable[[T], object], config: type[T]) -> None:
    """Calls `main` with the configuration made of the flags; one line and exit 1 where it fails.

    Only what the user or the machine can be told in a line is caught: input that cannot be used,
    files that cannot be read or written, a training that diverged.
    """
    try:
        main(tyro.cli(config))
    except (InputError, OSError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
