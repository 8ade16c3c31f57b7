"""What static pages are made of: parts that open, styles, sizes, escaped text.

Inline style only, because readers of notebooks drop style sheets. Colours come from
JupyterLab's variables where there are some, else they are mixed from the text's own,
so that they fit light and dark pages. Imports this room's pure parts.
"""

from __future__ import annotations

import dataclasses
import html
from dataclasses import dataclass

from minimalagent_nb.widgets import figures

__all__ = ["Limits", "details", "escaped", "side_line", "style"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a run is shown: bytes of escaped text, but for the counts.

    `value` holds for each input, result, printed text, error and notice, `answer` for
    the Markdown of an answer, `parts` for what one call displayed, `images` for the
    base64 of all images together, and `depth` for sub-agents in one another.
    """

    value: int
    thinking: int
    answer: int
    steps: int
    tools: int
    parts: int = 40
    images: int = 100_000
    depth: int = 6

    def inner(self) -> Limits:
        """Those of a sub-agent's run."""
        return dataclasses.replace(
            self,
            value=max(self.value // 2, 300),
            thinking=max(self.thinking // 2, 300),
            answer=max(self.answer // 4, 300),
            steps=max(self.steps // 4, 6),
            tools=max(self.tools // 4, 4),
            depth=self.depth - 1,
        )


_BORDER = "var(--jp-border-color2, rgba(128, 128, 128, 0.35))"
_FONT = "var(--jp-ui-font-family, system-ui, -apple-system, 'Segoe UI', sans-serif)"
_CODE = "var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace)"
_STATUS = {
    "Completed": "var(--jp-success-color1, #2c974b)",
    "Failed": "var(--jp-error-color1, #d1453b)",
    "Stopped": "var(--jp-warn-color0, #b26a00)",
    "Running": "var(--jp-brand-color1, #2f7fd1)",
    "Waits for approval": "var(--jp-warn-color0, #b26a00)",
}
_LINE = (
    "display: block; margin-left: 16px; font-size: 12px; overflow: hidden; "
    "text-overflow: ellipsis; white-space: nowrap; "
)

_STYLES = {
    "run": f"font-family: {_FONT}; font-size: 13px; line-height: 1.5; margin: 4px 0",
    "query": "margin: 0; font-size: 14px; font-weight: 600; white-space: pre-wrap",
    "meta": "margin: 2px 0 8px; font-size: 12px",
    "list": "list-style: none; margin: 0; padding: 0",
    "entry": "margin: 0 0 6px",
    "step": "margin: 0; padding: 0",
    "summary": "cursor: pointer; padding: 1px 0",
    "row": "display: inline-flex; gap: 16px; justify-content: space-between; "
    "align-items: baseline; width: calc(100% - 20px); vertical-align: top",
    "label": "min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap",
    "side": "flex: none; font-size: 12px",
    "soft": "opacity: 0.75",
    "facts": "display: block; margin-left: 16px; font-size: 12px",
    "reason": _LINE + "color: var(--jp-error-color1, #d1453b)",
    "line": _LINE + "opacity: 0.75",
    "warning": _LINE + "color: var(--jp-warn-color0, #b26a00)",
    "body": f"margin: 0 0 4px 5px; padding: 0 0 0 12px; border-left: 1px solid {_BORDER}",
    "thinking": "margin: 2px 0 4px; white-space: pre-wrap; opacity: 0.8; font-style: italic",
    "said": "margin: 2px 0 4px",
    "code": f"font-family: {_CODE}; font-size: 12px; background: none; padding: 0; color: inherit",
    "caption": "margin: 4px 0 0; font-size: 11px; opacity: 0.75",
    "pre": f"margin: 0 0 4px; padding: 0; font-family: {_CODE}; font-size: 12px; "
    "line-height: 1.4; white-space: pre-wrap; overflow-wrap: anywhere; overflow: auto; "
    "max-height: 320px; border: 0; background: none; color: inherit",
    "stderr": f"margin: 0 0 4px; padding: 0 0 0 8px; font-family: {_CODE}; font-size: 12px; "
    "line-height: 1.4; white-space: pre-wrap; overflow-wrap: anywhere; background: none; "
    "border: 0; border-left: 2px solid var(--jp-warn-color1, #b26a00); color: inherit",
    "image": "display: block; max-width: 100%; height: auto; margin: 2px 0 4px",
    "answer": f"margin: 8px 0 0; padding: 8px 0 0; border-top: 1px solid {_BORDER}; "
    "font-size: 14px",
    "inner": "margin: 4px 0 4px",
    "outcome": f"display: table; margin: 6px 0 0; padding: 0 7px; border: 1px solid {_BORDER}; "
    "border-radius: 9px; font-size: 11px; color: var(--jp-warn-color0, #b26a00)",
    "notice": "margin: 6px 0 0; font-size: 12px; padding: 0 0 0 8px; "
    "border-left: 3px solid var(--jp-warn-color1, #b26a00)",
    "error": "margin: 8px 0 0; padding: 0 0 0 8px; white-space: pre-wrap; "
    "border-left: 3px solid var(--jp-error-color1, #d1453b)",
}


def style(name: str) -> str:
    """The inline style attribute of a part, with a space before it."""
    return f' style="{html.escape(_STYLES[name])}"'


def details(label: str, side: str, inside: str, below: str = "", *, is_open: bool = False) -> str:
    """A part that opens, its texts given as HTML; `below` stands under the label."""
    # A focused summary would let its keys through to the notebook's commands.
    return (
        f"<details{' open' if is_open else ''}{style('step')}>"
        f'<summary data-lm-suppress-shortcuts="true"{style("summary")}>'
        f"<span{style('row')}><span{style('label')}>{label}</span>"
        f" <span{style('side')}>{side}</span></span>{below}</summary>"
        f"<div{style('body')}>{inside}</div></details>"
    )


def side_line(word: str, *figures_: str) -> str:
    """A status in its colour, and figures, in one line of HTML."""
    colour = _STATUS.get(word)
    parts = [html.escape(part) for part in figures_ if part]
    if not colour:
        parts = [html.escape(word), *parts] if word else parts
        return f"<span{style('soft')}>{' · '.join(parts)}</span>"
    rest = f"<span{style('soft')}> · {' · '.join(parts)}</span>" if parts else ""
    return f'<span style="color: {colour}">{html.escape(word)}</span>{rest}'


def escaped(text: str, limit: int) -> str:
    """Escaped text of at most `limit` bytes, and a note where something was cut."""
    text = figures.clean(text)
    whole = html.escape(text)
    if len(whole.encode()) <= limit:
        return whole
    kept = min(len(text), limit)
    while (size := len(html.escape(text[:kept]).encode())) > limit:
        kept = min(kept - 1, kept * limit // size)
    return f"{html.escape(text[:kept])}… ({len(text) - kept:,} more characters)"
