"""A turn's request as a curl command: what went over the socket, safe to paste into a shell."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_nb import curl
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.journal import load
from hermes_nb.loop import HermesAgentLoop
from hermes_nb.outgoing import EchoReasoning
from hermes_nb.records import AgentResult, Provenance, Reply, Turn
from hermes_nb.servers import OpenAIServer, Scripted, ScriptedServer, call

KEY = "sk-test-9f8e7d6c5b4a39281706"
SCRIPT = [
    Scripted(text="Let me see.", reasoning="2 and 3, it's simple", calls=[call("add", a=2, b=3), call("add", a=1)]),
    call("add", a=5, b=1),
    "6, as 'expected' \N{GRINNING FACE}",
]


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


def body_in(command: str) -> Any:
    """The JSON that a command sends."""
    return json.loads(shlex.split(command)[-1])


@asynccontextmanager
async def connected(script: Any, **how: Any) -> AsyncIterator[tuple[ScriptedServer, HermesAgentLoop]]:
    scripted = ScriptedServer(script)
    async with scripted.serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key=KEY, echo_reasoning=how.pop("echo_reasoning", "auto"))
        yield scripted, HermesAgentLoop(server, tools=how.pop("tools", [add]), **how)
        await server.close()


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"temperature": None, "system": "Be brief; don't shout!"},
        {"tool_choice": "required", "max_tokens": 99},
        {"tool_choice": "auto"},
        {"tool_choice": {"type": "function", "function": {"name": "add"}}},
        {"tool_choice": lambda turn: "required" if turn < 3 else None},
        {"tool_choice": lambda turn: "none" if turn == 2 else None},
        {"extra_body": {"provider": {"only": ["x"]}, "model": "another", "temperature": 0}},
        {"tools": [], "tool_choice": "required"},
    ],
)
async def test_the_command_of_every_turn_sends_what_was_sent(how: dict[str, Any]) -> None:
    async with connected(SCRIPT, **how) as (scripted, loop):
        result = await loop.run("What is 2 + 3 + 1?")

    assert len(scripted.requests) == result.turns_used == 3
    assert [body_in(result.curl(turn.number)) for turn in result.turns] == scripted.requests


@pytest.mark.parametrize("policy", get_args(EchoReasoning))
async def test_reasoning_goes_back_in_the_command_as_it_went_back(policy: str) -> None:
    async with connected(SCRIPT, echo_reasoning=policy) as (scripted, loop):
        result = await loop.run("What is 2 + 3 + 1?")

    assert [body_in(result.curl(turn.number)) for turn in result.turns] == scripted.requests


async def test_a_streamed_request_is_streamed() -> None:
    async with connected(SCRIPT) as (scripted, loop):
        result = await loop.run("What is 2 + 3 + 1?", stream=True)

    assert scripted.requests[0]["stream"] is True
    assert [body_in(result.curl(turn.number)) for turn in result.turns] == scripted.requests


async def test_a_conversation_that_goes_on_is_sent_whole() -> None:
    async with connected(["5", "10"]) as (scripted, loop):
        first = await loop.run("What is 2 + 3?")
        more = await loop.run("And doubled?", after=first)

    assert [body_in(first.curl()), body_in(more.curl())] == scripted.requests


async def test_a_request_that_failed_has_a_command_too() -> None:
    async with connected([SCRIPT[0], Scripted(status=400, text="no")]) as (scripted, loop):
        result = await loop.run("What is 2 + 3?")

    assert result.stop_reason == "server_error"
    assert [body_in(result.curl(1)), body_in(result.curl())] == scripted.requests


async def test_a_run_that_was_read_from_its_journal_gives_the_same_command(tmp_path: Path) -> None:
    async with connected(SCRIPT, journal=tmp_path / "run.jsonl", tool_choice=lambda turn: "auto") as (_, loop):
        result = await loop.run("What is 2 + 3 + 1?")

    assert load(tmp_path / "run.jsonl").curl(2) == result.curl(2)


def recorded(
    messages: list[dict[str, Any]], base_url: str = "http://localhost:8000/v1", **sampling: Any
) -> AgentResult:
    """A run of one turn, as if it had begun with these messages."""
    server = {"name": "OpenAIServer", "model": sampling.pop("model", "m"), "base_url": base_url}
    answer = {"role": "assistant", "content": "Hello"}
    return AgentResult(
        messages=[*messages, answer],
        turns=(Turn(number=1, reply=Reply(message=answer)),),
        provenance=Provenance(started_at="2026-01-01T00:00:00+00:00", server=server, sampling=sampling),
    )


@pytest.mark.parametrize(
    ("model", "base_url", "name"),
    [
        ("gpt-5.1", "https://api.openai.com/v1", "max_completion_tokens"),
        ("gpt-5.1", "http://localhost:8000/v1", "max_tokens"),
    ],
)
def test_max_tokens_goes_by_the_name_the_server_is_known_to_want(model: str, base_url: str, name: str) -> None:
    result = recorded([{"role": "user", "content": "Hi"}], base_url, model=model, max_tokens=9)

    assert {key: value for key, value in body_in(result.curl()).items() if "tokens" in key} == {name: 9}


def test_the_command_is_laid_out_for_reading_and_holds_no_key() -> None:
    told = recorded([{"role": "user", "content": "It's $HOME; `ls` now \\ !"}], "https://api.openai.com/v1/")

    assert told.curl(1).splitlines() == [
        "curl https://api.openai.com/v1/chat/completions \\",
        "  -H 'Content-Type: application/json' \\",
        '  -H "Authorization: Bearer $OPENAI_API_KEY" \\',
        r"""  --data-raw '{"model":"m","messages":[{"role":"user","content":"It'"'"'s $HOME; `ls` now \\ !"}]}'""",
    ]


def test_a_secret_in_the_conversation_is_redacted() -> None:
    result = recorded([{"role": "user", "content": f"my key is {KEY}, keep it"}])

    assert KEY not in result.curl()
    assert body_in(result.curl())["messages"][0]["content"] == "my key is [redacted:key#1], keep it"
    assert curl.body(result)["messages"][0]["content"] == f"my key is {KEY}, keep it"


def heard_by_curl(command: str) -> list[str]:
    """What bash hands to a command of that name: its arguments, and what it can read."""
    stand_in = r'curl() { printf "%s\0" "$@"; if [ "${!#}" = "@-" ]; then cat; fi; }; '
    shell = ["bash", "--norc", "-s"]  # From its input, as when it is pasted: an argument may be too long for it.
    ran = subprocess.run(
        shell, input=(stand_in + command).encode(), capture_output=True, check=True, env={"OPENAI_API_KEY": "the key"}
    )
    assert ran.stderr == b""
    return ran.stdout.decode().split("\0")


TEXT = st.text(max_size=80) | st.text(alphabet="'\"\\$`!\n\r\t\0 {}()<>&|;*?~#%JSON\ud800\u2028", max_size=80)


@given(TEXT, st.dictionaries(TEXT, TEXT | st.floats(allow_nan=False) | st.integers(), max_size=3))
@settings(max_examples=60, deadline=None)
def test_whatever_is_said_a_shell_hands_it_to_curl_as_it_was(text: str, extra: dict[str, Any]) -> None:
    result = recorded([{"role": "user", "content": text}], extra_body={"x": extra})
    words = heard_by_curl(result.curl())

    assert words[:-2] == [
        "http://localhost:8000/v1/chat/completions", "-H", "Content-Type: application/json",
        "-H", "Authorization: Bearer the key", "--data-raw",
    ]  # fmt: skip
    assert body_in(result.curl()) == json.loads(words[-2]) == curl.body(result)


@given(TEXT)
@settings(max_examples=10, deadline=None)
def test_a_body_too_long_for_an_argument_goes_in_by_a_here_document(text: str) -> None:
    result = recorded([{"role": "user", "content": text + "\nJSON\n" + "x " * 100_000}])
    *words, received = heard_by_curl(result.curl())

    assert words[-2:] == ["--data-binary", "@-"]
    assert json.loads(received) == curl.body(result)


def test_an_address_is_quoted() -> None:
    words = heard_by_curl(recorded([], "http://localhost:8000/v1;echo 'hi'").curl())

    assert words[0] == "http://localhost:8000/v1;echo 'hi'/chat/completions"


def test_a_notebook_shows_the_command_as_it_is_to_be_copied() -> None:
    told = recorded([{"role": "user", "content": "Hi"}]).curl()

    assert told._repr_mimebundle_() == {"text/plain": str(told)}


@pytest.mark.parametrize(
    ("result", "turn", "told"),
    [
        (AgentResult(messages=[]), 1, "does not say where"),
        (recorded([], ""), 1, "does not say where"),
        (recorded([]), 2, "there is no turn 2: this run has turns 1 to 1"),
        (recorded([]), 0, "there is no turn 0"),
    ],
)
def test_what_was_not_recorded_is_not_made_up(result: AgentResult, turn: int, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        result.curl(turn)
