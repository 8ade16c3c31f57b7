"""What goes to the model with a prompt: variables, cells, the last error; and a page that shows it.

Imports the descriptions and the cells of this room, and the engine's estimate of tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from minimalagent_nb.errors import AgentError, ConfigurationError, NoModelError
from minimalagent_nb.notebook.cells import (
    Cell,
    cells_of,
    last_cell,
    last_failure,
    parse_ranges,
)
from minimalagent_nb.notebook.describe import describe
from minimalagent_nb.notebook.options import Options
from minimalagent_nb.notebook.withheld import Withheld, taken_out_of

if TYPE_CHECKING:
    from minimalagent_nb.cancel import CancelToken
    from minimalagent_nb.models.protocol import Model, ModelChunk, ModelRequest

__all__ = ["Part", "Unasked", "blocks_of", "gather", "page"]

_IMAGES = 5
"""Images that cells bring along; Converse takes 20 in a whole request."""

_UNCUT = 1_000_000
"""Characters of a description before secrets are taken out: only then it is cut to its share."""


@dataclass(frozen=True)
class Part:
    """One thing that goes along: what the reader calls it, its text, its images.

    Attributes:
        from_end: cut away the beginning where it is too long: of an error the end says most.
    """

    label: str
    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)
    from_end: bool = False

    def within(self, share: int, withheld: Withheld) -> Part:
        """The part as it may leave: without secrets, its text in `share` characters."""
        text = withheld.text(self.text)
        if len(text) > share:
            kept = text[-share:] if self.from_end else text[:share]
            note = f"[cut: {share:,} of {len(text):,} characters]"
            text = f"{note}\n{kept}" if self.from_end else f"{kept}\n{note}"
        return replace(self, label=withheld.text(self.label), text=text)


def gather(shell: Any, options: Options, budget: int, withheld: Withheld) -> list[Part]:
    """The parts that the options of a prompt name, in the order of the options' page.

    Args:
        budget: characters of all texts together; each part gets an equal share.
        withheld: takes secrets out, before anything is cut.

    Raises:
        ConfigurationError: a variable, a cell or an error that is not there.
    """
    names = options.use or ()
    count = len(names) + bool(options.cells) + options.last + options.error
    share = budget // max(count, 1)
    parts = [_variable(shell, name) for name in names]
    if options.cells:
        parts.append(_cells(f"cells {options.cells}", cells_of(shell, parse_ranges(options.cells))))
    if options.last:
        cell = last_cell(shell)
        parts.append(_cells(f"cell {cell.number}", [cell]))
    if options.error:
        failure = last_failure(shell)
        parts.append(Part("the last error", failure.text(), from_end=True))
    return [part.within(share, withheld) for part in parts]


def blocks_of(parts: Sequence[Part]) -> list[Any]:
    """The parts as content blocks for the model."""
    blocks: list[Any] = []
    for part in parts:
        text = f"From the notebook, {part.label}:\n{part.text}".rstrip()
        blocks += [{"text": text}, *part.blocks]
    return blocks


@dataclass(frozen=True)
class Unasked:
    """Stands in a look at what would be sent where there is no model, and is never asked.

    Attributes:
        name: why there is none.
    """

    name: str

    @classmethod
    def because(cls, error: AgentError) -> Unasked:
        """In the place of a model that could not be had."""
        if isinstance(error, NoModelError):
            return cls("no model is chosen yet: %agent model ID chooses one.")
        return cls(f"the model cannot be used yet: {error}")

    def stream(self, request: ModelRequest, cancel: CancelToken) -> Iterator[ModelChunk]:
        """See `Model.stream`.

        Raises:
            NoModelError: always.
        """
        raise NoModelError(self.name)


def page(
    request: ModelRequest,
    parts: Sequence[Part],
    model: Model,
    withheld: Withheld,
    unread: str = "",
) -> str:
    """Everything that would leave the kernel, with the tokens of each part, estimated.

    Each part says what was taken out of it, and what it holds that is never stored.

    Args:
        unread: why the session's earlier messages are not among it.
    """
    sections = list(_sections(request, parts))
    total = f"about {sum(_tokens(content) for _, content in sections):,} tokens (an estimate)"
    head = f"Nothing was sent. A run would send {total} to {model.name}:"
    if isinstance(model, Unasked):
        head = f"Nothing was sent, and {model.name} A run would send {total}:"
    lines = [head]
    if unread:
        lines.append(
            f"The session's earlier messages would go along; they could not be read: {unread}"
        )
    for label, content in sections:
        text = content if isinstance(content, str) else _text_of([content])
        lines += ["", f"── {label} ({_figures(_tokens(content), text, withheld)})", text.rstrip()]
    return "\n".join(lines)


def _sections(request: ModelRequest, parts: Sequence[Part]) -> Iterator[tuple[str, Any]]:
    """Name and content of each: a text, or a block of the newest message."""
    if request.system.strip():
        yield "system prompt", request.system
    for spec in request.tools:
        schema = json.dumps(spec.input_schema, ensure_ascii=False, default=str)
        yield f"tool {spec.name}", f"{spec.description}\n{schema}"
    for message in request.messages[:-1]:
        yield f"earlier, {message['role']}", _text_of(message["content"])
    labels = iter([part.label for part in parts for _ in blocks_of([part])])
    for block in request.messages[-1]["content"]:
        yield next(labels, "prompt"), block


def _figures(tokens: int, text: str, withheld: Withheld) -> str:
    """What there is to know about a section, in brackets behind its name."""
    told = [f"about {tokens:,} tokens"]
    if taken := taken_out_of(text):
        told.append(f"redacted: {taken}")
    if left := withheld.left_in(text):
        told.append(f"holds {left}, which is sent as it stands and never stored")
    return "; ".join(told)


def _cells(label: str, cells: Sequence[Cell]) -> Part:
    """Cells with what came out, the newest pictures as images."""
    images = [block for cell in cells for block in cell.blocks()]
    return Part(label, "\n\n".join(cell.text() for cell in cells), images[-_IMAGES:])


def _variable(shell: Any, name: str) -> Part:
    hidden = getattr(shell, "user_ns_hidden", {})
    mine = {n: v for n, v in shell.user_ns.items() if not n.startswith("_") and n not in hidden}
    if name not in shell.user_ns:
        near = get_close_matches(name, mine, n=1)
        hint = f"Did you mean {near[0]}?" if near else "Run the cell that makes it."
        raise ConfigurationError(f"--use: there is no variable {name!r}. {hint}")
    found = describe(name, shell.user_ns[name], _UNCUT)
    return Part(f"the variable {name} ({found.kind})", found.text, found.blocks)


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
