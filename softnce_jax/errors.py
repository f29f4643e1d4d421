"""The one error that a user can cure: its message is the whole story."""

from __future__ import annotations


class InputError(ValueError):
    """What the user gave cannot be used. Programs print its one line and exit, without a trace."""
