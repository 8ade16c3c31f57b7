"""Images, figures and display objects: blocks for the model, bundles for the reader."""

from __future__ import annotations

import base64
import io
import json
import random
import struct
import subprocess
import sys
from typing import Any
from unittest import mock

import altair
import numpy as np
import pandas as pd
import pytest
from IPython.display import HTML, JSON, SVG, Image, Latex, Markdown
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image as PillowImage

from minimalagent_nb import Agent, tool
from minimalagent_nb.events import MessageAdded, ToolCallOutput
from minimalagent_nb.models import ScriptedModel, call
from minimalagent_nb.tools import render
from tests.tools.wire import png, refused


def encoded(image: PillowImage.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, format=kind)
    return file.getvalue()


def figure(width: float = 3, height: float = 2) -> Figure:
    made = Figure(figsize=(width, height))
    FigureCanvasAgg(made)
    made.subplots().plot([1, 3, 2])
    return made


def noise(width: int, height: int) -> PillowImage.Image:
    data = random.Random(1).randbytes(width * height * 3)
    return PillowImage.frombytes("RGB", (width, height), data)


def images_of(output: Any) -> list[PillowImage.Image]:
    found = []
    for block in output.content:
        if "image" in block:
            image = PillowImage.open(io.BytesIO(block["image"]["source"]["bytes"]))
            image.load()
            assert (image.format or "").lower() == block["image"]["format"]
            found.append(image)
    return found


SMALL = PillowImage.new("RGB", (8, 4), "red")


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F"]
)
def test_an_image_of_every_mode_is_shown(mode: str) -> None:
    output = render(PillowImage.new(mode, (8, 4)))
    assert [image.size for image in images_of(output)] == [(8, 4)]
    assert output.value == "<image 1: 8 x 4 pixels>"
    assert output.content[0] == {"text": output.value}
    (bundle,) = output.display
    assert base64.b64decode(bundle["image/png"]) == output.content[1]["image"]["source"]["bytes"]
    assert not output.truncated
    assert refused(output) == []


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_the_bytes_of_an_image_file_are_an_image(kind: str) -> None:
    data = encoded(SMALL, kind)
    output = render(data)
    assert output.value == f"<image 1: {kind.lower()} 8 x 4 pixels>"
    assert output.content[1]["image"] == {"format": kind.lower(), "source": {"bytes": data}}
    assert images_of(output)[0].size == (8, 4)


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_every_kind_of_webp_tells_its_size(mode: str, lossless: bool) -> None:
    file = io.BytesIO()
    PillowImage.new(mode, (20, 30)).save(file, format="WEBP", lossless=lossless)
    assert "20 x 30" in render(file.getvalue()).value


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
@pytest.mark.parametrize("kept", [3, 12, 20, 40])
def test_half_an_image_file_is_only_bytes(kind: str, kept: int) -> None:
    output = render(encoded(noise(16, 16), kind)[:kept])
    assert "image" not in str(output.content)
    assert output.display == []


@pytest.mark.parametrize("size", [(9_000, 10), (10, 9_000), (1_200, 1_200)])
@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_large_image_is_made_smaller(size: tuple[int, int], as_bytes: bool) -> None:
    image = noise(*size)
    output = render(encoded(image) if as_bytes else image)
    (shown,) = images_of(output)
    assert max(shown.size) <= 1_568
    assert len(output.content[1]["image"]["source"]["bytes"]) <= 3.75 * 1024 * 1024
    assert refused(output) == []


def test_an_image_that_claims_to_be_endless_is_only_bytes() -> None:
    data = bytearray(encoded(SMALL))
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    output = render(bytes(data))
    assert "image" not in str(output.content)


def test_a_small_file_of_very_many_pixels_is_not_decoded() -> None:
    data = png(12_000, 12_000, depth=1)
    assert len(data) < 100_000
    assert render(data).content == [{"text": f"<{len(data):,} bytes>"}]


