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
