"""The report of mining: what was kept, what was dropped, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

__all__ = ["Counts", "format_report"]


class Counts:
    """Numbers of folders, files and functions that were kept and dropped.

    Attributes:
      kept: by kind.
      dropped: by kind and reason.
      broken: files with broken syntax.
      first: the location of the first one dropped, by kind and reason.
    """

    def __init__(self):
        self.kept: Counter[str] = Counter()
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.broken = 0
        self.first: dict[tuple[str, str], str] = {}

    def keep(self, kind: str, number: int = 1) -> None:
        """Counts one as kept, or several."""
        self.kept[kind] += number

    def drop(self, kind: str, reason: str, location: str) -> None:
        """Counts one as dropped."""
        self.dropped[kind, reason] += 1
        self.first.setdefault((kind, reason), location)

    def add(self, other: Counts) -> None:
        """Adds the counts of files that come later."""
        self.kept += other.kept
        self.dropped += other.dropped
        self.broken += other.broken
        self.first = other.first | self.first

    def as_dict(self) -> dict[str, dict]:
        """The numbers found, kept and dropped of each kind; the most frequent reasons first."""
        kinds = sorted({*self.kept, *(kind for kind, _ in self.dropped)})
        broken = {"files": {"with broken syntax": self.broken}}
        return {kind: self._of_kind(kind) | broken.get(kind, {}) for kind in kinds}

    def _of_kind(self, kind: str) -> dict:
        dropped = [(n, reason) for (k, reason), n in self.dropped.items() if k == kind]
        reasons = {
            reason: {"count": n, "first": self.first[kind, reason]}
            for n, reason in sorted(dropped, key=lambda pair: (-pair[0], pair[1]))
        }
        found = self.kept[kind] + sum(n for n, _ in dropped)
        return {"found": found, "kept": self.kept[kind], "dropped": reasons}


def format_report(report: Mapping) -> str:
    """The report as lines of text.

    Example:
      >>> counts = Counts()
      >>> counts.keep("files", 2)
      >>> counts.drop("files", "a test", "test_sort.py")
      >>> print(format_report(counts.as_dict() | {"pairs": {"train": 8, "valid": 1}}))
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
        for name, number in numbers.items():
            if name not in ("found", "dropped"):
                rows.append((f"  {name}", number, ""))
        for reason, dropped in numbers.get("dropped", {}).items():
            rows.append((f"  {reason}", dropped["count"], dropped["first"]))
    width = max(len(name) for name, _, _ in rows) + 2
    lines = (f"{name:<{width}}{number:>7}  {location}" for name, number, location in rows)
    return "\n".join(line.rstrip() for line in lines)
