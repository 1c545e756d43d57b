"""Makes any chat history sendable to a strict server: every call answered, every answer after its call.

| in the history | repaired |
|---|---|
| a call without a result | a result that says it was not answered |
| a result for no call; a second result for a call | removed |
| a result before its call, or not directly after it | moved to its call |
| a call whose id is missing, no text, or used before | a new id, and its result follows it |
| a result without an id | taken for the next open call of the assistant's message before it |
| a result with an id that no call has | the same, of the calls without ids |
| arguments that are no text of a JSON object | by the table of `outgoing.to_send`: `{}`, or `{"_malformed": ...}` |
| a call without a name; one that names no function at all | `unnamed_tool`; removed |
| calls as one object; no calls, or null | a list of it; no `tool_calls` |
| an assistant message with neither content nor calls | removed |
| content null, absent, an empty list | `""` |
| content as one part, or as another JSON value; a part that is text | a list of it; its JSON text; a text part |

All else is kept as it is, unknown roles and unknown fields too. A result belongs to the nearest call before it that has
its id. A sound history comes out as it went in, and so does a repaired one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hermes_nb.exceptions import ConfigurationError
from hermes_nb.messages import Message
from hermes_nb.repairs.forms import sound
from hermes_nb.repairs.pairs import paired
from hermes_nb.repairs.report import Report

__all__ = ["Repaired", "repair"]


@dataclass(frozen=True, slots=True)
class Repaired:
    """A history that can be sent, and a sentence for every change that this took, in the order of the messages.

    A sentence begins with the message's place in the history that was given, counted from 0. Of more than a thousand
    changes the rest are only counted.
    """

    messages: list[Message]
    report: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Repaired({len(self.messages)} messages · {len(self.report)} changes)"


def repair(messages: Sequence[Message]) -> Repaired:
    """The history `messages` in a form that a strict server takes, by the table above: copies, in a list of their own.

    It is the same for the same history, takes time in proportion to its length, and changes nothing when it is repaired
    again. Where nothing is left to be said, the list is empty; a role that a server does not know it may still refuse.

    >>> call = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    >>> repair([{"role": "assistant", "content": None, "tool_calls": [call]}]).report
    ('message 0: call call_1 had no result, and is answered as interrupted',)

    Raises:
        ConfigurationError: it is no list of dicts that name their role, or is nested too deeply to be sent.
    """
    if not isinstance(messages, list | tuple):
        raise ConfigurationError(f"a history is a list of chat messages; got {messages!r:.80}")
    report = Report()
    kept = [(place, one) for place, given in enumerate(messages) if (one := sound(place, given, report))]
    return Repaired(paired(kept, report), report.told())
