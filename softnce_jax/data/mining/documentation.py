"""From a documentation comment to its first paragraph as plain text.

Each dialect takes three steps: it strips the comment's own signs from the lines, turns inline
markup into its words, then takes the first paragraph of prose. Tags (`@param`, `:param`, `Args:`)
end the prose.
"""

from __future__ import annotations

import ast
import inspect
import re
import warnings
from collections.abc import Iterable

from softnce_jax.data.mining.markup import (
    plain_text,
    reveal,
    without_entities,
    without_html,
    without_inline_tags,
    without_roles,
)

__all__ = ["MAX_DOCUMENTATION", "docstring", "godoc", "javadoc", "jsdoc", "phpdoc", "rdoc"]

MAX_DOCUMENTATION = 5_000  # characters that are read
# What stands before the text of a line in a `/** */` comment.
LEADING_STAR = re.compile(r"^[^\S\n]*\*(?!\*/) ?", re.MULTILINE)
PARAGRAPH_ELEMENT = re.compile(r"(?i)<(p|br|pre|ul|ol|dl|table|h\d|blockquote)\b[^<>]*>")
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
VARIABLES = re.compile(r"\$\w+(,? (and |or )?\$\w+)* [^\W\d_]")  # $path is ...; no `$a = 1;`
CALL_NAME = re.compile(r"[\w.:#!?]+")
RESULT = re.compile(r"[\])]\s*(?:->|=>)\s*\S")  # what follows the arguments
ARROW = re.compile(r"\w+(, \w+)*\s+(->|=>)\s+\S")  # list, key -> list
# A tag on its own line that says what a function is; the text around it goes on.
MODIFIERS = re.compile(
    r"\s*(?:@(?:abstract|api|async|class|constructor|export|final|function|generator|global|hidden"
    r"|ignore|inner|instance|internal|method|override|package|private|protected|public|readonly"
    r"|sealed|static|virtual)\b\s*)+"
)
DESCRIPTION = re.compile(r"^[^\S\n]*@(?:description|desc|summary)\b", re.MULTILINE)
# Lines of a Ruby comment that speak to Ruby, to editors and to tools.
RUBY_DIRECTIVE = re.compile(
    r"!.*/"  # the interpreter
    r"|-\*-.*-\*-\s*$|(vim?|ex):\s*(set?\s|\w+[=:])"
    r"|(frozen[-_]string[-_]literal|warn[-_](indent|past[-_]scope)|shareable[-_]constant[-_]value"
    r"|(file)?(en)?coding)\s*[:=]\s*[\w.-]+\s*$"
    r"|:\w[\w-]*:|(rubocop|steep|standard|reek|yard|typed|\w+_string_literal):|@!|@api |@rbs\b|: "
    r"|(brakeman|kate|simplecov|sublime):",
    re.IGNORECASE,
)
# Lines of a Go comment for the compiler, for linters and for generators.
GO_DIRECTIVE = re.compile(
    r"//(\w+:\S|export |line )|//\s?(\+build\b|nolint\b(?! \w)|#nosec\b|@[A-Z]\w+\b)"
)
CALL_SEQUENCE = re.compile(r"\s*:?call-seq:")


def docstring(source: str) -> str:
    r"""Plain text of a Python docstring, given as source: Sphinx, Google and NumPy style.

    Example:
      >>> docstring("'''Sums ``values`` with :func:`math.fsum`.\n\n:param values: x'''")
      'Sums values with math.fsum.'
      >>> docstring(r"('Caf\u00e9s of ' 'a town.')"), docstring("b'Bytes of it.'")
      ('Cafés of a town.', '')
    """
    text = without_roles(inspect.cleandoc(_evaluated(source)[:MAX_DOCUMENTATION]))
    ends = rf"[:@]\w[^:\n]*:|@\w+|>>>|\.\. |{SECTION}:?\s*$"
    return plain_text(_first_paragraph(text.split("\n"), ends=ends))


def _evaluated(source: str) -> str:
    """The text of a literal, or of several side by side; empty if it is no text."""
    with warnings.catch_warnings(action="ignore"):  # of escapes that are none
        try:
            text = ast.literal_eval(f"({source}\n)")
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return ""
    # Surrogates can be written as escapes, but not as UTF-8.
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else ""


def rdoc(comment: str) -> str:
    r"""Plain text of a Ruby comment: RDoc, YARD, TomDoc.

    Example:
      >>> rdoc("##\n# Sorts +list+ in <tt>place</tt>.\n#\n# @param list [Array]")
      'Sorts list in place.'
      >>> rdoc("# encoding: utf-8\n# Sorts the list.")
      'Sorts the list.'
    """
    text = "\n".join(_ruby_lines(comment.split("\n")))
    # Sections of arguments and the like go whole, of other sections only their titles.
    text = re.sub(rf"(?ms)^=+ *{SECTION}\b.*?(?=^=|\Z)|^=+ [^\n]*", "\n", text)
    text = re.sub(r"\{([^{}\n]+)\}\[[^\[\]{}\s]*\]", r"\1", text)  # {text}[target]
    text = re.sub(r"\{([^{}]*)\}", _ruby_link, text)
    text = re.sub(r"\brdoc-\w+:\S+", "", without_html(text))
    text = re.sub(r"(?<![\w\\])\+([^\s+][^+\n]*?)\+", r"\1", text)
    text = _first_paragraph(text.split("\n"), ends=r"@\w+|[^\s:]+::(\s|$)", code=True)
    return plain_text(re.sub(r"\\(?=[A-Z+*_<#])", "", text))


