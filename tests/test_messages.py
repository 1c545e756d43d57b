"""Conversations are copied, and reasoning and text are found wherever a provider put them."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from hermes_nb import HermesAgentLoop, OpenAIServer, ScriptedServer, journal
from hermes_nb import messages as chat
from hermes_nb.exceptions import ConfigurationError


def test_L25_a_conversation_is_a_copy_that_shares_nothing_with_the_callers_list() -> None:
    given = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    started = chat.conversation(given)
    started[0]["content"][0]["text"] = "changed"
    started.append(chat.user("more"))
    assert given == [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]


def test_L26_a_tuple_of_messages_is_a_conversation_too() -> None:
    assert chat.conversation(({"role": "user", "content": "hi"},)) == [chat.user("hi")]


def test_a_system_message_leads_unless_the_conversation_has_one() -> None:
    assert chat.conversation("hi", system="Be brief.")[0] == {"role": "system", "content": "Be brief."}
    own = [{"role": "developer", "content": "mine"}, chat.user("hi")]
    assert chat.conversation(own, system="Be brief.") == own


@pytest.mark.parametrize("given", [[], 5, [5], [{"content": "no role"}], ["hi"], {"role": "user", "content": "hi"}])
def test_what_is_no_conversation_is_refused_with_a_sentence(given: object) -> None:
    with pytest.raises(ConfigurationError, match=r"role|text|answer"):
        chat.conversation(given)


@pytest.mark.parametrize(
    ("message", "thought"),
    [
        ({"reasoning_content": "a"}, "a"),
        ({"reasoning": "b"}, "b"),
        ({"thinking": "t"}, "t"),
        ({"reasoning_content": "", "reasoning": "b"}, "b"),
        ({"reasoning_content": "a", "reasoning": "b"}, "a"),
        ({"reasoning_content": ["a", "b"]}, "ab"),
        ({"reasoning_details": [{"type": "reasoning.text", "text": "x"}, {"summary": "y"}]}, "xy"),
        ({"reasoning_details": [{"type": "reasoning.encrypted", "data": "zzz"}]}, None),
        ({"content": [{"type": "thinking", "thinking": [{"text": "deep"}]}, {"type": "text", "text": "5"}]}, "deep"),
        ({"content": "5"}, None),
        ({"reasoning": {"content": "c"}}, "c"),
    ],
)  # fmt: skip
def test_L29_reasoning_is_found_in_every_field_providers_use(message: dict, thought: str | None) -> None:
    assert chat.reasoning_of(message) == thought


def test_text_of_content_joins_the_text_parts_only() -> None:
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}, {"type": "image_url"}, "b", None]
    assert chat.text_of(parts) == "ab"
    assert chat.text_of(None) == ""


ODD_HISTORY = [
    {"role": "critic", "content": {"score": 1}, "verdict": None},
    {"role": "user", "content": [{"type": "hologram", "of": [1]}], "name": "Ann", "provider_x": {"deep": [1, None]}},
    {
        "role": "assistant",
        "content": "So:",
        "annotations": [],
        "tool_calls": [
            {
                "id": "a",
                "type": "function",
                "function": {"name": "add", "arguments": '{"a":1}', "strict": True},
                "extra_content": {"google": {"thought_signature": "x"}},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "a", "content": "1", "cache_control": {"type": "ephemeral"}},
    {"role": "user", "content": "Well?", "future": 1e400},
]


async def test_F59_unknown_fields_and_roles_of_a_history_are_sent_and_stored_as_they_are(tmp_path: Path) -> None:
    given = copy.deepcopy(ODD_HISTORY)
    scripted = ScriptedServer(["Done.", "Again."])
    file = tmp_path / "run.jsonl"
    async with scripted.serve() as base_url:
        server = OpenAIServer("m", base_url=base_url, api_key="none")
        loop = HermesAgentLoop(server)
        result = await loop.run(given, journal=file)
        more = await loop.run("More?", after=journal.load(file))
        await server.close()

    assert given == ODD_HISTORY
    assert scripted.requests[0]["messages"] == ODD_HISTORY
    for one in (result, journal.load(file)):
        assert one.messages == [*ODD_HISTORY, {"role": "assistant", "content": "Done."}]
    assert scripted.requests[1]["messages"] == more.messages[:-1] == [*result.messages, chat.user("More?")]
