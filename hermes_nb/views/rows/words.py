"""The words every view says things in: endings, statuses, durations, counts, and the sentence for a missing answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hermes_nb.records import AgentResult, Reply, RunError, StopReason, ToolResult
from hermes_nb.views.rows.legible import counted

UNKNOWN = "–"
"""What stands for a number nobody knows; it is never 0."""

ENDINGS: dict[StopReason, tuple[str, str]] = {
    "running": ("●", "running"),
    "finished": ("✓", "finished"),
    "stopped": ("✓", "stopped"),
    "max_turns": ("⊘", "max turns"),
    "length": ("⊘", "length"),
    "interrupted": ("⊘", "interrupted"),
    "crashed": ("⊘", "crashed"),
    "max_total_tokens": ("⊘", "out of tokens"),
    "max_seconds": ("⊘", "out of time"),
    "max_tool_calls": ("⊘", "too many calls"),
    "max_cost": ("⊘", "over cost"),
    "repeating": ("⊘", "repeating"),
    "too_many_errors": ("⊘", "too many errors"),
    "content_filter": ("⊘", "content filter"),
    "refusal": ("⊘", "refusal"),
    "empty": ("⊘", "empty"),
    "server_error": ("✗", "server error"),
    "context_overflow": ("✗", "context overflow"),
    "tool_error": ("✗", "tool error"),
}

STATUSES = {
    "ok": ("✓", "ok"),
    "exception": ("✗", "error"),
    "reported": ("✗", "error"),
    "bad_json": ("✗", "bad JSON"),
    "bad_arguments": ("✗", "bad arguments"),
    "unknown_tool": ("✗", "unknown tool"),
    "timeout": ("✗", "timeout"),
    "cancelled": ("✗", "cancelled"),
    "rejected": ("✗", "rejected"),
}
RUNNING, WRITING, ASKS = ("…", "running"), ("…", "writing"), ("?", "asks you")
CUT_OFF, REPLAYED, NOTHING = ("⊘", "cut off"), ("=", "replayed"), ("", "")
KERNEL_STOPPED = ("⊘", "kernel stopped")
"""The words only a live view needs: for a reply that streams, a call that waits for a person, a kernel that is gone."""

STAND_INS = {
    "✓": "ok", "✗": "x", "…": "..", "⊘": "-", "●": "*", "○": "o", "≠": "!", "−": "-", "–": "-", "·": "-", "×": "x",
    "→": "->", "⏎": "\\n", "⇥": "\\t", "␣": "_", "⟦": "[", "⟧": "]", "\u00a0": " ",
}  # fmt: skip
"""What stands for a glyph where there is only ASCII; the words never change."""

CHARACTERS_A_TOKEN = 4
"""A token's length in most text: what tokens are guessed by where a server does not count them."""

NO_ANSWER: dict[StopReason, str] = {
    "running": "the run is still going",
    "finished": "the last reply has no text",
    "stopped": "the run was stopped as asked",
    "length": "the last reply was cut off by the token limit",
    "interrupted": "the run was interrupted",
    "crashed": "the record of the run has no end",
    "max_total_tokens": "the run reached its limit of tokens",
    "max_seconds": "the run reached its limit of time",
    "max_tool_calls": "the run reached its limit of tool calls",
    "max_cost": "the run reached its limit of cost",
    "repeating": "the model kept making the same call",
    "too_many_errors": "too many calls failed in a row",
    "content_filter": "the server's content filter ended the last reply",
    "refusal": "the model refused",
    "empty": "the last reply was empty",
    "server_error": "the server failed",
    "context_overflow": "the conversation no longer fits the model's context",
    "tool_error": "a tool's error ended the run",
}


def ending(result: AgentResult, *, asking: Collection[str] = ()) -> tuple[str, str]:
    """Glyph and word of how a run ended, or that it goes on; a conversation without a record of its run has neither."""
    if result.stop_reason == "running" and not result.turns:
        asked = all(message.get("role") != "assistant" for message in result.messages)
        return ("○", "not started") if asked else ("○", "not recorded")
    return ASKS if asking and result.stop_reason == "running" else ENDINGS[result.stop_reason]


