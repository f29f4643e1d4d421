"""Rows of the user's data that cannot be used."""

from __future__ import annotations

from collections import Counter

from softnce_jax.errors import InputError


class Problems:
    """Rows that cannot be used: counted by reason, or an error at the first when strict."""

    def __init__(self, *, strict: bool = False):
        self.strict = strict
        self.count: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def add(self, reason: str, place: str) -> None:
        """Counts a row, or raises InputError naming its file and line."""
        if self.strict:
            raise InputError(f"{place}: {reason}")
        self.count[reason] += 1
        self.first.setdefault(reason, place)

    def lines(self) -> list[str]:
        """One line for each reason, with the first place it was met."""
        return [
            f"skipped {count} row{'s' * (count > 1)}: {reason} (first: {self.first[reason]})"
            for reason, count in self.count.items()
        ]
