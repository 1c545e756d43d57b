"""Says of a run whether it did what was wanted, in sentences: for the exercises of a course, and for tests.

    hn.check(result).called("add", a=2, b=3).answered("5").within(turns=3)

Nothing is raised where the run did otherwise: the check, shown, says what was expected and what happened instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from typing import Any, get_args

from hermes_nb.checks.words import fits, json_of, more, spoken, times, was, whole
from hermes_nb.exceptions import ConfigurationError
from hermes_nb.records import AgentResult, ErrorKind, StopReason, ToolCall, ToolResult
from hermes_nb.redact import Redactor
from hermes_nb.views.rows import Lens, counted, run_of

__all__ = ["Check", "Finding", "check"]

KINDS, ENDINGS = get_args(ErrorKind), get_args(StopReason)
SHORT, LONG = 80, 200
"""The most characters of a value and of a call or an answer in a sentence."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it held, and the sentence that says so."""

    held: bool
    sentence: str

    def __str__(self) -> str:
        return f"{'✓' if self.held else '✗'} {self.sentence}"


@dataclass(frozen=True, slots=True)
class Check:
    """What was found of a run so far. Each method gives a new check, with one finding more; none raises for what the
    run did. Its truth is `passed`."""

    result: AgentResult
    findings: tuple[Finding, ...] = ()
    _lens: Lens = field(default=Lens(Redactor()), repr=False, compare=False)

    @property
    def passed(self) -> bool:
        """Something was looked at, and all of it held."""
        return bool(self.findings) and not self.failures

    @property
    def failures(self) -> tuple[str, ...]:
        """The sentences of what did not hold."""
        return tuple(one.sentence for one in self.findings if not one.held)

    def called(self, tool: str, /, **arguments: Any) -> Check:
        """A call of the tool in which each of these arguments has this value, as JSON has it; it may have others."""
        wanted = self._wanted(tool, arguments)
        found = self._like(tool, arguments)
        if found:
            return self._with(True, f"{self._call(found[0])} was called{times(len(found))}.")
        return self._with(False, f"Expected a call of {wanted}, but {self._nearest(tool, arguments)}.")

    def not_called(self, tool: str, /, **arguments: Any) -> Check:
        """No call of the tool, or none with these arguments."""
        found = self._like(tool, arguments)
        if not found:
            return self._with(True, f"{self._wanted(tool, arguments)} was not called.")
        told = f"{self._call(found[0])} was called in turn {found[0].turn}"
        return self._with(False, f"Expected no call of {self._wanted(tool, arguments)}, but {told}.")

    def called_times(self, tool: str, times: int, /) -> Check:
        """As many calls of the tool, whatever their arguments."""
        number = len(self._like(tool, {}))
        name = self._lens.name(tool)
        if number == times:
            return self._with(True, f"{name} was called {counted(number, 'time')}.")
        return self._with(False, f"Expected {counted(times, 'call')} of {name}, but there {was(number, 'call')}.")

    def called_in_order(self, *tools: str) -> Check:
        """Calls of these tools, one after the other; others may stand between them.

        Raises:
            ConfigurationError: fewer than two tools were named.
        """
        if len(tools) < 2:
            raise ConfigurationError('an order needs two tools at least: called_in_order("search", "read")')
        wanted = ", then ".join(map(self._lens.name, tools))
        left = list(tools)
        for call in self.result.calls:
            if left and call.name == left[0]:
                left.pop(0)
        if not left:
            return self._with(True, f"{wanted} were called in this order.")
        made = ", ".join(self._lens.name(call.name) for call in self.result.calls) or "nothing"
        missing = f"no call of {self._lens.name(left[0])} came where it was due"
        return self._with(False, f"Expected calls of {wanted}, but {missing}; called were: {self._cut(made)}.")

    def called_together(self, *tools: str) -> Check:
        """Calls of all these tools in one turn: in one reply of the model. A name that stands twice is called twice.

        Raises:
            ConfigurationError: fewer than two tools were named.
        """
        if len(tools) < 2:
            raise ConfigurationError('two tools at least are called together: called_together("add", "add")')
        wanted = " and ".join(map(self._lens.name, tools))
        turns = [(turn.number, [call.name for call in turn.reply.calls]) for turn in self.result.turns if turn.reply]
        for number, made in turns:
            if all(made.count(tool) >= tools.count(tool) for tool in tools):
                return self._with(True, f"{wanted} were called together, in turn {number}.")
        told = "; ".join(f"turn {number}: {', '.join(map(self._lens.name, made))}" for number, made in turns if made)
        made_none = self._cut(told) if told else "no tool was called"
        return self._with(False, f"Expected {wanted} in one turn, but no turn called them all ({made_none}).")

    def answered(self, text: str) -> Check:
        """The last answer has this in it, as whole words or numbers (5 is not in 15, nor in 5.2), in either case.

        Raises:
            ConfigurationError: the text is empty.
        """
        if not text.strip():
            raise ConfigurationError('an answer is checked for words: answered("5")')
        final = self.result.final_text
        if whole(text).search(f" {final}"):
            return self._with(True, f"The answer says {self._quoted(text)}.")
        got = f"it says {self._quoted(final)}" if final.strip() else f"there is none: {self._ended()}"
        return self._with(False, f"Expected {self._quoted(text)} in the answer, but {got}.")

    def ended(self, reason: StopReason = "finished") -> Check:
        """The run ended in this way.

        Raises:
            ConfigurationError: no run ends so.
        """
        if reason not in ENDINGS:
            raise ConfigurationError(f"no run ends with {reason!r}; a stop reason is one of {', '.join(ENDINGS)}")
        if self.result.stop_reason == reason:
            return self._with(True, f"T{self._ended()[1:]}.")
        return self._with(False, f"Expected the run to end with {spoken(reason)}, but {self._ended()}.")

    def within(
        self,
        *,
        turns: int | None = None,
        calls: int | None = None,
        errors: int | None = None,
        tokens: int | None = None,
        seconds: float | None = None,
    ) -> Check:
        """No more than this of each that is named; one finding for each. Tokens that nobody counted are no pass.

        Raises:
            ConfigurationError: nothing is named.
        """
        limits = {"turn": turns, "call": calls, "error": errors, "token": tokens, "second": seconds}
        named = {noun: most for noun, most in limits.items() if most is not None}
        if not named:
            raise ConfigurationError("say within what: within(turns=3), or calls, errors, tokens, seconds")
        checked = self
        for noun, most in named.items():
            checked = checked._at_most(noun, most)
        return checked

    def had_error(self, kind: ErrorKind | None = None, *, tool: str | None = None) -> Check:
        """A tool error, of this kind and of this tool where they are named.

        Raises:
            ConfigurationError: there is no such kind.
        """
        found = self._errors(kind, tool)
        wanted = f"a tool error{self._of(kind, tool)}"
        if found:
            return self._with(True, f"{self._call(found[0].call)} went wrong: {self._error(found[0])}.")
        others = self._errors(None, None)
        got = f"{self._call(others[0].call)} went wrong otherwise: {self._error(others[0])}" if others else "none was"
        return self._with(False, f"Expected {wanted}, but {got}.")

    def no_errors(self, kind: ErrorKind | None = None, *, tool: str | None = None) -> Check:
        """No tool error, or none of this kind and of this tool.

        Raises:
            ConfigurationError: there is no such kind.
        """
        found = self._errors(kind, tool)
        wanted = f"no tool error{self._of(kind, tool)}"
        if not found:
            return self._with(True, f"There was {wanted}.")
        told = f"{self._call(found[0].call)} in turn {found[0].call.turn} went wrong: {self._error(found[0])}"
        return self._with(False, f"Expected {wanted}, but {told}{more(len(found) - 1)}.")

    def recovered(self, tool: str | None = None) -> Check:
        """Something went wrong, and every tool of which a call failed (or this one) was called again in a later turn,
        and that went well, as in `frames.calls`. An invented tool is made good by a call of any other."""
        failed = self._errors(None, tool)
        if not failed:
            of = f" of {self._lens.name(tool)}" if tool is not None else ""
            return self._with(False, f"Expected a call{of} that goes wrong and is made good, but none went wrong.")
        open_ones = [one for one in failed if not self._made_good(one)]
        if not open_ones:
            first = self._call(failed[0].call)
            return self._with(True, f"{first} went wrong, and was made good{times(len(failed))}.")
        told = f"{self._call(open_ones[0].call)} in turn {open_ones[0].call.turn}"
        why = f"no later call went well ({self._error(open_ones[0])})"
        return self._with(False, f"Expected {told} to be made good later, but {why}.")

    # What the sentences are made of.

    def _with(self, held: bool, sentence: str) -> Check:
        return replace(self, findings=(*self.findings, Finding(held, sentence)))

    def _like(self, tool: str, arguments: dict[str, Any]) -> list[ToolCall]:
        return [one for one in self.result.calls if one.name == tool and fits(one, arguments) == len(arguments)]

    def _nearest(self, tool: str, arguments: dict[str, Any]) -> str:
        """What was called instead, the call that is most like it first."""
        made = self.result.calls
        if not made:
            return f"no tool was called; {self._ended()}"
        own = [one for one in made if one.name == tool]
        nearest = max(
            own or made, key=lambda one: (fits(one, arguments), SequenceMatcher(None, one.name, tool).ratio())
        )
        none = "" if own else f"{self._lens.name(tool)} was never called; "
        unread = f", whose arguments are not JSON ({self._cut(nearest.problem)})" if nearest.problem else ""
        return f"{none}the nearest call was {self._call(nearest)} in turn {nearest.turn}{unread}"

    def _at_most(self, noun: str, most: float) -> Check:
        used: dict[str, float | None] = {
            "turn": self.result.turns_used, "call": len(self.result.calls), "error": len(self.result.tool_errors),
            "token": self.result.usage.total, "second": self.result.seconds,
        }  # fmt: skip
        number, wanted = used[noun], f"at most {most:g} {noun}{'' if most == 1 else 's'}"
        if number is None:
            return self._with(False, f"Expected {wanted}, but nobody counted them.")
        spent = f"{number:.3g} {noun}s" if noun == "second" else counted(int(number), noun)
        if number <= most:
            return self._with(True, f"The run took {spent}, of {most:g} at most.")
        return self._with(False, f"Expected {wanted}, but it took {spent}.")

    def _errors(self, kind: str | None, tool: str | None) -> list[ToolResult]:
        if kind is not None and kind not in KINDS:
            raise ConfigurationError(f"there is no error of kind {kind!r}; a kind is one of {', '.join(KINDS)}")
        return [
            one for one in self.result.results
            if one.error and kind in (None, one.error.kind) and tool in (None, one.call.name)
        ]  # fmt: skip

    def _made_good(self, failed: ToolResult) -> bool:
        invented = failed.error is not None and failed.error.kind == "unknown_tool"
        later = [one for one in self.result.results if one.call.turn > failed.call.turn and one.error is None]
        return any(invented or one.call.name == failed.call.name for one in later)

    def _wanted(self, tool: str, arguments: dict[str, Any]) -> str:
        given = ", ".join(f"{name}={self._value(value)}" for name, value in arguments.items())
        return f"{self._lens.name(tool)}({given})" if arguments else self._lens.name(tool)

    def _call(self, call: ToolCall) -> str:
        if not isinstance(call.parsed, dict):
            return f"{self._lens.name(call.name)}({self._cut(call.arguments)})"
        given = ", ".join(f"{name}={json_of(value)}" for name, value in call.parsed.items())
        return f"{self._lens.name(call.name)}({self._cut(given) if given else ''})"

    def _error(self, result: ToolResult) -> str:
        error = result.error
        return f"{spoken(error.kind)}, {self._cut(error.error).rstrip('.')}" if error else "nothing"

    def _of(self, kind: str | None, tool: str | None) -> str:
        told = f" of kind {spoken(kind)}" if kind else ""
        return f"{told} in {self._lens.name(tool)}" if tool is not None else told

    def _ended(self) -> str:
        reason = self.result.stop_reason
        failed = f" ({self._cut(self.result.error.message)})" if self.result.error else ""
        return "the run goes on" if reason == "running" else f"the run ended with {spoken(reason)}{failed}"

    def _value(self, value: Any) -> str:
        return self._lens.gist(json_of(value), SHORT)

    def _quoted(self, text: str) -> str:
        return f"“{self._cut(text)}”"

    def _cut(self, text: str) -> str:
        return self._lens.gist(text, LONG)

    # How it is shown.

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings)) or NOTHING

    def __repr__(self) -> str:
        held = sum(one.held for one in self.findings)
        return f"Check({held} of {len(self.findings)} held)"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from hermes_nb.views.markup.said import sentences

        told = [("✓" if one.held else "✗", one.sentence) for one in self.findings] or [("", NOTHING)]
        return {"text/plain": str(self), "text/html": sentences(told)}


NOTHING = 'Nothing was checked yet: say what is wanted, as in .called("add", a=2).'


def check(result: Any) -> Check:
    """A check of a run, of which nothing was looked at yet: `hn.check(result).called("add", a=2).answered("5")`.

    Args:
        result: an AgentResult, or a LiveRun as far as it has come.

    >>> import hermes_nb as hn
    >>> result = hn.HermesAgentLoop(hn.ScriptedServer(["It is 5."])).run_sync("What is 2 + 3?")
    >>> print(check(result).answered("5").called("add", a=2))
    ✓ The answer says “5”.
    ✗ Expected a call of add(a=2), but no tool was called; the run ended with finished.

    Raises:
        TypeError: it is no run.
    """
    run = run_of(result)
    if run is None:
        told = "a list: check its runs one by one" if isinstance(result, list | tuple) else type(result).__name__
        raise TypeError(f"a run is checked, what `await loop.run(...)` gives; this is {told}")
    return Check(run)
