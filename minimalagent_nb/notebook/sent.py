"""What goes to the model with a prompt: variables, cells, the last error; and a page that shows it.

Imports the descriptions and the cells of this room, and the engine's estimate of tokens.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.notebook.cells import cells_of, last_cell, last_failure, parse_ranges
from minimalagent_nb.notebook.describe import describe
from minimalagent_nb.notebook.options import Options

if TYPE_CHECKING:
    from minimalagent_nb.models.protocol import ModelRequest

__all__ = ["Part", "blocks_of", "gather", "page", "summary"]


@dataclass(frozen=True)
class Part:
    """One thing that goes along: what the reader calls it, its text, its images."""

    label: str
    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """About how many tokens it is."""
        return sum(_tokens(block) for block in blocks_of([self]))


def gather(shell: Any, options: Options, budget: int) -> list[Part]:
    """The parts that the options of a prompt name, in the order of the options' page.

    Args:
        budget: characters of all texts together; each part gets an equal share.

    Raises:
        ConfigurationError: a variable, a cell or an error that is not there.
    """
    names = options.use or ()
    count = len(names) + bool(options.cells) + options.last + options.error
    share = budget // max(count, 1)
    parts = [_variable(shell, name, share) for name in names]
    if options.cells:
        cells = cells_of(shell, parse_ranges(options.cells))
        text = "\n\n".join(cell.text() for cell in cells)
        parts.append(_cut(f"cells {options.cells}", text, share))
    if options.last:
        cell = last_cell(shell)
        parts.append(_cut(f"cell {cell.number}", cell.text(), share))
    if options.error:
        parts.append(_cut("the last error", last_failure(shell).text(), share, end=True))
    return parts


def blocks_of(parts: Sequence[Part]) -> list[Any]:
    """The parts as content blocks for the model."""
    blocks: list[Any] = []
    for part in parts:
        text = f"From the notebook, {part.label}:\n{part.text}".rstrip()
        blocks += [{"text": text}, *part.blocks]
    return blocks


def summary(parts: Sequence[Part]) -> str:
    """One line for the reader of the run."""
    named = ", ".join(part.label for part in parts)
    return f"Sent with the prompt: {named} (about {sum(p.tokens for p in parts):,} tokens)."


def page(request: ModelRequest, parts: Sequence[Part], model: str) -> str:
    """Everything that would leave the kernel, with the tokens of each part, estimated."""
    labels = iter([part.label for part in parts for _ in blocks_of([part])])
    sections: list[tuple[str, str]] = []
    if request.system.strip():
        sections.append(("system prompt", request.system))
    for spec in request.tools:
        schema = json.dumps(spec.input_schema, ensure_ascii=False, default=str)
        sections.append((f"tool {spec.name}", f"{spec.description}\n{schema}"))
    for message in request.messages[:-1]:
        sections.append((f"earlier, {message['role']}", _text_of(message["content"])))
    for block in request.messages[-1]["content"]:
        label = next(labels, None)
        sections.append((label or "prompt", _text_of([block])))
    total = sum(_tokens(text) for _, text in sections)
    lines = [f"Nothing was sent. A run would send about {total:,} tokens to {model}:"]
    for label, text in sections:
        lines += ["", f"── {label} (about {_tokens(text):,} tokens)", text.rstrip()]
    return "\n".join(lines)


def _variable(shell: Any, name: str, share: int) -> Part:
    hidden = getattr(shell, "user_ns_hidden", {})
    mine = {n: v for n, v in shell.user_ns.items() if not n.startswith("_") and n not in hidden}
    if name not in shell.user_ns:
        near = get_close_matches(name, mine, n=1)
        hint = f"Did you mean {near[0]}?" if near else "Run the cell that makes it."
        raise ConfigurationError(f"--use: there is no variable {name!r}. {hint}")
    found = describe(name, shell.user_ns[name], share)
    return Part(f"the variable {name} ({found.kind})", found.text, found.blocks)


def _cut(label: str, text: str, share: int, *, end: bool = False) -> Part:
    """The part within its share; of an error the end is what says most."""
    if len(text) > share:
        kept = text[-share:] if end else text[:share]
        note = f"[cut: {share:,} of {len(text):,} characters]"
        text = f"{note}\n{kept}" if end else f"{kept}\n{note}"
    return Part(label, text)


def _text_of(content: Sequence[Any]) -> str:
    texts = []
    for block in content:
        image = block.get("image")
        if "text" in block:
            texts.append(block["text"])
        elif image is not None:
            size = len(image.get("source", {}).get("bytes", b""))
            texts.append(f"({image.get('format')} image of {size:,} bytes)")
        else:
            texts.append(json.dumps(block, ensure_ascii=False, default=_bytes_text))
    return "\n".join(texts)


def _bytes_text(value: Any) -> str:
    return f"({len(value):,} bytes)" if isinstance(value, bytes) else str(value)


def _tokens(value: Any) -> int:
    from minimalagent_nb.engine.context import estimate_tokens

    return estimate_tokens(value)
