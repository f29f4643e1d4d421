"""Inline markup of documentation as plain words: tags in braces, HTML, roles, Markdown.

Every pattern here takes linear time on any text: none can match one stretch in two ways, and none
looks further than to the next sign that could begin a match.
"""

from __future__ import annotations

import html
import re

__all__ = [
    "plain_text",
    "reveal",
    "without_entities",
    "without_html",
    "without_inline_tags",
    "without_roles",
]

EMPHASIS = re.compile(r"(?<![\w*_`\\])(\*\*|\*|_)(?=[^\s*_])([^*_\n]*[^\s*_])\1(?![\w*_])")
BACKTICKS = re.compile(r"`+")
LINK = re.compile(r"!?\[([^\[\]\n]+)\]\([^()\s]*\)")
BRACES = re.compile(r"\{@\w+|[{}]")
LINK_LABEL = re.compile(r"\[([^\[\]]+)\]\Z")
LITERAL_TAGS = {"code", "literal", "systemproperty"}  # inside them nothing is markup
NO_TEXT_TAGS = {"inheritdoc", "docroot", "snippet"}
INDEXED = re.compile(r'"[^"]*"|\S*')  # {@index "a phrase" description}
# Elements of HTML alone, so that `List<String>` stays.
HTML_ELEMENT = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|br|center|cite|code|dd|dfn|div|dl|dt|em|font|h\d|hr|i|img|kbd|li|ol"
    r"|p|pre|q|s|samp|small|span|strike|strong|sub|sup|table|td|th|tr|tt|u|ul|var)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
ENTITY = re.compile(r"&#?\w{1,31};")
ROLE = re.compile(r"(?::[A-Za-z][\w+.-]{0,40}){1,3}:`([^`]*)`")
REFERENCE = re.compile(r"`([^`<]+)<[^`<>]*>`_{1,2}|`([^`]*)`_{1,2}\b")
# Signs that literal text keeps: they stand for themselves in private characters until the end.
SIGNS = "<>&*_`[]{}\\$@|;="
HIDE = {ord(sign): 0xE000 + n for n, sign in enumerate(SIGNS)}
REVEAL = {0xE000 + n: sign for n, sign in enumerate(SIGNS)}


def hide(text: str) -> str:
    """Literal text, its signs in private characters, which no pattern takes for markup."""
    return text.translate(HIDE)


def reveal(text: str) -> str:
    """The signs of literal text again as themselves."""
    return text.translate(REVEAL)


def without_inline_tags(text: str) -> str:
    """Text with the words of Javadoc's and JSDoc's inline tags, `{@link List#size}`, nested or not.

    Braces in a tag's content belong to it as long as they are balanced. A tag that never ends is
    text.
    """
    opened: list[tuple[str, list[str]]] = [("", [])]  # a tag or brace, and the pieces after it
    at = literal = 0  # whether a literal tag is open
    for match in BRACES.finditer(text):
        opened[-1][1].append(text[at : match.start()])
        at = match.end()
        sign = match[0]
        if sign != "}":
            if literal:
                at, sign = match.start() + 1, "{"
            literal += sign[2:].lower() in LITERAL_TAGS
            opened.append((sign, []))
        elif len(opened) == 1:
            opened[-1][1].append(sign)
        else:
            opening, pieces = opened.pop()
            content, before = "".join(pieces), opened[-1][1]
            is_tag = opening != "{"
            literal -= opening[2:].lower() in LITERAL_TAGS
            before.append(_tag_text(opening[2:], content, before) if is_tag else f"{{{content}}}")
    opened[-1][1].append(text[at:])
    return "".join(opening + "".join(pieces) for opening, pieces in opened)


def _tag_text(tag: str, content: str, before: list[str]) -> str:
    """The words of one inline tag; a label in brackets leaves what stands `before` it."""
    content, tag = content.strip(), tag.lower()
    if tag in NO_TEXT_TAGS:
        return ""
    if tag in LITERAL_TAGS:
        return hide(content)
    if tag == "return":
        return f"Returns {content}."
    if tag == "summary":
        return content
    if tag == "index":
        return INDEXED.match(content)[0].strip('"')
    if before and (label := LINK_LABEL.search(before[-1])):  # [label]{@link target}
        before[-1] = before[-1][: label.start()]
        return label[1]
    target, label = _target_and_label(content)
    return label or hide(target.lstrip("#").replace("#", "."))


def _target_and_label(content: str) -> tuple[str, str]:
    """A link's parts; brackets in the target, `A#m(X, Y)` or `Map<K, V>`, may hold spaces."""
    depth = 0
    for at, sign in enumerate(content):
        if sign in "(<[":
            depth += 1
        elif sign in ")>]":
            depth -= 1
        elif depth <= 0 and (sign.isspace() or sign == "|"):
            return content[:at], content[at + 1 :].strip(" |\t\n")
    return content, ""


def without_html(text: str) -> str:
    """Text without HTML's elements and comments."""
    start, pieces = 0, []
    while (opening := text.find("<!--", start)) >= 0:
        closing = text.find("-->", opening)
        if closing < 0:
            break
        pieces.append(text[start:opening])
        start = closing + len("-->")
    return HTML_ELEMENT.sub("", "".join([*pieces, text[start:]]))


def without_entities(text: str) -> str:
    """Text with the characters that HTML's entities name, which are no markup."""
    return ENTITY.sub(lambda entity: hide(html.unescape(entity[0])), text)


def without_roles(text: str) -> str:
    """Text with the words of Sphinx's roles and references: `:func:` and the backticks go."""
    text = ROLE.sub(lambda role: _role_text(role[1]), text)
    return REFERENCE.sub(lambda match: (match[1] or match[2]).strip(), text)


def _role_text(content: str) -> str:
    """The title of `title <target>`, else the target without the sign that shortens it."""
    title, opening, target = content.partition("<")
    if opening and target.rstrip().endswith(">") and title.strip():
        return title.strip().lstrip("~!")
    return content.lstrip("~!")


def plain_text(text: str) -> str:
    """Text in one line, without Markdown and HTML, its literal signs revealed."""
    text = without_html(LINK.sub(r"\1", _without_code_spans(text)))
    return reveal(" ".join(EMPHASIS.sub(r"\2", text).split()))


def _without_code_spans(text: str) -> str:
    """Text without the backticks around code: a run of them ends at the next run as long."""
    runs = list(BACKTICKS.finditer(text))
    last = {run.end() - run.start(): at for at, run in enumerate(runs)}  # of each length
    pieces, position, at = [], 0, 0
    while at < len(runs):
        length = runs[at].end() - runs[at].start()
        if last[length] > at:
            closing = next(
                n for n in range(at + 1, len(runs)) if runs[n].end() - runs[n].start() == length
            )
            pieces.append(text[position : runs[at].start()])
            pieces.append(text[runs[at].end() : runs[closing].start()])
            position, at = runs[closing].end(), closing
        at += 1
    return "".join([*pieces, text[position:]])
