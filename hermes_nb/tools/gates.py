"""What `before_call` may say about a tool call that is about to be answered.

A gate is a function of the call and its context, sync or async. It is asked about every call whose tool exists and
whose arguments are a JSON object, before they are checked against the tool, and gives one of these verdicts; None
allows. What a gate raises is the user's own and ends the run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from hermes_nb.records import ToolCall
from hermes_nb.verdicts import Allow, Answer, Reject, Replace, Verdict

if TYPE_CHECKING:
    from hermes_nb.tools.context import ToolContext


__all__ = ["Allow", "Answer", "Gate", "Reject", "Replace", "Verdict"]

Gate: TypeAlias = Callable[[ToolCall, "ToolContext"], Verdict | Awaitable[Verdict]]
"""Asked before a call is answered."""
