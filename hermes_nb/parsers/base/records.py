"""What a parser finds in a text: calls, problems, and what is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from hermes_nb.records import ToolCall, ToolError

Part = Literal["content", "reasoning", "call", "problem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call in a text. `arguments` is JSON text: the model's own where the format writes JSON, else made by us.

    `start` and `end` are the place in the text, in characters: from the mark that is this call's own, to the end of its
    arguments or of what closes it. `id` is the one the model wrote (None: it wrote none).
    """

    name: str
    arguments: str
    start: int
    end: int
    id: str | None = None

    def __repr__(self) -> str:
        return f"Call({self.name} {self.arguments} @{self.start}:{self.end})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What was meant as a call and could not be read.

    `name` is the tool's, where that much could be read. `start` and `end` are the place in the text, `position` is the
    character at which reading failed, and `raw` is the text itself. `arguments` is what there was of the arguments.
    """

    message: str
    start: int
    end: int
    position: int
    raw: str
    name: str | None = None
    arguments: str | None = None
    id: str | None = None

    def error(self, *, turn: int = 0, call_id: str | None = None, call_index: int | None = None) -> ToolError:
        """The tool error of kind `bad_json` that stands for this problem; its position is the text's character."""
        told = f"{self.message} (at character {self.position} of the reply)"
        return ToolError(
            turn,
            self.name or "",
            self.raw if self.arguments is None else self.arguments,
            told,
            told,
            kind="bad_json",
            fault="model",
            call_id=call_id,
            call_index=call_index,
            position=self.position,
        )

    def __repr__(self) -> str:
        return f"Problem({self.name or '?'} · {self.message} @{self.start}:{self.end})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A mark that speaks for a format, and where it stands in the text, in characters."""

    format: str
    mark: str
    position: int


class Piece(NamedTuple):
    """What one more chunk made certain: some content or reasoning, a whole call, or a problem. It never changes.

    A tuple, for there may be one for every character of a text.
    """

    part: Part
    text: str = ""
    call: Call | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A text taken apart. `reasoning` is None where there was none.

    `format` is the parser's name; for `auto`, the name of the format it found (None: none, and `reason` says why).
    """

    content: str
    reasoning: str | None = None
    calls: tuple[Call, ...] = ()
    problems: tuple[Problem, ...] = ()
    format: str | None = None
    evidence: tuple[Evidence, ...] = ()
    reason: str = ""

    def tool_calls(self, *, turn: int = 0, new_id: Callable[[], str] | None = None) -> tuple[ToolCall, ...]:
        """The calls and the problems in the order of the text, as records of a run.

        A problem is a call whose arguments cannot be read, or one without a name: running it comes to `bad_json` or
        `unknown_tool`, and the model is told. Ids are the model's, else `new_id`'s, else `call_0`, `call_1`, ...
        """
        found: list[Call | Problem] = sorted([*self.calls, *self.problems], key=lambda one: one.start)
        return tuple(
            ToolCall(
                name=one.name or "",
                arguments=one.raw if isinstance(one, Problem) and one.arguments is None else one.arguments or "",
                id=one.id or (new_id() if new_id else f"call_{index}"),
                turn=turn,
                index=index,
            )
            for index, one in enumerate(found)
        )
