"""The one error that a user can cure: its message is the whole story."""

from __future__ import annotations


class InputError(ValueError):
    """What the user gave cannot be used. Programs print its one line and exit, without a trace."""


def first_line(error: BaseException) -> str:
    r"""What another library's error says, in a line of 160 characters at most.

    Example:
      >>> first_line(OSError("no space left\nin three places")), first_line(TimeoutError())
      ('no space left', 'TimeoutError')
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def check_texts(texts: object, name: str) -> None:
    """Raises InputError where one string stands for a list of texts: its characters would be taken.

    Args:
      texts: what a function was given.
      name: of its argument.

    Example:
      >>> check_texts("sort", "queries")
      Traceback (most recent call last):
      ...
      softnce_jax.errors.InputError: queries is one string, not a list of texts: give ['sort']
    """
    if isinstance(texts, str | bytes):
        shown = f"{texts[:40]!r}" + "..." * (len(texts) > 40)
        raise InputError(f"{name} is one string, not a list of texts: give [{shown}]")
