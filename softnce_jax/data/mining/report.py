"""What was kept and what was dropped, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


class Counts:
    """Things by kind (files, functions) and what became of them.

    Attributes:
      kept: of each kind.
      dropped: of each kind and reason.
      broken: files whose syntax is, in places at least.
      first: the place where a kind was dropped first for a reason.
    """

    def __init__(self):
        self.kept: Counter[str] = Counter()
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.broken = 0
        self.first: dict[tuple[str, str], str] = {}

    def keep(self, kind: str, number: int = 1) -> None:
        """Counts what is kept."""
        self.kept[kind] += number

    def drop(self, kind: str, reason: str, place: str) -> None:
        """Counts what is dropped."""
        self.dropped[kind, reason] += 1
        self.first.setdefault((kind, reason), place)

    def add(self, other: Counts) -> None:
        """Adds the counts of what comes later."""
        self.kept += other.kept
        self.dropped += other.dropped
        self.broken += other.broken
        self.first = other.first | self.first

    def as_dict(self) -> dict[str, dict]:
        """For each kind the number found, kept and dropped by reason, most frequent first."""
        kinds = sorted({*self.kept, *(kind for kind, _ in self.dropped)})
        broken = {"files": {"with broken syntax": self.broken}}
        return {kind: self._of(kind) | broken.get(kind, {}) for kind in kinds}

    def _of(self, kind: str) -> dict:
        dropped = [(n, reason) for (k, reason), n in self.dropped.items() if k == kind]
        reasons = {
            reason: {"count": n, "first": self.first[kind, reason]}
            for n, reason in sorted(dropped, key=lambda pair: (-pair[0], pair[1]))
        }
        found = self.kept[kind] + sum(n for n, _ in dropped)
        return {"found": found, "kept": self.kept[kind], "dropped": reasons}


def table(report: Mapping) -> str:
    """The report as lines to print.

    Example:
      >>> counts = Counts()
      >>> counts.keep("files", 2)
      >>> counts.drop("files", "a test", "test_sort.py")
      >>> print(table(counts.as_dict() | {"pairs": {"train": 8, "valid": 1}}))
      files         3
        kept        2
        with broken syntax      0
        a test      1  test_sort.py
      pairs
        train       8
        valid       1
    """
    rows: list[tuple[str, object, str]] = []
    for kind, numbers in report.items():
        if not isinstance(numbers, Mapping):
            continue
        rows.append((kind, numbers.get("found", ""), ""))
        reasons = numbers.get("dropped", {})
        for name, number in numbers.items():
            if name not in ("found", "dropped"):
                rows.append((f"  {name}", number, ""))
        rows += [(f"  {reason}", d["count"], d["first"]) for reason, d in reasons.items()]
    width = max(len(name) for name, _, _ in rows) + 2
    return "\n".join(f"{n:<{width}}{number:>7}  {place}".rstrip() for n, number, place in rows)
