"""Recorded answers that came in one piece, over a socket: each is a Reply that holds all of it, or an error.

What is compared is judged without the library: by `json` and the recording alone.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hermes_nb.exceptions import ServerError
from hermes_nb.records import Reply, RunError
from hermes_nb.servers import OpenAIServer, Scripted, ScriptedServer
from tests.real import recordings
from tests.real.recordings import Exchange, calls_of

Answer = tuple[Exchange, Reply | RunError]

GIVEN: dict[Path, list[Answer]] = {}


@pytest.fixture
async def answers(exchanges_of: Path) -> list[Answer]:
    """The answers of a recording that are not streams, and what came of each; they are given once for all tests."""
    if exchanges_of not in GIVEN:
        whole = [one for one in recordings.read(exchanges_of) if not one.request.get("stream")]
        GIVEN[exchanges_of] = [answer async for answer in _given(whole)]
    return GIVEN[exchanges_of]


async def _given(exchanges: list[Exchange]) -> AsyncIterator[Answer]:
    scripted = ScriptedServer([Scripted(body=one.body, status=one.status, headers=one.headers) for one in exchanges])
    async with scripted.serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key="none", max_retries=0)
        for one in exchanges:
            try:
                yield one, await server.ask("Hello")
            except ServerError as failure:
                yield one, failure.error
        await server.close()


async def test_a_reply_holds_every_field_of_the_body_as_it_came(answers: list[Answer]) -> None:
    for exchange, came in answers:
        if isinstance(came, Reply):
            assert came.raw == json.loads(exchange.body)


async def test_the_providers_message_can_be_made_again_from_the_one_in_the_history(answers: list[Answer]) -> None:
    for exchange, came in answers:
        if isinstance(came, Reply):
            assert _made_again(came, exchange.reply or {}) == exchange.reply


async def test_calls_text_and_reasoning_are_the_recorded_ones(answers: list[Answer]) -> None:
    for exchange, came in answers:
        if isinstance(came, Reply):
            recorded = exchange.reply or {}
            assert came.text == recordings.text_of(recorded.get("content"))
            assert [one.name for one in came.calls] == [_name(one) for one in calls_of(recorded)]
            plain = recorded.get("reasoning_content") or recorded.get("reasoning")
            assert plain is None or came.reasoning == plain


async def test_usage_is_the_recorded_one(answers: list[Answer]) -> None:
    for exchange, came in answers:
        if isinstance(came, Reply):
            usage = json.loads(exchange.body).get("usage") or {}
            counted = (came.usage.prompt, came.usage.completion, came.usage.total)
            assert counted == tuple(usage.get(f"{name}_tokens") for name in ("prompt", "completion", "total"))
            assert came.usage.cost == usage.get("cost")


async def test_only_what_holds_no_message_is_an_error_and_it_says_what_was_said(answers: list[Answer]) -> None:
    for exchange, came in answers:
        assert isinstance(came, Reply) == (exchange.status < 400 and exchange.reply is not None)
        if isinstance(came, RunError):
            assert came.status == exchange.status
            assert _stated(exchange) in came.message


def _made_again(reply: Reply, recorded: dict[str, Any]) -> dict[str, Any]:
    """The recorded message, of which every field that the history has is taken from the history."""
    made = {name: reply.message.get(name, value) for name, value in recorded.items()}
    if recorded.get("content") is None and "content" in recorded:
        assert reply.message["content"] == ""
        made["content"] = None
    calls = reply.message.get("tool_calls", [])
    if isinstance(recorded.get("tool_calls"), list):
        pairs = zip(calls, reply.calls, recorded["tool_calls"], strict=True)
        made["tool_calls"] = [_call_made_again(*three) for three in pairs]
    return made


def _call_made_again(kept: dict[str, Any], call: Any, recorded: dict[str, Any]) -> dict[str, Any]:
    made = {name: kept.get(name, value) for name, value in recorded.items()}
    if call.id != recorded.get("id"):
        assert call.sent_id == (recorded.get("id") or None)
        made["id"] = recorded.get("id")
    if not recorded["function"].get("arguments"):
        assert call.arguments == "{}"
        made["function"] = {**made["function"], "arguments": recorded["function"].get("arguments")}
    return made


def _name(call: dict[str, Any]) -> str:
    return str(call["function"]["name"])


def _stated(exchange: Exchange) -> str:
    try:
        body = json.loads(exchange.body)
    except ValueError:
        return ""
    error = body.get("error", body)
    return str(error.get("message") or error.get("detail"))
