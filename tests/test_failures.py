"""Failures of every shape, named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hermes_nb import failures
from hermes_nb.failures import Place

PLACE = Place(model="hermes-4", base_url="http://localhost:8000/v1", secrets=frozenset({"s3cr3t-Passw0rd"}))


def refused(status: int, body: Any, **headers: str) -> Any:
    content = body if isinstance(body, str) else json.dumps(body)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return failures.refusal(content.encode(), headers=given, status=status, place=PLACE)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "told"),
    [
        (401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}, "AuthenticationError",
         "invalid_api_key", "401 Unauthorized: Incorrect API key"),
        (401, {"error": {"message": "Missing header", "code": 401}}, "AuthenticationError", None, "Missing header"),
        (401, {"detail": "Invalid API Key"}, "AuthenticationError", None, "Invalid API Key"),
        (404, {"object": "error", "message": "no model", "code": "404"}, "NotFoundError", None, "no model"),
        (422, {"error": "bad field"}, "UnprocessableEntityError", None, "bad field"),
        (502, "<html>Bad gateway</html>", "InternalServerError", None, "502 Bad Gateway"),
        (404, "404 page not found", "NotFoundError", None, "404 page not found"),
        (418, "", "APIStatusError", None, "418"),
        (599, "[1]", "InternalServerError", None, "599"),
    ],
)  # fmt: skip
def test_errors_of_every_providers_form_are_read(
    status: int, body: Any, kind: str, code: str | None, told: str
) -> None:
    error = refused(status, body)

    assert (error.type, error.code, error.status) == (kind, code, status)
    assert told in error.message


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "OPENAI_API_KEY"), (404, "hermes-4"), (404, "http://localhost:8000/v1"), (429, "fewer runs"), (503, "log")],
)
def test_a_hint_says_what_to_try(status: int, hint: str) -> None:
    assert hint in refused(status, "").hint


def test_a_body_keeps_its_first_200_characters() -> None:
    assert refused(500, "x" * 5000).body == "x" * 200


def test_a_message_is_bounded() -> None:
    assert len(refused(500, {"error": {"message": "x" * 100_000}}).message) < 2100


def test_the_request_id_is_the_servers() -> None:
    assert refused(500, "", x_request_id="req_1").request_id == "req_1"


@pytest.mark.parametrize(
    ("wait", "told"), [("86400", "wait 86400 s"), ("Wed, 21 Oct 2026 07:28:00 GMT", "21 Oct 2026")]
)
def test_how_long_a_server_asks_to_wait_is_in_the_message(wait: str, told: str) -> None:
    assert told in refused(429, "", retry_after=wait).message


def test_a_rate_limit_that_speaks_of_lengths_is_no_overflow() -> None:
    assert refused(429, {"error": {"message": "Request exceeds the maximum number of tokens per minute"}}).code is None


def test_an_overflow_is_known_by_its_code_whatever_its_words() -> None:
    assert refused(400, {"error": {"message": "zu lang", "code": "context_length_exceeded"}}).hint is not None


def test_a_secret_that_a_server_sends_back_is_in_no_field() -> None:
    error = refused(401, {"error": {"message": "wrong key s3cr3t-Passw0rd"}})

    assert "s3cr3t-Passw0rd" not in repr(error)
    assert "[redacted:" in error.message


def test_a_secret_in_an_exception_is_taken_out_of_its_own_words() -> None:
    raised = ValueError("tried s3cr3t-Passw0rd")

    error = failures.named(raised, PLACE)

    assert "s3cr3t-Passw0rd" not in f"{raised} {error}"


def test_an_exception_whose_words_fail_still_has_its_name() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert failures.named(Mute()).type == "Mute"


def test_an_exception_without_words_is_told_by_its_name() -> None:
    assert failures.named(ValueError()).message == "ValueError"


@pytest.mark.parametrize(
    ("raised", "told", "hint"),
    [
        (
            ConnectionRefusedError("refused"),
            "no connection to http://localhost:8000/v1: refused",
            "is the server running",
        ),
        (ConnectionResetError("reset"), "the connection to http://localhost:8000/v1 broke: reset", "whole"),
        (TimeoutError(), "no answer from http://localhost:8000/v1 in time: TimeoutError", "timeout="),
    ],
)
def test_a_connection_that_fails_is_told_with_the_address(raised: OSError, told: str, hint: str) -> None:
    error = failures.named(raised, PLACE)

    assert error.message == told
    assert hint in (error.hint or "")


def test_the_innermost_cause_is_told() -> None:
    try:
        try:
            raise OSError("Name or service not known")
        except OSError as cause:
            raise ConnectionError("Connection error.") from cause
    except ConnectionError as raised:
        assert failures.named(raised, PLACE).message.endswith("Name or service not known")


@pytest.mark.parametrize(
    ("status", "error", "code", "hint"),
    [
        (400, {"message": "Tool choice is required, but model did not call a tool", "type": "invalid_request_error",
               "code": "tool_use_failed", "failed_generation": "maybe"}, "tool_use_failed", "failed_generation"),
        (429, {"message": "You exceeded your current quota", "code": "insufficient_quota"}, "insufficient_quota",
         "no credit"),
        (429, {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": None},
         "insufficient_quota", "no credit"),
        (429, {"message": "Rate limit: your quota of requests", "code": "rate_limit_exceeded"}, "rate_limit_exceeded",
         "fewer runs"),
        (413, {"message": "Request too large on tokens per minute (TPM): it exceeds the maximum number of tokens",
               "type": "tokens", "code": "rate_limit_exceeded"}, "rate_limit_exceeded", "shorten"),
        (402, {"message": "Insufficient Balance", "type": "unknown_error", "code": "invalid_request_error"},
         "invalid_request_error", "no credit"),
        (404, {"message": "The model `x` does not exist", "code": "model_not_found"}, "model_not_found", "hermes-4"),
        (400, {"message": "too long", "type": ["odd"], "code": 400}, None, None),
        (400, {"message": "too long", "type": "context_length_exceeded", "code": 400}, "context_length_exceeded",
         "shorten"),
    ],
)  # fmt: skip
def test_failures_are_told_apart_by_their_code_and_not_by_their_prose(
    status: int, error: dict[str, Any], code: str | None, hint: str | None
) -> None:
    record = refused(status, {"error": error})

    assert record.code == code
    assert (record.hint is None) if hint is None else hint in record.hint


def test_an_error_in_a_list_is_read() -> None:
    record = refused(400, [{"error": {"code": 400, "message": "API key not valid", "status": "INVALID_ARGUMENT"}}])

    assert record.message == "the server answered 400 Bad Request: API key not valid"


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"raw": "prompt is too long: 9 > 8", "provider_name": "Anthropic"}, "(Anthropic says: prompt is too long"),
        ({"raw": "busy"}, "(the provider says: busy)"),
        ({}, "Provider returned error"),
    ],
)
def test_what_the_provider_behind_a_router_said_is_told(metadata: dict[str, Any], told: str) -> None:
    assert told in refused(400, {"error": {"message": "Provider returned error", "metadata": metadata}}).message
