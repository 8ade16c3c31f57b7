"""Markdown from a model, made harmless: a node tree, and its HTML and Markdown forms.

There is one gate: `markdown_nodes` lets through an allow-list of tags and of link
schemes and nothing else. HTML and Markdown are written from its nodes alone, with
every character of the model's escaped, and the page builds its elements from the
same nodes. Imports markdown-it-py on first use and nothing of the package.
"""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Sequence
from typing import Any, Union
from urllib.parse import urlsplit

__all__ = [
    "Node",
    "code_block_source",
    "is_json",
    "markdown_html",
    "markdown_nodes",
    "markdown_parser",
    "markdown_source",
]

Node = Union[str, list[Any]]
"""Text, or ``[tag, attributes, children]``; plain JSON, as it goes to the page."""

LINK_SCHEMES = ("http", "https", "mailto")

_OPEN_TAGS = {
    "paragraph_open": "p",
    "bullet_list_open": "ul",
    "ordered_list_open": "ol",
    "list_item_open": "li",
    "blockquote_open": "blockquote",
    "table_open": "table",
    "thead_open": "thead",
    "tbody_open": "tbody",
    "tr_open": "tr",
    "th_open": "th",
    "td_open": "td",
    "strong_open": "strong",
    "em_open": "em",
    "s_open": "del",
}
_VOID = ("br", "hr")
_BLOCKS = {"p", "ul", "ol", "blockquote", "table", "pre", "hr", "h3", "h4", "h5", "h6"}


@functools.cache
def markdown_parser() -> Any:
    """What reads Markdown: with tables, and tags as the text that they are."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def is_json(text: str) -> bool:
    """Whether the text is a JSON object or list, as the answer of a type is: no Markdown."""
    text = text.strip()
    if not (text.startswith(("{", "[")) and text.endswith(("}", "]"))):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


@functools.lru_cache(maxsize=8)  # the same answer goes to the page and into three formats
def markdown_nodes(text: str) -> list[Node]:
    """The text's node tree: allowed tags and links only, images as links.

    Headings begin at h3, so that an answer does not outrank the notebook's own. JSON is
    code, whose stars and brackets mean nothing. The tree is shared by all who ask for the
    same text: read it only.
    """
    if is_json(text):
        return [["pre", {}, [["code", {}, [text.strip()]]]]]
    root: list[Node] = []
    _build(markdown_parser().parse(text), [root])
    return root


def _build(tokens: Sequence[Any], stack: list[list[Node]]) -> None:
    """Append the tokens' nodes to the list on top of the stack."""
    for token in tokens:
        if token.type == "inline":
            _build(token.children or [], stack)
        elif token.nesting == 1:
            stack.append(_open(token, stack[-1]))
        elif token.nesting == -1:
            stack.pop()
        else:
            _leaf(token, stack[-1])


def _open(token: Any, into: list[Node]) -> list[Node]:
    """Begin an element; the list that its children go to."""
    attributes: dict[str, Any] = {}
    if token.type == "heading_open":
        tag = f"h{min(int(token.tag[1:]) + 2, 6)}"
    elif token.type == "link_open":
        tag, attributes = "a", _link(token.attrs.get("href"))
        if not attributes:
            return into  # the words stay, the address is none that may be followed
    else:
        tag = _OPEN_TAGS.get(token.type, "")
    if not tag or token.hidden:
        return into
    if tag == "ol" and isinstance(token.attrs.get("start"), int):
        attributes = {"start": token.attrs["start"]}
    if tag in ("th", "td"):
        align = str(token.attrs.get("style", "")).removeprefix("text-align:")
        attributes = {"align": align} if align in ("left", "right", "center") else {}
    children: list[Node] = []
    into.append([tag, attributes, children])
    return children


def _leaf(token: Any, into: list[Node]) -> None:
    """Append what has no children of its own."""
    if token.type == "code_inline":
        into.append(["code", {}, [token.content]])
    elif token.type in ("fence", "code_block"):
        into.append(["pre", {}, [["code", {}, [token.content.rstrip("\n")]]]])
    elif token.type == "softbreak":
        into.append("\n")
    elif token.type == "hardbreak":
        into.append(["br", {}, []])
    elif token.type == "hr":
        into.append(["hr", {}, []])
    elif token.type == "image":
        into.extend(_image(token))
    elif token.content:
        into.append(token.content)


def _image(token: Any) -> list[Node]:
    """An image as its words and a link: fetching it would tell its host who reads."""
    words = token.content or "image"
    link = _link(token.attrs.get("src"))
    if not link:
        return [f"[{words}]"]
    return [f"[{words}: ", ["a", link, [link["href"]]], "]"]


def _link(address: Any) -> dict[str, Any]:
    """The attributes of a link that may be followed, empty for any other."""
    try:
        scheme = urlsplit(str(address or "")).scheme.lower()
    except ValueError:
        return {}
    return {"href": str(address)} if scheme in LINK_SCHEMES else {}


