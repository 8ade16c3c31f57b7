"""The gate for what tools print and display."""

from __future__ import annotations

import base64
import json
import random
import struct
from collections.abc import Callable

import pytest

from minimalagent_nb.widgets.displays import (
    MAX_IMAGE,
    display_form,
    printed,
    printed_piece,
    shown_output,
)
from tests.widgets.rich_run import JPEG, png


def jpeg(frame: int, *segments: bytes) -> str:
    """The beginning of a JPEG of 30 by 20 pixels, with other segments before its frame."""
    before = b"".join(b"\xff" + s[:1] + struct.pack(">H", len(s) + 1) + s[1:] for s in segments)
    sof = struct.pack(">BBHBHHB", 0xFF, frame, 17, 8, 20, 30, 3) + bytes(9)
    return base64.b64encode(b"\xff\xd8" + before + sof + bytes(50)).decode()


@pytest.mark.parametrize(
    ("mime", "data"),
    [
        ("image/png", png(30, 20)),
        ("image/jpeg", jpeg(0xC0, b"\xe0JFIF")),
        (
            "image/jpeg",
            jpeg(0xC2, b"\xe1Exif" + bytes(300), b"\xdb" + bytes(64), b"\xc4" + bytes(20)),
        ),
        ("image/png", "\n".join(png(30, 20)[at : at + 76] for at in range(0, 400, 76)) + "\n"),
    ],
)
def test_an_image_passes_with_its_own_size(mime: str, data: str) -> None:
    shown = display_form({mime: data, "text/plain": "<Figure size 30x20 with 1 Axes>"})
    assert (shown.kind, shown.mime, shown.width, shown.height) == ("image", mime, 30, 20)
    assert shown.text.startswith("<Figure size 30x20 with 1 Axes>, ")
    assert shown.data == "".join(data.split())
    assert display_form({mime: base64.b64decode(data)}).data == shown.data


def bomb() -> str:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return base64.b64encode(
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header
    ).decode()


@pytest.mark.parametrize(
    ("bundle", "text"),
    [
        ({"image/png": "not base64 <img>"}, "What should be a PNG image is none."),
        ({"image/png": JPEG}, "What should be a PNG image is none."),
        ({"image/jpeg": png(4, 4)}, "What should be a JPEG image is none."),
        ({"image/jpeg": "/9j/"}, "What should be a JPEG image is none."),
        ({"image/jpeg": "/9j/2Q=="}, "What should be a JPEG image is none."),
        ({"image/png": "https://evil.example/x.png"}, "What should be a PNG image is none."),
        ({"image/png": ["a"]}, "A PNG image without data."),
        ({"image/png": "A" * (2 * MAX_IMAGE)}, "A PNG image of 1.5 MB, too large to show."),
        ({"image/png": bomb()}, "A PNG image of 60,000 by 60,000 pixels, too large to show."),
        ({"image/svg+xml": "<svg onload=alert(1)>"}, "no form for this page: image/svg+xml."),
        ({"text/html": "<p>a &lt; b</p><script>alert(1)</script>x"}, "a < b\nx"),
        ({"text/html": "<style>p {}</style>"}, "HTML without words."),
        ({"text/html": "<b>x</b>", "text/plain": "<IPython.core.display.HTML object>"}, "x"),
        ({"text/html": "<table>", "text/plain": "   a  b\n0  1  2"}, "   a  b\n0  1  2"),
        ({"text/plain": ["two\n", "lines\x1b[0m\u202e"]}, "two\nlines"),
        ({"application/json": {"a": [1]}, "text/plain": ""}, '{"a": [1]}'),
        ({"application/x-new": 1, "\u202e<b>": 2}, "this page: application/x-new, <b>."),
        ({}, "no form for this page: empty."),
        (None, "no form for this page: empty."),
        (["text/plain"], "no form for this page: empty."),
    ],
)
def test_what_is_no_image_is_text(bundle: object, text: str) -> None:
    shown = display_form(bundle)
    assert shown.kind == "text"
    assert shown.text.endswith(text)


def test_markdown_goes_before_its_repr_and_is_bounded() -> None:
    bundle = {"text/markdown": "**b** " * 100_000, "text/plain": "<IPython Markdown>"}
    shown = display_form(bundle)
    assert shown.kind == "markdown"
    assert len(shown.text) < 20_000


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("10%\r20%\r30%\n", "30%\n"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("keep\n  5%\r 50%\rdone\nrest", "keep\ndone\nrest"),
        ("\x1b[31mred\x1b[0m\x07\x00", "red"),
        ("waiting\r", "waiting\r"),
    ],
)
def test_a_carriage_return_writes_over_its_line(text: str, seen: str) -> None:
    assert printed(text) == seen


def test_pieces_amount_to_the_whole_here_and_in_the_page(run_node: Callable[..., str]) -> None:
    pick = random.Random(7)
    runs = [
        ["".join(pick.choices("ab\r\n", [4, 4, 2, 2], k=pick.randint(0, 6))) for _ in range(8)]
        for _ in range(400)
    ]
    wanted = [printed("".join(pieces)).replace("\r", "") for pieces in runs]
    for pieces, want in zip(runs, wanted, strict=True):
        text = ""
        for piece in pieces:
            text = printed(text + printed_piece(piece))
        assert text.replace("\r", "") == want, pieces
    sent = [[printed_piece(piece) for piece in pieces] for pieces in runs]
    assert json.loads(run_node("printed.mjs", text=json.dumps(sent))) == wanted


def test_parts_that_are_none_are_passed_over() -> None:
    parts = [None, "x", 3, [], {}, {"kind": "stdout"}, {"kind": "new", "text": "a\n"}]
    assert [(kind, shown.text) for kind, shown in shown_output(parts)] == [("stdout", "a")]


@pytest.mark.parametrize("unit", ["<", "<script>", "<!--", "<b", "&#x", "</td>", "\r", "\x1b["])
def test_a_megabyte_of_anything_is_bounded(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    for mime in ("text/html", "text/plain", "text/markdown", "image/png", "application/json"):
        assert len(display_form({mime: text}).text) < 20_000
    assert len(printed(text)) <= len(text)
