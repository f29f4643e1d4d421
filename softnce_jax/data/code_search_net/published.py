"""The sizes of the published splits, by which we see whether the data were rebuilt correctly."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ABOUT", "COUNTS", "PROTOCOL", "SPLITS", "VERSION", "differences", "protocol"]

SPLITS = ("train", "validation", "test", "codebase")
VERSION = "2.0.0"  # of prepared data; others are not read
ABOUT = "softnce.json"  # the file beside the records that describes them
PROTOCOL = "CodeSearchNet, splits and candidates of GraphCodeBERT"
# Of SPLITS, in each language of CodeSearchNet: PAPER Table 7 (Li et al., EMNLP 2023), which gives
# GraphCodeBERT's.
COUNTS = {
    "ruby": (24_927, 1_400, 1_261, 4_360),
    "javascript": (58_025, 3_885, 3_291, 13_981),
    "go": (167_288, 7_325, 8_122, 28_120),
    "python": (251_820, 13_914, 14_918, 43_827),
    "java": (164_923, 5_183, 10_955, 40_347),
    "php": (241_241, 12_982, 14_014, 52_660),
}


def differences(language: str, counts: Mapping[str, int]) -> list[str]:
    """The splits whose size is not the published one, with both numbers.

    Example:
      >>> counts = dict(zip(SPLITS, COUNTS["ruby"]))
      >>> differences("ruby", counts), differences("ruby", counts | {"codebase": 2661})
      ([], ['codebase 2,661 instead of 4,360'])
    """
    return [
        f"{split} {counts[split]:,} instead of {count:,}"
        for split, count in zip(SPLITS, COUNTS[language], strict=True)
        if counts[split] != count
    ]


def protocol(language: str, counts: Mapping[str, int], select: str) -> str:
    """The name that a result on these data must be given.

    Example:
      >>> protocol("ruby", dict(zip(SPLITS, COUNTS["ruby"])), "lists")
      'CodeSearchNet, splits and candidates of GraphCodeBERT'
    """
    if select == "rules":
        return "CodeSearchNet, cleaned by rules: not the published protocol"
    if lines := differences(language, counts):
        return f"{PROTOCOL}, but {'; '.join(lines)}: not the published protocol"
    return PROTOCOL
