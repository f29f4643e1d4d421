"""The patterns of .gitignore files, matched as git matches them.

git itself is not called, since a repository's configuration may name programs that it starts, and
libraries translate patterns to regular expressions that can take time without end. Here a pattern
is a list of segments; each segment is a regular expression without choices to come back to, and
`**` between segments takes the first match, which is never worse than a later one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Patterns", "parse_patterns"]

CLASSES = {
    name: bytes(n for n in range(256) if test(chr(n)) and n < 128)
    for name, test in {
        b"alnum": str.isalnum,
        b"alpha": str.isalpha,
        b"blank": lambda c: c in " \t",
        b"cntrl": lambda c: c < " " or c == "\x7f",
        b"digit": str.isdigit,
        b"graph": lambda c: "!" <= c <= "~",
        b"lower": str.islower,
        b"print": lambda c: " " <= c <= "~",
        b"punct": lambda c: "!" <= c <= "~" and not c.isalnum(),
        b"space": lambda c: c in " \t\n\r\v\f",
        b"upper": str.isupper,
        b"xdigit": lambda c: c in "0123456789abcdefABCDEF",
    }.items()
}
STAR = None  # among the sets of bytes of a segment


class Pattern(NamedTuple):
    """One line of a .gitignore.

    Attributes:
      excludes: False if it begins with `!`, which takes back what an earlier line excludes.
      folders: whether it is for folders alone.
      segments: a regular expression for each part of the path, None for `**`.
    """

    excludes: bool
    folders: bool
    segments: tuple[re.Pattern[bytes] | None, ...]


@dataclass
class Patterns:
    """The patterns of one .gitignore; the last one that matches a path decides.

    Attributes:
      names: patterns that are a name without wildcards and slashes, by it; with their places.
      others: the other patterns and their places, the last one first.
    """

    names: dict[bytes, list[tuple[int, Pattern]]] = field(default_factory=dict)
    others: list[tuple[int, Pattern]] = field(default_factory=list)

    def excludes(self, path: bytes, *, is_folder: bool) -> bool | None:
        """Whether a path below the .gitignore's folder is ignored, None if no pattern matches."""
        parts = path.split(b"/")
        named = next(
            (
                (place, pattern)
                for place, pattern in reversed(self.names.get(parts[-1], ()))
                if is_folder or not pattern.folders
            ),
            (-1, None),
        )
        for place, pattern in self.others:
            if place < named[0]:
                break
            if (is_folder or not pattern.folders) and _matches(pattern.segments, parts):
                return pattern.excludes
        return named[1].excludes if named[1] else None


def parse_patterns(text: bytes) -> Patterns:
    r"""The patterns of a .gitignore; lines that can match nothing are left out.

    Example:
      >>> patterns = parse_patterns(b"*.log\n!keep.log\n/build/\na/**/z")
      >>> patterns.excludes(b"x/a.log", is_folder=False), patterns.excludes(b"x", is_folder=False)
      (True, None)
      >>> patterns.excludes(b"keep.log", is_folder=False)
      False
      >>> patterns.excludes(b"build", is_folder=True), patterns.excludes(b"a/b/c/z", is_folder=True)
      (True, True)
    """
    patterns = Patterns()
    for place, line in enumerate(text.removeprefix(b"\xef\xbb\xbf").split(b"\n")):
        line = _without_trailing_spaces(line.removesuffix(b"\r").split(b"\0")[0])
        excludes = not line.startswith(b"!")
        if not line.startswith(b"#") and (parsed := _parse(line if excludes else line[1:])):
            name, folders, segments = parsed
            entry = place, Pattern(excludes, folders, segments)
            if name is None:
                patterns.others.append(entry)
            else:
                patterns.names.setdefault(name, []).append(entry)
    patterns.others.reverse()
    return patterns


def _without_trailing_spaces(line: bytes) -> bytes:
    r"""A line without the spaces at its end, but for one after a backslash.

    Example:
      >>> _without_trailing_spaces(b"a  "), _without_trailing_spaces(rb"a\  ")
      (b'a', b'a\\ ')
    """
    text = line.rstrip(b" ")
    backslashes = len(text) - len(text.rstrip(b"\\"))
    return line[: len(text) + 1] if backslashes % 2 and text != line else text


