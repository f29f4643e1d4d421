"""From a documentation comment to its first paragraph in plain words.

Each dialect is two steps: the marks of the comment leave its lines, then the first paragraph of
prose is taken and its markup removed. Tags (`@param`, `:param`, `Args:`) end the prose.
"""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterable

# What stands before the text of a line in a block comment; `*` alone may also open a list.
BLOCK = re.compile(r"^\s*\*(?!\*/) ?", re.MULTILINE)
EMPHASIS = re.compile(r"(?<![\w*_`\\])(\*\*|\*|_)(?=[^\s*_])([^*_\n]*[^\s*_])\1(?![\w*_])")
CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
LINK = re.compile(r"!?\[([^\[\]\n]+)\]\([^()\s]*\)")
# Only what is HTML: `List<String>` stays.
ELEMENT = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|br|center|cite|code|dd|dfn|div|dl|dt|em|font|h\d|hr|i|img|kbd|li|ol"
    r"|p|pre|q|s|samp|small|span|strike|strong|sub|sup|table|td|th|tr|tt|u|ul|var)(?:\s[^<>]*)?/?>"
    r"|<!--.*?-->",
    re.DOTALL | re.IGNORECASE,
)
SIGNATURE = re.compile(
    r"[\w.:#!?]+(\(.*\)| ?\{.*\})+"  # sort(list) { |item| ... }
    r"|[\w.:#!?]+[\[(].*[\])]\s*(->|=>)\s*\S.*"  # sort(list) -> list
    r"|\w+(, \w+)*\s+(->|=>)\s+\S.*"  # list, key -> list
)
SECTION = (
    r"(?:Arg(?:ument)?s?|Param(?:eter)?s?|Returns?|Yields?|Raises|Examples?|Notes?|Usage|Synopsis"
    r"|See Also)"
)
ASIDE = re.compile(
    r"\W*(deprecated|todo|fixme|xxx|copyright|licen[sc]e|examples?|usage"
    r"|see(?! (if|whether|that)))\b",
    re.IGNORECASE,
)
ASSIGNMENT = re.compile(r"[\w.@$\[\]:]+ \W?=[ ~]")
ITEM = re.compile(r"\s*([-*+•]|\d+[.)])\s")
RULE = re.compile(r"[\W_]*")  # a line of signs


def docstring(source: str) -> str:
    r"""Plain words of a Python docstring: Sphinx, Google and NumPy style.

    Example:
      >>> docstring("'''Sums ``values`` with :func:`math.fsum`.\n\n:param values: x'''")
      'Sums values with math.fsum.'
    """
    opening = re.match(r"[A-Za-z]*('''|\"\"\"|'|\")", source)
    text = source[opening.end() :].removesuffix(opening[1]) if opening else source
    text = inspect.cleandoc(text.replace("\\\n", ""))
    ends = rf"[:@]\w[^:\n]*:|@\w+|>>>|\.\. |{SECTION}:?\s*$"
    text = paragraph(text.split("\n"), ends=ends)
    text = re.sub(r":[\w:+-]+:`~?([^`<]*?)(?:\s*<[^`>]*>)?`", r"\1", text)
    text = re.sub(r"`([^`<]+?)\s*<[^`>]*>`_+", r"\1", text)
    return words(re.sub(r"`([^`]*)`_\b", r"\1", text))


def rdoc(comment: str) -> str:
    r"""Plain words of a Ruby comment: RDoc, YARD, TomDoc.

    Example:
      >>> rdoc("##\n# Sorts +list+ in <tt>place</tt>.\n#\n# @param list [Array]")
      'Sorts list in place.'
    """
    text = re.sub(r"(?m)^=(begin|end)\b.*$", "", comment)
    text = re.sub(r"(?m)^[ \t]*#+(?!\S*--|\+\+) ?", "", text)
    text = re.sub(r"(?ms)^[ \t]*#+--.*?(^[ \t]*#+\+\+|\Z)", "", text)  # RDoc's own comments
    text = re.sub(r"(?m)^[ \t]*:?call-seq:.*\n?([ \t]+\S.*\n?)*", "\n", text)
    text = re.sub(rf"(?ms)^=+ *{SECTION}\b.*?(?=^=|\Z)|^=+ .*?$", "\n", text)
    text = re.sub(
        r"(?m)^\s*(:\w[\w-]*:|(rubocop|steep|yard|\w+_string_literal|typed):|@!|@api ).*$", "", text
    )
    text = paragraph(text.split("\n"), ends=r"@\w+|[^\s:]+::(\s|$)", code=True)
    text = re.sub(r"\{([^{}\n]+)\}\[[^\]\s]*\]", r"\1", text)
    text = re.sub(r"\{([^{}\s]+)(?:\s+([^{}]+))?\}", lambda m: m[2] or m[1], text)
    text = re.sub(r"\brdoc-\w+:\S+", "", text)
    text = re.sub(r"(?<![\w\\])\+([^\s+][^+\n]*?)\+", r"\1", text)
    return words(re.sub(r"\\(?=[A-Z+*_<#])", "", text))


