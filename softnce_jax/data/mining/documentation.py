"""From a documentation comment to its first paragraph as plain text.

Each dialect takes two steps: it strips the comment's own signs from the lines, then it takes the
first paragraph of prose and removes the markup. Tags (`@param`, `:param`, `Args:`) end the prose.
"""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterable

__all__ = ["docstring", "godoc", "javadoc", "jsdoc", "phpdoc", "rdoc"]

# What stands before the text of a line in a `/** */` comment.
LEADING_STAR = re.compile(r"^\s*\*(?!\*/) ?", re.MULTILINE)
EMPHASIS = re.compile(r"(?<![\w*_`\\])(\*\*|\*|_)(?=[^\s*_])([^*_\n]*[^\s*_])\1(?![\w*_])")
CODE_SPAN = re.compile(r"(`+)(.+?)\1", re.DOTALL)
LINK = re.compile(r"!?\[([^\[\]\n]+)\]\([^()\s]*\)")
# Elements of HTML alone, so that `List<String>` stays.
HTML_ELEMENT = re.compile(
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
REMARK = re.compile(
    r"\W*(deprecated|todo|fixme|xxx|copyright|licen[sc]e|examples?|usage"
    r"|see(?! (if|whether|that)))\b",
    re.IGNORECASE,
)
ASSIGNMENT = re.compile(r"[\w.@$\[\]:]+ \W?=[ ~]")
LIST_ITEM = re.compile(r"\s*([-*+•]|\d+[.)])\s")
ONLY_SIGNS = re.compile(r"[\W_]*")


def docstring(source: str) -> str:
    r"""Plain text of a Python docstring: Sphinx, Google and NumPy style.

    Example:
      >>> docstring("'''Sums ``values`` with :func:`math.fsum`.\n\n:param values: x'''")
      'Sums values with math.fsum.'
    """
    opening = re.match(r"[A-Za-z]*('''|\"\"\"|'|\")", source)
    text = source[opening.end() :].removesuffix(opening[1]) if opening else source
    text = inspect.cleandoc(text.replace("\\\n", ""))
    ends = rf"[:@]\w[^:\n]*:|@\w+|>>>|\.\. |{SECTION}:?\s*$"
    text = _first_paragraph(text.split("\n"), ends=ends)
    text = re.sub(r":[\w:+-]+:`~?([^`<]*?)(?:\s*<[^`>]*>)?`", r"\1", text)  # :func:`name <target>`
    text = re.sub(r"`([^`<]+?)\s*<[^`>]*>`_+", r"\1", text)  # `text <https://...>`_
    return _plain_text(re.sub(r"`([^`]*)`_\b", r"\1", text))


def rdoc(comment: str) -> str:
    r"""Plain text of a Ruby comment: RDoc, YARD, TomDoc.

    Example:
      >>> rdoc("##\n# Sorts +list+ in <tt>place</tt>.\n#\n# @param list [Array]")
      'Sorts list in place.'
    """
    text = re.sub(r"(?m)^=(begin|end)\b.*$", "", comment)
    text = re.sub(r"(?m)^[ \t]*#+(?!\S*--|\+\+) ?", "", text)
    # What stands between `#--` and `#++` is hidden from RDoc.
    text = re.sub(r"(?ms)^[ \t]*#+--.*?(^[ \t]*#+\+\+|\Z)", "", text)
    text = re.sub(r"(?m)^[ \t]*:?call-seq:.*\n?([ \t]+\S.*\n?)*", "\n", text)
    # Sections of arguments and the like go whole, of other sections only their titles.
    text = re.sub(rf"(?ms)^=+ *{SECTION}\b.*?(?=^=|\Z)|^=+ .*?$", "\n", text)
    # Directives of RDoc, of tools and of YARD.
    text = re.sub(
        r"(?m)^\s*(:\w[\w-]*:|(rubocop|steep|yard|\w+_string_literal|typed):|@!|@api ).*$", "", text
    )
    text = _first_paragraph(text.split("\n"), ends=r"@\w+|[^\s:]+::(\s|$)", code=True)
    text = re.sub(r"\{([^{}\n]+)\}\[[^\]\s]*\]", r"\1", text)  # {text}[target]
    text = re.sub(r"\{([^{}\s]+)(?:\s+([^{}]+))?\}", lambda m: m[2] or m[1], text)  # {Name text}
    text = re.sub(r"\brdoc-\w+:\S+", "", text)
    text = re.sub(r"(?<![\w\\])\+([^\s+][^+\n]*?)\+", r"\1", text)
    return _plain_text(re.sub(r"\\(?=[A-Z+*_<#])", "", text))


def javadoc(comment: str) -> str:
    r"""Plain text of a Javadoc comment.

    Example:
      >>> javadoc("/**\n * Adds {@code a} &amp; {@link List#size the size}.<p>More.\n */")
      'Adds a & the size.'
    """
    return _doc_block(comment, ends=r"@\w+")


def jsdoc(comment: str) -> str:
    """Plain text of a JSDoc comment; `@description` is prose.

    Example:
      >>> jsdoc("/** @description Finds `x` in [arrays](https://a.b). */")
      'Finds x in arrays.'
    """
    return _doc_block(re.sub(r"@(description|desc|summary)\b", "", comment), ends=r"@\w+|```")


def phpdoc(comment: str) -> str:
    r"""Plain text of a PHPDoc comment.

    Example:
      >>> phpdoc("/** {@inheritdoc} */"), phpdoc("/** Opens a file.\n * @return bool */")
      ('', 'Opens a file.')
    """
    return _doc_block(comment, ends=r"@\w+|```")


def godoc(comment: str) -> str:
    r"""Plain text of a Go comment; directives such as `//go:noinline` are none.

    Example:
      >>> godoc("// Open opens a [File].\n// It may fail.\n//\n// More.\n//go:noinline")
      'Open opens a File. It may fail.'
    """
    lines = [line.strip() for line in comment.split("\n")]
    lines = [line for line in lines if not re.match(r"//(\w+:\S|export |line |\+build)", line)]
    text = "\n".join(re.sub(r"^// ?", "", line) for line in lines)
    text = re.sub(r"\A/\*|\*/\Z", "", text)
    text = _first_paragraph(text.split("\n"), ends=r"BUG\(\w+\)|TODO\b", code=True)
    return _plain_text(re.sub(r"(?<!\w)\[([*\w.]+)\](?![\w(\[])", r"\1", text))


def _doc_block(comment: str, *, ends: str) -> str:
    """Plain text of a `/** … */` comment; `ends` is a pattern of its tags."""
    text = re.sub(r"\A\s*/\*+|\*+/\s*\Z", "", comment)
    text = re.sub(
        r"(?i)<(p|br|pre|ul|ol|dl|table|h\d|blockquote)\b[^<>]*>",
        "\n\n",
        LEADING_STAR.sub("", text),
    )
    text = _first_paragraph([line.strip() for line in text.split("\n")], ends=ends)
    text = re.sub(r"(?i)\{@inheritdoc\}", "", text)
    text = re.sub(r"\{@(?:code|literal|value|index|systemProperty)\s*([^{}]*)\}", r"\1", text)
    text = re.sub(r"\[([^\[\]]+)\]\{@\w+\s[^{}]*\}", r"\1", text)
    text = re.sub(
        r"\{@\w+\s+([^\s{}|]+)(?:[\s|]+([^{}]*))?\}", lambda m: m[2] or _link_text(m[1]), text
    )
    return _plain_text(html.unescape(HTML_ELEMENT.sub("", text)))


def _link_text(link: str) -> str:
    """The text of a link without a label: `List.size` of `List#size`, `size` of `#size`."""
    return link.lstrip("#").replace("#", ".")


def _first_paragraph(lines: Iterable[str], *, ends: str, code: bool = False) -> str:
    """The first paragraph that is prose, up to the first line that ends all prose.

    Args:
      lines: of the documentation.
      ends: a pattern of how such lines begin.
      code: whether lines that are indented after prose are code.
    """
    end = re.compile(rf"\s*(?:{ends})")
    paragraph: list[str] = []
    for line in lines:
        if end.match(line):
            break
        is_blank = ONLY_SIGNS.fullmatch(line)
        follows_indented = paragraph and paragraph[-1][0].isspace()
        is_code = code and line.startswith(("  ", "\t")) and not follows_indented
        if is_blank or (paragraph and (LIST_ITEM.match(line) or is_code)):
            if _is_prose(paragraph):
                break
            paragraph = []
        if not is_blank:
            paragraph.append(line)
    return "\n".join(paragraph) if _is_prose(paragraph) else ""


def _is_prose(lines: list[str]) -> bool:
    """Whether lines are text about the function: no signature, code, remark or list."""
    if (
        not lines
        or lines[0].lstrip()[0] in "{}<>|$&@;="
        or REMARK.match(lines[0])
        or ASSIGNMENT.match(lines[0])
        or LIST_ITEM.match(lines[0])
    ):
        return False
    if len(lines) == 1 and len(lines[0].split()) == 1:  # a name
        return False
    if all(SIGNATURE.fullmatch(line.strip()) for line in lines):
        return False
    return not all(line.startswith(("  ", "\t")) for line in lines)


def _plain_text(text: str) -> str:
    """Text in one line, without Markdown and HTML."""
    text = LINK.sub(r"\1", CODE_SPAN.sub(r"\2", text))
    text = HTML_ELEMENT.sub("", text)
    return " ".join(EMPHASIS.sub(r"\2", text).split())
