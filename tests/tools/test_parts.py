"""What a model is shown of images, tables and bytes that a tool returns."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from hermes_nb import HermesAgentLoop, codec
from hermes_nb.records import ToolCall, ToolResult
from hermes_nb.servers import OpenAIServer, ScriptedServer, call
from hermes_nb.tools import Toolbox
from hermes_nb.tools.parts import LARGEST, shown


def picture(width: int = 4, height: int = 3) -> Image.Image:
    """A small picture."""
    return Image.new("RGB", (width, height), "navy")


def saved(kind: str) -> bytes:
    target = BytesIO()
    picture().save(target, format=kind)
    return target.getvalue()


def figure() -> Figure:
    """A figure of 200 x 100 dots."""
    return Figure(figsize=(2, 1), dpi=100)


def image_in(part: Any) -> Image.Image:
    kind, _, data = part["image_url"]["url"].partition(";base64,")
    assert (part["type"], kind[:11]) == ("image_url", "data:image/")
    return Image.open(BytesIO(b64decode(data)))


@pytest.mark.parametrize(
    ("make", "size", "told"),
    [
        (figure, (200, 100), "[image: 200 x 100 png, "),
        (picture, (4, 3), "[image: 4 x 3 png, "),
        (lambda: saved("PNG"), (4, 3), "[image: 4 x 3 png, "),
        (lambda: bytearray(saved("PNG")), (4, 3), "[image: 4 x 3 png, "),
        (lambda: saved("JPEG"), (4, 3), "[image: jpeg, "),
        (lambda: saved("GIF"), (4, 3), "[image: gif, "),
        (lambda: saved("WEBP"), (4, 3), "[image: webp, "),
        (lambda: (saved("PNG"), "image/png"), (4, 3), "[image: 4 x 3 png, "),
    ],
)  # fmt: skip
def test_an_image_of_any_kind_is_a_part_and_a_line_of_text(
    make: Callable[[], Any], size: tuple[int, int], told: str
) -> None:
    seen = shown(make())
    assert seen is not None
    assert seen.text.startswith(told)
    assert seen.parts is not None
    assert image_in(*seen.parts).size == size


def test_an_image_that_is_too_large_is_only_told_of() -> None:
    seen = shown(saved("PNG") + bytes(LARGEST))
    assert seen is not None
    assert (seen.parts, seen.text) == (None, "[image: 4 x 3 png, 4.2 MB: too large to be shown]")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((b"a,b\n1,2", "text/csv"), "a,b\n1,2"),
        ((b"%PDF" + bytes(LARGEST), "application/pdf"), "[application/pdf, 4.2 MB: too large to be sent]"),
    ],
)
def test_bytes_with_a_type_that_is_text_or_too_much_are_told_by_it(value: Any, text: str) -> None:
    seen = shown(value)
    assert seen is not None
    assert (seen.text, seen.parts) == (text, None)


@pytest.mark.parametrize(
    ("value", "text", "part"),
    [
        (
            (b"%PDF", "application/pdf"),
            "[application/pdf, 4 bytes]",
            {"type": "file", "file": {"filename": "result.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
        ),
        (
            (b"\x00\x01", "audio/mpeg"),
            "[audio/mpeg, 2 bytes]",
            {"type": "input_audio", "input_audio": {"data": "AAE=", "format": "mp3"}},
        ),
    ],
)
def test_a_file_and_a_sound_are_parts_too(value: Any, text: str, part: dict[str, Any]) -> None:
    seen = shown(value)
    assert seen is not None
    assert (seen.text, seen.parts) == (text, (part,))


@pytest.mark.parametrize("value", [b"plain bytes", "text", 5, None, (b"a", "b"), ("text", "image/png"), [saved("PNG")]])
def test_any_other_value_is_left_to_be_text(value: Any) -> None:
    assert shown(value) is None


def test_a_small_table_is_whole_and_a_large_one_its_ends_and_its_shape() -> None:
    small, large = pd.DataFrame({"a": [1, 2]}), pd.DataFrame({f"c{n}": range(5000) for n in range(50)})
    seen = [shown(table) for table in (small, large, large["c0"])]
    texts = [one.text for one in seen if one is not None]
    assert texts[0] == "   a\n0  1\n1  2\n\n[2 rows x 1 columns]"
    assert texts[1].endswith("[5000 rows x 50 columns]")
    assert "4999" in texts[1]
    assert "c49" in texts[1]
    assert max(len(text) for text in texts) < 16_384
    assert "Length: 5000" in texts[2]


def test_what_a_part_holds_goes_to_the_journal_and_back() -> None:
    seen = shown(picture())
    assert seen is not None
    result = ToolResult(call=ToolCall(name="draw"), content=seen.text, parts=seen.parts)
    assert codec.build(ToolResult, codec.loads(codec.dumps(codec.plain(result)))) == result


async def test_a_figure_by_hand_is_what_the_model_would_get() -> None:
    result = await Toolbox([draw]).invoke("draw")
    assert result.content.startswith("[image: 200 x 100 png")
    assert isinstance(result.value, Figure)
    assert result.parts is not None


def draw() -> Figure:
    """Draw it."""
    return figure()


async def asked_with(**settings: Any) -> tuple[Any, Any]:
    """A run in which a tool draws, and the answer of the tool as it was sent."""
    scripted = ScriptedServer([call("draw"), "A figure."])
    async with scripted.serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key="none", **settings)
        result = await HermesAgentLoop(server, [draw]).run("Draw.")
        await server.close()
    return result, scripted.requests[1]["messages"][-1]


@pytest.mark.parametrize("takes", [True, False])
async def test_a_file_goes_to_a_server_that_takes_it_and_its_line_to_any_other(takes: bool) -> None:
    def report() -> tuple[bytes, str]:
        return b"%PDF", "application/pdf"

    scripted = ScriptedServer([call("report"), "A report."])
    async with scripted.serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, images=takes)
        result = await HermesAgentLoop(server, [report]).run("Report.")
        await server.close()
    sent = scripted.requests[1]["messages"][-1]["content"]
    assert [part["type"] for part in sent] == ["text", "file"] if takes else sent == "[application/pdf, 4 bytes]"
    assert result.results[0].parts is not None


async def test_a_server_that_takes_images_gets_them_in_the_tools_answer() -> None:
    result, answer = await asked_with(images=True)
    text, image = answer["content"]
    assert text == {"type": "text", "text": result.results[0].content}
    assert image_in(image).size == (200, 100)
    assert result.messages[-2] == answer


async def test_any_other_server_gets_the_text_and_the_history_keeps_the_image() -> None:
    result, answer = await asked_with()
    assert answer["content"] == result.results[0].content
    assert image_in(result.messages[-2]["content"][1]).size == (200, 100)


async def test_a_server_of_another_make_gets_the_text() -> None:
    scripted = ScriptedServer([call("draw"), "A figure."])
    result = await HermesAgentLoop(scripted, [draw]).run("Draw.")
    assert scripted.requests[1]["messages"][-1]["content"] == result.results[0].content
