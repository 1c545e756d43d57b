"""A whole run as a ledger: its header, its answer, and the rows there is room for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from hermes_nb.display import Displayed
from hermes_nb.messages import Message
from hermes_nb.records import AgentResult, RunError, ToolCall, ToolResult, Turn
from hermes_nb.redact import Redactor
from hermes_nb.views.rows import calls, words
from hermes_nb.views.rows.drawing import UNRECORDED, Drawing, role_of, rows_of
from hermes_nb.views.rows.entries import Ledger, Row
from hermes_nb.views.rows.legible import Lens, counted
from hermes_nb.views.rows.strips import Recorded

MOST_ROWS = 200
MOST_ERRORS = 40
"""Of the rows in the middle of a long run, so many that failed are shown all the same, each with its turn."""

Size = tuple[int, int]
"""How many rows some turns have, drawn together, and how many of these are errors."""

ONE_CALL: Size = (2, 0)
"""The size of a turn that is nothing but a call that went well, and of several that are alike."""

ANSWER_LINES, ANSWER_CHARACTERS = 200, 16_000
GROWN = {"follow_up": "follow-up", "resume": "resumed", "fork": "fork", "import": "imported"}


def ledger(
    shown: Displayed,
    redactor: Redactor | None = None,
    *,
    lens: Lens | None = None,
    turns: Collection[int] | None = None,
    opened: Collection[int] | None = None,
    tracebacks: bool = False,
    asking: Collection[str] = (),
    most: int = MOST_ROWS,
) -> Ledger:
    """A run, or a part of one, as it is shown: without secrets, with nothing invisible, of bounded size.

    `turns` are those to show (None: all, with the answer); rows of the turns in `opened` (None: all) hold sections,
    with `tracebacks`, those too. `asking` are the ids of calls that wait for a person. At most about `most` rows.

    Raises:
        ValueError: the run has no such turn.
        TypeError: it is nothing of a run.
    """
    lens = lens or Lens(redactor or Redactor())
    result = run_of(shown)
    if result is None:
        recorded = Recorded((shown,)) if isinstance(shown, Turn) else UNRECORDED
        unanswered = words.NOTHING
        told = Drawing(lens=lens, opened=opened, tracebacks=tracebacks, unanswered=unanswered, recorded=recorded)
        return card(shown, told)
    going = result.stop_reason == "running"
    drawing = Drawing(
        lens=lens,
        opened=opened,
        tracebacks=tracebacks,
        going=going,
        unanswered=words.RUNNING if going else words.CUT_OFF,
        asking=asking,
        last=result.turns[-1].number if result.turns else 0,
        recorded=Recorded(result.turns),
    )
    if turns is None:
        return whole(result, drawing, most)
    kept, head = chosen(result, turns), _Run(lens, result).head(asking)
    return replace(head, names=(*head.names, named(kept)), rows=rows(kept, drawing, most, ()))


def whole(result: AgentResult, drawing: Drawing, most: int) -> Ledger:
    """A run with its answer and all its rows, as far as there is room."""
    lens, answer = drawing.lens, words.answer(result)
    run = _Run(lens, result)
    return replace(
        run.head(drawing.asking),
        answer=lens.block(answer, ANSWER_LINES, ANSWER_CHARACTERS) if answer else None,
        note="" if answer else words.no_answer(result),
        error=run.error(result.error) if result.error else (),
        rows=rows(result.turns, drawing, most, opening(result, drawing)),
    )


def run_of(shown: object) -> AgentResult | None:
    """The run itself, or, of a run that goes on, as far as it has come; None for a part of one."""
    if isinstance(shown, AgentResult):
        return shown
    result = getattr(shown, "result", None)
    return result if isinstance(result, AgentResult) else None


def runs_of(results: object) -> list[AgentResult]:
    """One run or several, as a list.

    Raises:
        TypeError: something among them is no run.
    """
    one = run_of(results)
    if one is not None:
        return [one]
    if not isinstance(results, Iterable):
        raise TypeError(f"a run is wanted, or several; this is of type {type(results).__name__}")
    told = []
    for each in results:
        result = run_of(each)
        if result is None:
            raise TypeError(f"a run is wanted; this is of type {type(each).__name__}")
        told.append(result)
    return told


def card(shown: object, drawing: Drawing) -> Ledger:
    """A turn, a call or a call's result, by itself.

    Raises:
        TypeError: it is none of these.
    """
    if isinstance(shown, Turn):
        return Ledger(rows=tuple(drawing.turn(shown)))
    if isinstance(shown, ToolCall):
        return Ledger(rows=(drawing.answer(shown, None, shown.turn),))
    if isinstance(shown, ToolResult):
        return Ledger(rows=(drawing.answer(shown.call, shown, shown.call.turn),))
    raise TypeError(f"a view shows a run, a turn, a call, or a call's result; this is of type {type(shown).__name__}")


def chosen(result: AgentResult, turns: Collection[int]) -> list[Turn]:
    """The turns with these numbers.

    Raises:
        ValueError: there is none with one of them.
    """
    known = {turn.number for turn in result.turns}
    for number in turns:
        if number not in known:
            raise ValueError(f"this run has no turn {number}: it has turns 1 to {len(known)}")
    return [turn for turn in result.turns if turn.number in turns]


def named(turns: Sequence[Turn]) -> str:
    """`turns 3, 4`."""
    numbers = ", ".join(str(turn.number) for turn in turns)
    return f"turn{'' if len(turns) == 1 else 's'} {numbers}"


def rows(turns: Sequence[Turn], drawing: Drawing, most: int, before: Iterable[Row]) -> tuple[Row, ...]:
    """The first rows of a run and the last, between them those of turns that failed, and how many are not shown. Only
    what is shown is drawn."""
    groups, sizes = grouped(turns, drawing.opened or ())
    first = list(before)
    half, left = most // 2, len(first) - most // 2 - most // 4
    drawn = [first] if left <= 0 else [first[:half], [cut_row(left, 0)], first[half + left :]]
    at = 0
    for index in fitting(sizes, most):
        drawn += [[cut_of(sizes[at:index])]] if index > at else []
        alike, at = groups[index], index + 1
        drawn.append(list(drawing.folded(alike) if len(alike) > 1 else drawing.turn(alike[0])))
    drawn += [[cut_of(sizes[at:])]] if at < len(sizes) else []
    return tuple(row for part in drawn for row in part)


def grouped(turns: Sequence[Turn], opened: Collection[int]) -> tuple[list[list[Turn]], list[Size]]:
    """The turns, three or more together that do nothing but the same call, but for those to be opened; and the size of
    each group."""
    groups, sizes, before, alike = list[list[Turn]](), list[Size](), None, 0
    for turn in turns:
        tool = None if opened and turn.number in opened else calls.only_call(turn)
        alike = alike + 1 if tool is not None and tool == before else 1
        before = tool
        if alike > calls.FOLDED:
            groups[-1].append(turn)
        elif alike == calls.FOLDED:
            groups[-2:] = [[*groups[-2], *groups[-1], turn]]
            del sizes[-1]
        else:
            groups.append([turn])
            sizes.append(rows_of(turn) if tool is None else ONE_CALL)
    return groups, sizes


def fitting(sizes: Sequence[Size], most: int) -> Sequence[int]:
    """Which groups are shown: all; or the first, the last, and of those between the first ones that failed."""
    numbers = range(len(sizes))
    if sum([rows for rows, _ in sizes]) <= most:
        return numbers
    shown = within(numbers, sizes, most // 2) | within(reversed(numbers), sizes, most // 2)
    failed = [index for index in numbers if sizes[index][1] and index not in shown]
    return sorted(shown | within(failed, sizes, MOST_ERRORS))


def within(numbers: Iterable[int], sizes: Sequence[Size], most: int) -> set[int]:
    """As many of these groups, in their order, as have `most` rows together; always the first of them."""
    kept, used = set[int](), 0
    for number in numbers:
        used += sizes[number][0]
        if kept and used > most:
            break
        kept.add(number)
    return kept


def cut_of(hidden: Sequence[Size]) -> Row:
    """The row that stands for groups of these sizes."""
    return cut_row(sum([rows for rows, _ in hidden]), sum([errors for _, errors in hidden]))


def cut_row(missing: int, errors: int) -> Row:
    """The row that stands for those that are not shown."""
    with_errors = f", {counted(errors, 'error')} among them" if errors else ""
    return Row(who="cut", gist=f"cut here: {counted(missing, 'row')} more{with_errors}")


def opening(result: AgentResult, drawing: Drawing) -> Iterator[Row]:
    """The conversation the run starts from; what was said in it earlier is counted, not told again."""
    messages = opening_messages(result)

    def drawn(index: int) -> Row:
        return drawing.message(messages[index], f"0.message{index}")

    spoken = [index for index, message in enumerate(messages) if message.get("role") in ("assistant", "tool")]
    if not result.turns or not spoken:
        yield from map(drawn, range(len(messages)))
        return
    first = next((index for index, message in enumerate(messages) if role_of(message) != "system"), 0)
    yield from map(drawn, range(first))
    kinds = [role_of(message) for message in messages[first : spoken[-1] + 1]]
    told = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    yield Row(who="earlier", key="0.earlier", gist=f"{counted(len(kinds), 'message')}: {told}")
    yield from map(drawn, range(spoken[-1] + 1, len(messages)))


def opening_messages(result: AgentResult) -> list[Message]:
    """The messages that were there before the first turn."""
    if not result.turns:
        return result.messages
    made = sum([len(turn.added_messages) + (turn.reply is not None) + len(turn.results) for turn in result.turns])
    return result.messages[: max(len(result.messages) - made, 0)]


@dataclass(frozen=True, slots=True)
class _Run:
    """What stands above a run's rows."""

    lens: Lens
    result: AgentResult

    def head(self, asking: Collection[str]) -> Ledger:
        glyph, ended = words.ending(self.result, asking=asking)
        return Ledger(glyph=glyph, ended=ended, names=self.names(), facts=self.facts())

    def names(self) -> tuple[str, ...]:
        """The model, the dataset's item, and what the run grew from."""
        told = [name for name in (model_of(self.result, self.lens), item_of(self.result, self.lens)) if name]
        return (*told, GROWN[self.result.origin.kind]) if self.result.origin else tuple(told)

    def facts(self) -> tuple[str, ...]:
        facts, left = words.facts(self.result), self.result.abandoned
        return (*facts, f"still running: {', '.join(map(self.lens.name, left))}") if left else facts

    def error(self, error: RunError) -> tuple[str, ...]:
        """What a server failed with: its words, what to try, and what it sent."""
        kind = error.type if error.status is None else f"{error.type} {error.status}"
        told = [self.lens.gist(f"{kind}: {error.message}", 400)]
        told += [self.lens.gist(error.hint, 400)] if error.hint else []
        return (*told, f"The server sent: {self.lens.gist(error.body, 200)}") if error.body else tuple(told)


def model_of(result: AgentResult, lens: Lens) -> str:
    """The model that replied last, else the one that was asked; empty where neither is known."""
    server = result.provenance.server if result.provenance else {}
    replied = next((turn.reply.model for turn in reversed(result.turns) if turn.reply and turn.reply.model), None)
    model = replied or server.get("model") or server.get("name")
    return lens.name(str(model)) if model else ""


def item_of(result: AgentResult, lens: Lens) -> str:
    """`airline 15, attempt 1`: the item of the dataset; empty for a run without one."""
    if result.task is None:
        return ""
    return f"{lens.gist(result.task)}{f', attempt {result.attempt}' if result.attempt else ''}"