def test_without_pillow_a_large_image_is_described() -> None:
    script = (
        "import sys; sys.modules['PIL'] = None\n"
        "from minimalagent_nb.tools import render\n"
        "data = open(sys.argv[1], 'rb').read()\n"
        "print(render(data).content)"
    )
    data = encoded(noise(9_000, 10))
    done = subprocess.run(
        [sys.executable, "-c", script, "/dev/stdin"], input=data, capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == str([{"text": f"<{len(data):,} bytes>"}])


@pytest.mark.parametrize("part", [lambda f: f, lambda f: f.axes[0]], ids=["figure", "axes"])
def test_a_figure_is_drawn(part: Any) -> None:
    output = render(part(figure()))
    (image,) = images_of(output)
    assert image.size == (300, 200)
    assert "image/png" in output.display[0]
    assert output.content[0]["text"].startswith("<figure 1: Figure(")


def test_a_figure_in_several_places_is_drawn_once() -> None:
    made = figure()
    output = render({"figure": made, "axes": made.axes[0], "again": [made], "n": 1})
    assert len(images_of(output)) == 1
    assert output.content[0]["json"]["n"] == 1
    assert output.content[0]["json"]["again"][0].startswith("<figure 1")


def test_a_huge_figure_is_drawn_small() -> None:
    (image,) = images_of(render(figure(100, 40)))
    assert max(image.size) <= 1_568


def test_a_figure_that_cannot_be_drawn_says_so() -> None:
    output = render([1, figure(100_000, 100_000)])
    assert images_of(output) == []
    assert "cannot be shown: ValueError: the figure is 100000 inches long" in str(output.content)
    assert output.truncated


def test_only_a_handful_of_images_are_shown() -> None:
    output = render([PillowImage.new("L", (n, 1)) for n in range(1, 9)])
    assert len(images_of(output)) == 5
    assert len(output.display) == 5
    assert output.truncated
    assert "Only the first 5" in output.content[1]["text"]
    assert len(output.value) == 8


class Plot:
    """Displays itself as libraries of plots do."""

    def _repr_mimebundle_(self, include: Any, exclude: Any) -> Any:
        bundle = {
            "text/plain": "<Plot at 0x7f00>",
            "text/html": "<script>alert(1)</script><h1>Masses</h1><p>of &lt;birds&gt;</p>",
            "image/png": encoded(SMALL),
            "application/vnd.plot.v1+json": {"data": [float("nan")]},
        }
        return bundle, {"image/png": {"width": 8}}


def test_a_display_object_s_html_goes_to_the_reader_alone() -> None:
    output = render(Plot())
    assert output.content[0] == {"text": "Masses\n\nof <birds>"}
    assert images_of(output)[0].size == (8, 4)
    assert "<script>" not in json.dumps(output.content[0])
    (bundle,) = output.display
    assert bundle["text/html"].startswith("<script>")
    assert base64.b64decode(bundle["image/png"]) == encoded(SMALL)
    json.dumps(bundle, allow_nan=False)


@pytest.mark.parametrize(
    ("value", "mime", "said"),
    [
        (HTML("<b>bold</b> <i>words</i>"), "text/html", "bold words"),
        (Markdown("# Title"), "text/markdown", "# Title"),
        (Latex("$x^2$"), "text/latex", "$x^2$"),
        (SVG("<svg><text>a</text></svg>"), "image/svg+xml", "a SVG that is shown to the user"),
        (JSON({"a": 1}), "application/json", "a JSON that is shown to the user"),
        (Image(data=encoded(SMALL)), "image/png", "a Image that is shown to the user"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_ipython_s_own_display_objects(value: Any, mime: str, said: str) -> None:
    output = render(value)
    assert mime in output.display[0]
    assert said in output.content[0]["text"]
    assert refused(output) == []


def test_an_altair_chart_is_shown_to_the_reader() -> None:
    rows = pd.DataFrame({"x": [1, 2], "y": [3, 4]})
    output = render({"chart": altair.Chart(rows).mark_point().encode(x="x", y="y")})
    assert "vega" in output.display[0]["text/html"]
    assert "is shown to the user" in output.content[0]["json"]["chart"]


def test_a_styled_table_is_a_table_for_the_model_and_html_for_the_reader() -> None:
    output = render(pd.DataFrame({"n": [1, 2]}).style.hide())
    assert "text/html" in output.display[0]
    assert output.content[0]["text"] == "   n\n0  1\n1  2\n[2 x 1]"


@pytest.mark.parametrize("value", [pd.DataFrame({"n": [1]}), pd.Series([1]), np.array([1]), "text"])
def test_ordinary_values_are_not_displayed(value: Any) -> None:
    assert render(value).display == []


class Failing:
    def _repr_html_(self) -> str:
        raise RuntimeError("not now")

    def __str__(self) -> str:
        return "the failing one"


class Refusing:
    def _repr_png_(self) -> None:
        return None


@pytest.mark.parametrize("value", [Failing(), Refusing(), mock.MagicMock(), Plot, Image])
def test_what_does_not_display_is_an_ordinary_value(value: Any) -> None:
    output = render(value)
    assert output.display == []
    assert output.content == [{"text": str(value)}]


class Large:
    def _repr_mimebundle_(self, **options: Any) -> Any:
        return {"text/plain": "large", "text/html": "x" * 10_000_000}


def test_a_bundle_is_bounded() -> None:
    output = render([Large(), Large(), Large()])
    assert sum(len(json.dumps(bundle)) for bundle in output.display) < 11_000_000
    assert output.display[0] == {"text/plain": "large"}


def test_a_run_shows_the_figure_to_the_model_and_to_the_reader() -> None:
    @tool
    def draw(title: str) -> Any:
        """Draw."""
        return {"title": title, "figure": figure()}

    model = ScriptedModel([call("draw", title="Masses"), "Drawn."])
    agent = Agent(tools=[draw], model=model, show_reasoning=False)
    events = list(agent.stream("?"))
    (shown,) = [event for event in events if isinstance(event, ToolCallOutput)]
    assert shown.kind == "display"
    messages = [event.message for event in events if isinstance(event, MessageAdded)]
    result = messages[2]["content"][0]["toolResult"]["content"]
    assert result[0]["json"]["title"] == "Masses"
    sent = result[1]["image"]["source"]["bytes"]
    assert shown.data is not None
    assert base64.b64decode(shown.data["image/png"]) == sent


@pytest.mark.parametrize("wrap", [bytes, lambda data: Image(data=data)])
def test_a_file_of_some_megabytes_is_shown_to_both(wrap: Any) -> None:
    data = encoded(noise(900, 900))
    assert 2_000_000 < len(data) < 3_700_000

    @tool
    def photograph() -> Any:
        """Take a photograph."""
        return wrap(data)

    model = ScriptedModel([call("photograph"), "Taken."])
    result = Agent(tools=[photograph], model=model, show_reasoning=False).run("?")
    blocks = result.messages[2]["content"][0]["toolResult"]["content"]
    assert blocks[1]["image"]["source"]["bytes"] == data
    (output,) = result.reasoning.steps[0].tools[0].output
    assert PillowImage.open(io.BytesIO(base64.b64decode(output["data"]["image/jpeg"]))).size == (
        900,
        900,
    )