def no_answer(result: AgentResult) -> str:
    """The sentence that stands where the answer would be."""
    if result.stop_reason == "running" and not result.turns:
        return "Nothing yet. The first row appears when the model is asked."
    why = NO_ANSWER.get(result.stop_reason, "")
    if result.stop_reason == "max_turns":
        why = f"the run used {'its only turn' if result.turns_used == 1 else f'all {result.turns_used} turns'}"
    if result.stop_reason == "interrupted" and result.turns:
        why += f" in turn {result.turns[-1].number}{', while the model wrote' if cut_short(result) else ''}"
        # One of ours goes on; of what others wrote down, nobody knows.
        return f"No answer: {why}.{' loop.resume(result) goes on from there.' if result.run_id is not None else ''}"
    failed = bool(result.turns and result.turns[-1].results and result.turns[-1].results[-1].error)
    return f"No answer: {why}.{' Its last call failed.' if failed and not result.error else ''}"


def answer(result: AgentResult) -> str:
    """The run's answer; a reply that was cut short is none, and keeps to its row."""
    return "" if cut_short(result) else result.final_text.strip()


def cut_short(result: AgentResult) -> bool:
    """Whether the last reply was, before its end."""
    reply = result.turns[-1].reply if result.turns else None
    return reply is not None and reply.partial


def status(result: ToolResult) -> tuple[str, str]:
    """Glyph and word of an answered call: with `✗` exactly when it has a ToolError."""
    return REPLAYED if result.replayed and result.error is None else STATUSES[result.status]


def reply_status(reply: Reply | None, *, going: bool) -> tuple[str, str]:
    """Glyph and word of a reply, `going` being whether it may still come; most have none."""
    if reply is None:
        return RUNNING if going else NOTHING
    if reply.partial:
        return WRITING if going else CUT_OFF
    return NOTHING


def facts(result: AgentResult) -> tuple[str, ...]:
    """The counts of a run, in the order in which they are shown."""
    turns, errors, error = counted(result.turns_used, "turn"), len(result.tool_errors), result.error
    limit = result.provenance.limits.get("max_turns") if result.provenance else None
    if result.stop_reason == "max_turns" and limit:
        turns += f" of {limit}"
    told = [turns, counted(len(result.calls), "call")]
    if errors or error is None:
        told.append(f"{'✗ ' if errors else ''}{counted(errors, 'error')}")
    if error is not None and (error.status is not None or error.retries):
        told.append(travelled(error))
    if any(turn.reply for turn in result.turns):
        told.append(tokens_out(result))
    return (*told, duration(result.seconds)) if result.seconds else tuple(told)


def travelled(error: RunError) -> str:
    """`401 after 0 retries`."""
    retries = counted(error.retries, "retry").replace("retrys", "retries")
    return f"{error.type if error.status is None else error.status} after {retries}"


def tokens_out(result: AgentResult) -> str:
    """`484 tokens out`; `~484` with guesses among them; all tokens, of a server that says no more than these."""
    replies = [turn.reply for turn in result.turns if turn.reply]
    if result.usage.total is not None and all(reply.usage.completion is None for reply in replies):
        return f"{tokens(result.usage.total)} {'token' if result.usage.total == 1 else 'tokens'}"
    told = summed(replies)
    return f"{told} {'token' if told == '1' else 'tokens'} out"


def summed(replies: Sequence[Reply]) -> str:
    """The tokens of several replies together, `~` before them where some are guessed."""
    counts = [reply.usage.completion for reply in replies]
    known = sum([count for count in counts if count is not None])
    if None not in counts:
        return tokens(known)
    return f"~{tokens(known + sum([written(reply) for reply in replies if reply.usage.completion is None]))}"


def reply_tokens(reply: Reply) -> str:
    """What a reply cost: as its server says, else guessed, with a `~`."""
    return summed([reply])


def written(reply: Reply) -> int:
    """About how many tokens a reply is."""
    arguments = sum([len(call.arguments) for call in reply.calls])
    return guessed(len(reply.text) + len(reply.reasoning or "") + arguments)


def guessed(characters: int) -> int:
    """About how many tokens so many characters are; no text that is there is none."""
    return round(characters / CHARACTERS_A_TOKEN) or min(characters, 1)


def estimated(characters: int) -> str:
    """`~149`: about how many tokens so many characters are."""
    return f"~{tokens(guessed(characters))}" if characters else "0"


def duration(seconds: float) -> str:
    """`0.1 ms`, `90 ms`, `1.2 s`, `2:14`, `2:14:09`; `–` for none, as nothing takes no time at all."""
    if seconds <= 0:
        return UNKNOWN
    if seconds < 0.0995:
        return f"{max(seconds * 1000, 0.1):.1f} ms" if seconds < 0.00995 else f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def tokens(count: int | None) -> str:
    """`46`, `12.1k`, `1.9M`; `–` where the server did not say."""
    if count is None:
        return UNKNOWN
    if count < 1000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 999_950 else f"{count / 1_000_000:.1f}M"