def _parse(line: bytes) -> tuple[bytes | None, bool, tuple] | None:
    """Its plain name if it is one, whether it is for folders alone, and its segments."""
    folders = line.endswith(b"/")
    line = line[:-1] if folders else line
    if not line:
        return None
    if b"/" not in line:
        segment = _parse_segment(line)
        if segment is None:
            return None
        is_plain = all(part is not STAR and len(part) == 1 for part in segment)
        name = b"".join(segment) if is_plain else None
        return name, folders, () if is_plain else (None, _compile(segment))
    segments = []
    for part in _split(line.removeprefix(b"/").replace(b"\\/", b"/")):
        if len(part) > 1 and not part.strip(b"*"):
            if not segments or segments[-1] is not None:
                segments.append(None)
        elif (segment := _parse_segment(part)) is None or not segment:
            return None
        else:
            segments.append(_compile(segment))
    return None, folders, tuple(segments)


def _split(line: bytes) -> list[bytes]:
    """The parts between slashes, but for those in brackets, which match no slash of a path."""
    parts, start, at = [], 0, 0
    while at < len(line):
        if line[at : at + 1] == b"\\":
            at += 1
        elif line[at : at + 1] == b"[":
            at = (_bracket(line, at) or (b"", at))[1]
        elif line[at : at + 1] == b"/":
            parts.append(line[start:at])
            start = at + 1
        at += 1
    return [*parts, line[start:]]


def _parse_segment(text: bytes) -> list[bytes | None] | None:
    """The bytes that each place of a segment may hold, or STAR; None if it can match nothing."""
    places: list[bytes | None] = []
    at = 0
    while at < len(text):
        sign = text[at : at + 1]
        if sign == b"*":
            if not places or places[-1] is not STAR:
                places.append(STAR)
        elif sign == b"?":
            places.append(bytes(n for n in range(256) if n != ord("/")))
        elif sign == b"[":
            if (bracket := _bracket(text, at)) is None:
                return None
            places.append(bracket[0])
            at = bracket[1]
        elif sign == b"\\":
            at += 1
            if at == len(text):
                return None
            places.append(text[at : at + 1])
        else:
            places.append(sign)
        at += 1
    return places


def _bracket(text: bytes, start: int) -> tuple[bytes, int] | None:
    """The bytes of `[...]` without the slash, and where its `]` stands; None if it has no end."""
    at = start + 1
    negated = text[at : at + 1] in (b"!", b"^") and at < len(text)
    at += negated
    first, members = at, set()
    while at < len(text) and (text[at] != ord("]") or at == first):
        if text.startswith(b"[:", at):
            end = text.find(b"]", at + 2)
            if end < 0:
                return None
            if end - 1 >= at + 2 and text[end - 1] == ord(":"):
                name = text[at + 2 : end - 1]
                if name not in CLASSES:
                    return None
                members.update(CLASSES[name])
                at = end + 1
                continue
        at += text[at] == ord("\\")
        if at >= len(text):
            return None
        low = high = text[at]
        if text[at + 1 : at + 2] == b"-" and text[at + 2 : at + 3] not in (b"]", b""):
            at += 2
            at += text[at] == ord("\\")
            if at >= len(text):
                return None
            high = text[at]
        members.update(range(low, high + 1))
        at += 1
    if at >= len(text):
        return None
    allowed = set(range(256)) - members if negated else members
    return bytes(sorted(allowed - {ord("/")})), at


def _compile(places: list[bytes | None]) -> re.Pattern[bytes]:
    """A regular expression in which each star takes the first match of what follows it."""
    runs: list[bytes] = [b""]
    for place in places:
        if place is STAR:
            runs.append(b"")
        elif not place:
            runs[-1] += b"(?!)"
        elif len(place) == 1:
            runs[-1] += re.escape(place)
        else:
            runs[-1] += b"[" + b"".join(b"\\x%02x" % byte for byte in place) + b"]"
    first, *rest = runs
    if not rest:
        return re.compile(first)
    *inner, last = rest
    middle = b"".join(b"(?>.*?%s)" % run for run in inner)
    return re.compile(b"%s%s.*%s" % (first, middle, last), re.DOTALL)


def _matches(segments: tuple[re.Pattern[bytes] | None, ...], parts: list[bytes]) -> bool:
    """Whether segments match the parts of a path, all of them."""
    segment = part = 0
    after, resume = -1, 0  # the segment after the last `**`, and the part it is tried at
    while part < len(parts):
        pattern = segments[segment] if segment < len(segments) else b""
        if pattern is None:
            if segment + 1 == len(segments):  # at the end it matches whatever is inside
                return True
            segment, after, resume = segment + 1, segment + 1, part
        elif pattern and pattern.fullmatch(parts[part]):
            segment, part = segment + 1, part + 1
        elif after >= 0:
            resume += 1
            segment, part = after, resume
        else:
            return False
    return segment == len(segments)
