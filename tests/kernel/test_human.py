"""A person's reply in a real kernel: from another cell, beside one that waits for it, or never."""

from __future__ import annotations

import pytest

from tests.kernel.driving import Bell, Kernel

pytestmark = pytest.mark.usefixtures("nothing_left")

SETUP = """
import asyncio, gc
import hermes_nb as hn

class Ringing:
    "Rings when a request waits."
    def changed(self):
        if human.waiting:
            bell()
        return True

human = hn.HumanServer()
ringing = Ringing()
human.watch(ringing)
loop = hn.HermesAgentLoop(human)
"""


@pytest.fixture
def ready(kernel: Kernel, bell: Bell) -> Kernel:
    """A kernel with a `human`, and a `loop` that asks them."""
    cell = kernel.run(f"{bell.code}{SETUP}")
    assert cell.ok, cell.error
    return kernel


def test_a_later_cell_gives_the_reply(ready: Kernel, bell: Bell) -> None:
    assert ready.run("run = loop.start('?')").ok
    bell.wait()
    assert ready.run("human.answer('From a later cell.')").ok
    cell = ready.run("print((await run).final_text, human)")

    assert (cell.error, cell.printed) == (
        None, "From a later cell. HumanServer(human · 1 answered · 0 waiting)\n",
    )  # fmt: skip


@pytest.mark.parametrize("how", ["await loop.run('?')", "loop.run_sync('?')"], ids=["awaited", "run_sync"])
def test_a_form_on_a_subshell_is_heard_while_a_cell_waits(ready: Kernel, bell: Bell, how: str) -> None:
    begun = ready.begin(f"print(({how}).final_text)")
    bell.wait()
    with ready.subshell() as subshell:  # As the form's messages come from the lab: on a thread of its own.
        said = ready.begin(
            "from hermes_nb.views.human import Desk\nDesk(human).hear({'ask': 'reply', "
            "'question': human.waiting[0].id, 'text': 'Heard.', 'calls': []})",
            subshell=subshell,
        )
        cell, other = ready.ended(begun, said)

    assert (cell.error, cell.printed, other.error) == (None, "Heard.\n", None)


@pytest.mark.parametrize("how", ["await loop.run('?')", "loop.run_sync('?')"], ids=["awaited", "run_sync"])
def test_an_interrupt_ends_the_waiting_and_leaves_nothing(ready: Kernel, bell: Bell, how: str) -> None:
    cell = ready.interrupted(how, bell, what="a run that waits for a person")

    assert cell.error is not None
    assert ready.value("[len(human.waiting), human.answered, loop.last_result.stop_reason]") == [0, 0, "interrupted"]
    assert ready.run("human.answer('For the next.')").ok
    assert ready.run("print((await loop.run('?')).final_text)").printed == "For the next.\n"