def javadoc(comment: str) -> str:
    r"""Plain words of a Javadoc comment.

    Example:
      >>> javadoc("/**\n * Adds {@code a} &amp; {@link List#size the size}.<p>More.\n */")
      'Adds a & the size.'
    """
    return block(comment, ends=r"@\w+")


def jsdoc(comment: str) -> str:
    """Plain words of a JSDoc comment; `@description` is prose.

    Example:
      >>> jsdoc("/** @description Finds `x` in [arrays](https://a.b). */")
      'Finds x in arrays.'
    """
    return block(re.sub(r"@(description|desc|summary)\b", "", comment), ends=r"@\w+|```")


def phpdoc(comment: str) -> str:
    r"""Plain words of a PHPDoc comment.

    Example:
      >>> phpdoc("/** {@inheritdoc} */"), phpdoc("/** Opens a file.\n * @return bool */")
      ('', 'Opens a file.')
    """
    return block(comment, ends=r"@\w+|```")


def godoc(comment: str) -> str:
    r"""Plain words of a Go comment; directives such as `//go:noinline` are none.

    Example:
      >>> godoc("// Open opens a [File].\n// It may fail.\n//\n// More.\n//go:noinline")
      'Open opens a File. It may fail.'
    """
    lines = [line.strip() for line in comment.split("\n")]
    lines = [line for line in lines if not re.match(r"//(\w+:\S|export |line |\+build)", line)]
    text = "\n".join(re.sub(r"^// ?", "", line) for line in lines)
    text = re.sub(r"\A/\*|\*/\Z", "", text)
    text = paragraph(text.split("\n"), ends=r"BUG\(\w+\)|TODO\b", code=True)
    return words(re.sub(r"(?<!\w)\[([*\w.]+)\](?![\w(\[])", r"\1", text))


def block(comment: str, *, ends: str) -> str:
    """Plain words of a `/** … */` comment with tags and HTML."""
    text = re.sub(r"\A\s*/\*+|\*+/\s*\Z", "", comment)
    text = re.sub(
        r"(?i)<(p|br|pre|ul|ol|dl|table|h\d|blockquote)\b[^<>]*>", "\n\n", BLOCK.sub("", text)
    )
    text = paragraph([line.strip() for line in text.split("\n")], ends=ends)
    text = re.sub(r"(?i)\{@inheritdoc\}", "", text)
    text = re.sub(r"\{@(?:code|literal|value|index|systemProperty)\s*([^{}]*)\}", r"\1", text)
    text = re.sub(r"\[([^\[\]]+)\]\{@\w+\s[^{}]*\}", r"\1", text)
    text = re.sub(
        r"\{@\w+\s+([^\s{}|]+)(?:[\s|]+([^{}]*))?\}", lambda m: m[2] or target(m[1]), text
    )
    return words(html.unescape(ELEMENT.sub("", text)))


def target(link: str) -> str:
    """What a link without a label shows: `List#size` is `List.size`, `#size` is `size`."""
    return link.lstrip("#").replace("#", ".")


def paragraph(lines: Iterable[str], *, ends: str, code: bool = False) -> str:
    """The first paragraph that is prose, before the first line that ends the prose.

    Args:
      lines: of the documentation.
      ends: a pattern of the start of tags.
      code: whether lines that are set in after prose are code.
    """
    end = re.compile(rf"\s*(?:{ends})")
    kept: list[str] = []
    for line in lines:
        if end.match(line):
            break
        inset = line.startswith(("  ", "\t")) and not (kept and kept[-1][0].isspace())
        if RULE.fullmatch(line) or (kept and (ITEM.match(line) or (code and inset))):
            if is_prose(kept):
                break
            kept = []
        if not RULE.fullmatch(line):
            kept.append(line)
    return "\n".join(kept) if is_prose(kept) else ""


def is_prose(lines: list[str]) -> bool:
    """Whether lines are text about the function: no name, signature, code, aside or list."""
    if (
        not lines
        or lines[0].lstrip()[0] in "{}<>|$&@;="
        or ASIDE.match(lines[0])
        or ASSIGNMENT.match(lines[0])
        or ITEM.match(lines[0])
    ):
        return False
    if len(lines) == 1 and len(lines[0].split()) == 1:
        return False
    if all(SIGNATURE.fullmatch(line.strip()) for line in lines):
        return False
    return not all(line.startswith(("  ", "\t")) for line in lines)


def words(text: str) -> str:
    """Text in one line, without the marks of Markdown, HTML and emphasis."""
    text = LINK.sub(r"\1", CODE.sub(r"\2", text))
    text = ELEMENT.sub("", text)
    return " ".join(EMPHASIS.sub(r"\2", text).split())