_CELL = "padding: 3px 10px; border: 0; border-bottom: 1px solid rgba(128, 128, 128, 0.35)"
_STYLES = {
    "p": "margin: 0 0 8px",
    "ul": "margin: 0 0 8px; padding-left: 22px",
    "ol": "margin: 0 0 8px; padding-left: 22px",
    "pre": "margin: 0 0 8px; padding: 6px 8px; overflow: auto; line-height: 1.4; "
    "background: none; border: 1px solid rgba(128, 128, 128, 0.35); border-radius: 3px",
    "table": "margin: 0 0 8px; border-collapse: collapse",
    "h3": "margin: 12px 0 4px; font-size: 16px; font-weight: 600",
    **dict.fromkeys(("h4", "h5", "h6"), "margin: 12px 0 4px; font-size: 14px; font-weight: 600"),
}


def markdown_html(nodes: Sequence[Node]) -> str:
    """HTML of a node tree, every text and attribute escaped, with inline style."""
    return "".join(_html(node) for node in nodes)


def _html(node: Node) -> str:
    if isinstance(node, str):
        return html.escape(node)
    tag, attributes, children = node
    if tag == "a":
        attributes = {**attributes, "target": "_blank", "rel": "noopener noreferrer"}
    elif tag in ("th", "td"):
        attributes = {"style": f"{_CELL}; text-align: {attributes.get('align', 'left')}"}
    elif tag in _STYLES:
        attributes = {**attributes, "style": _STYLES[tag]}
    written = "".join(f' {key}="{html.escape(str(value))}"' for key, value in attributes.items())
    if tag in _VOID:
        return f"<{tag}{written}>"
    return f"<{tag}{written}>{markdown_html(children)}</{tag}>"


def markdown_source(nodes: Sequence[Node]) -> str:
    """Markdown of a node tree that no renderer can take for HTML.

    No ``<`` of the text is left as it is, so that nothing can become a tag, however
    the renderer reads code, lists and quotes; the tags in it are our own.
    """
    return "\n".join(_block_lines(nodes))


def code_block_source(text: str) -> str:
    """A code block that ends where it should, whatever the text holds."""
    if "<" in text:
        return f"<pre><code>{html.escape(text)}</code></pre>"
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _block_lines(nodes: Sequence[Node]) -> list[str]:
    """The lines of block nodes, an empty line between two blocks."""
    lines: list[str] = []
    loose: list[Node] = []

    for node in [*nodes, ["end", {}, []]]:
        if isinstance(node, str) or node[0] not in (*_BLOCKS, "end"):
            loose.append(node)
            continue
        if loose:
            lines.append(_inline(loose))
            loose = []
            if node[0] not in ("ul", "ol"):  # a tight item and the list in it stay tight
                lines.append("")
        if node[0] != "end":
            lines.extend([*_block(node), ""])
    return lines[:-1]


def _block(node: list[Any]) -> list[str]:
    tag, attributes, children = node
    if tag == "p":
        return [_inline(children)]
    if tag.startswith("h") and tag != "hr":
        return [f"{'#' * int(tag[1:])} {_inline(children)}"]
    if tag == "hr":
        return ["***"]
    if tag == "pre":
        return code_block_source(children[0][2][0]).split("\n")
    if tag == "blockquote":
        return [f"> {line}".rstrip() for line in _block_lines(children)]
    if tag == "table":
        return _table(children)
    lines: list[str] = []
    for number, item in enumerate(children, int(attributes.get("start", 1))):
        mark = f"{number}. " if tag == "ol" else "- "
        body = _block_lines(item[2]) or [""]
        if lines and any(part[0] == "p" for part in item[2]):
            lines.append("")
        lines.append(mark + body[0])
        lines.extend(" " * len(mark) + line if line else "" for line in body[1:])
    return lines


def _table(sections: Sequence[Any]) -> list[str]:
    rows = [row for section in sections for row in section[2]]
    lines = ["| " + " | ".join(_inline(cell[2]) for cell in row[2]) + " |" for row in rows]
    marks = {"left": ":--", "right": "--:", "center": ":-:"}
    rule = [marks.get(cell[1].get("align", ""), "---") for cell in rows[0][2]] if rows else []
    return [*lines[:1], "| " + " | ".join(rule) + " |", *lines[1:]]


def _inline(nodes: Sequence[Node]) -> str:
    """Inline nodes on one line, safe at the beginning of a line."""
    text = "".join(_span(node) for node in nodes).strip()
    return re.sub(r"^(\d{0,9})(?=[.)]|(?<!\d)[-+=#>])", r"\1\\", text)


def _span(node: Node) -> str:
    if isinstance(node, str):
        return _escape(node)
    tag, attributes, children = node
    if tag == "br":
        return "<br>"
    if tag == "code":
        text = " ".join(str(children[0]).split("\n"))
        plain = not re.search(r"[`<|&]", text) and text == text.strip() and text
        return f"`{text}`" if plain else f"<code>{_escape(text)}</code>"
    inner = "".join(_span(child) for child in children)
    if tag == "a":
        address = re.sub(r"[\s()<>\"'\\`|*\[\]]", lambda m: f"%{ord(m[0]):02X}", attributes["href"])
        return f"[{inner}]({address})"
    mark = {"strong": "**", "em": "*", "del": "~~"}.get(tag, "")
    return f"{mark}{inner}{mark}"


def _escape(text: str) -> str:
    """Text with everything escaped that Markdown, HTML or mathematics would take for its own."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace("\\", "&#92;")
    return re.sub(r"([`*_\[\]|~$])", r"\\\1", " ".join(text.split("\n")))
