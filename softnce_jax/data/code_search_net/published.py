"""The sizes of the published splits: they tell whether the data were rebuilt right."""

from __future__ import annotations

from collections.abc import Mapping

SPLITS = ("train", "validation", "test", "codebase")
ABOUT = "softnce.json"  # beside the records: what they are
PROTOCOL = "CodeSearchNet, splits and candidates of GraphCodeBERT"
# PAPER Table 7 (Li et al., EMNLP 2023), which are GraphCodeBERT's.
COUNTS = {
    "ruby": (24_927, 1_400, 1_261, 4_360),
    "javascript": (58_025, 3_885, 3_291, 13_981),
    "go": (167_288, 7_325, 8_122, 28_120),
    "python": (251_820, 13_914, 14_918, 43_827),
    "java": (164_923, 5_183, 10_955, 40_347),
    "php": (241_241, 12_982, 14_014, 52_660),
}


def differences(language: str, counts: Mapping[str, int]) -> list[str]:
    """Where the splits are not of the published sizes, with both numbers.

    Example:
      >>> counts = dict(zip(SPLITS, COUNTS["ruby"]))
      >>> differences("ruby", counts), differences("ruby", counts | {"codebase": 2661})
      ([], ['codebase 2,661 instead of 4,360'])
    """
    published = zip(SPLITS, COUNTS[language], strict=True)
    return [
        f"{split} {counts[split]:,} instead of {count:,}"
        for split, count in published
        if counts[split] != count
    ]


def protocol(language: str, counts: Mapping[str, int], select: str) -> str:
    """What a result on these data must be called.

    Example:
      >>> protocol("ruby", dict(zip(SPLITS, COUNTS["ruby"])), "lists")
      'CodeSearchNet, splits and candidates of GraphCodeBERT'
    """
    if select == "rules":
        return "CodeSearchNet, cleaned by rules: not the published protocol"
    found = differences(language, counts)
    return f"{PROTOCOL}, but {'; '.join(found)}: not the published protocol" if found else PROTOCOL