def _ruby_lines(lines: Iterable[str]) -> Iterable[str]:
    """The lines of a Ruby comment without its signs and directives.

    What RDoc does not show goes too: from `#--` to `#++`, and signatures below `:call-seq:`.
    """
    is_hidden, is_signature = False, False
    for line in lines:
        text = line.lstrip().lstrip("#")
        if text == line.lstrip():  # between =begin and =end
            text = "" if re.match(r"=(begin|end)\b", line) else line
        elif text.startswith(("--", "++")):
            is_hidden = text.startswith("--")
            continue
        text = text.removeprefix(" ")
        is_call = CALL_SEQUENCE.match(text)
        is_signature = bool(is_call or (is_signature and re.match(r"[ \t]+\S", text)))
        if not is_call and RUBY_DIRECTIVE.match(text.lstrip()):
            yield ""
        elif not is_hidden:
            yield "" if is_signature else text


def _ruby_link(link: re.Match[str]) -> str:
    """The text of YARD's {Name text}, else its name; what else is in braces stays."""
    name, _, text = link[1].strip().partition(" ")
    if not name or name != link[1].split()[0] or link[1][0].isspace():
        return link[0]
    return text.strip() or name


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
    ends = r"@\w+|```"
    described = DESCRIPTION.search(text := _block_text(comment))
    before = _prose(text[: described.start()] if described else text, ends)
    return before or (_prose(text[described.end() :], ends) if described else "")


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
    lines = [line for line in lines if not GO_DIRECTIVE.match(line)]
    text = "\n".join(re.sub(r"^// ?", "", line) for line in lines)
    text = text.removeprefix("/*").removesuffix("*/")
    text = _first_paragraph(text.split("\n"), ends=r"BUG\(\w+\)|TODO\b", code=True)
    return plain_text(re.sub(r"(?<!\w)\[([*\w.]+)\](?![\w(\[])", r"\1", text))


def _doc_block(comment: str, *, ends: str) -> str:
    """Plain text of a `/** … */` comment; `ends` is a pattern of its tags."""
    return _prose(_block_text(comment), ends)


def _block_text(comment: str) -> str:
    """The text of a `/** … */` comment without its stars."""
    text = comment.strip().removesuffix("/").rstrip("*")
    text = text.removeprefix("/").lstrip("*") if text.startswith("/") else text
    return LEADING_STAR.sub("", text)


def _prose(text: str, ends: str) -> str:
    text = PARAGRAPH_ELEMENT.sub("\n\n", without_inline_tags(text))
    text = without_entities(without_html(text))
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if not MODIFIERS.fullmatch(line)]
    return plain_text(_first_paragraph(lines, ends=ends))


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
        is_blank = ONLY_SIGNS.fullmatch(line) and reveal(line) == line  # no signs meant literally
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
        or lines[0].lstrip()[0] in "{}<>|&@;="
        or (lines[0].lstrip()[0] == "$" and not VARIABLES.match(lines[0].lstrip()))
        or REMARK.match(lines[0])
        or ASSIGNMENT.match(lines[0])
        or LIST_ITEM.match(lines[0])
    ):
        return False
    if len(lines) == 1 and len(lines[0].split()) == 1:  # a name
        return False
    if all(_is_signature(line.strip()) for line in lines):
        return False
    return not all(line.startswith(("  ", "\t")) for line in lines)


def _is_signature(line: str) -> bool:
    """Whether a line is how a function is called, and perhaps what comes of it.

    Example:
      >>> lines = ["sort(list) { |item| ... }", "a[i] -> x", "list, key -> list", "Sorts (a) it."]
      >>> [_is_signature(line) for line in lines]
      [True, True, True, False]
    """
    if ARROW.match(line):
        return True
    name = CALL_NAME.match(line)
    rest = line[name.end() :] if name else ""
    if not rest.startswith(("(", "[", "{", " {")):
        return False
    return _is_closed(rest) or (rest[0] in "([" and RESULT.search(rest) is not None)


def _is_closed(rest: str) -> bool:
    """Whether a text is one group in brackets after the other: `(a) { |x| ... }`."""
    pairs, opened = {")": "(", "}": "{"}, []
    for at, sign in enumerate(rest):
        if sign in "({":
            opened.append(sign)
        elif sign in ")}":
            if not opened or opened.pop() != pairs[sign]:
                return False
        elif not opened and not (sign == " " and rest[at + 1 : at + 2] == "{"):
            return False
    return not opened
