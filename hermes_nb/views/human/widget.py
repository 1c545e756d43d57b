"""The form itself: an anywidget with one script and one style. Its state holds nothing of any request."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

try:
    import anywidget
except ModuleNotFoundError as error:
    from hermes_nb.exceptions import MissingDependency

    raise MissingDependency("the form of a HumanServer", "lab") from error

from hermes_nb.views.human.desk import Desk

STATIC = files("hermes_nb.views") / "static"


class HumanForm(anywidget.AnyWidget):
    """A form in which a person answers as the model."""

    _esm = (STATIC / "human.js").read_text(encoding="utf-8")
    _css = "\n".join((STATIC / name).read_text(encoding="utf-8") for name in ("run.css", "human.css"))

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        super().__init__()
        desk.connect(self.send)
        self.on_msg(self._hear)

    def _hear(self, _: Any, content: object, __: Any) -> None:
        self._desk.hear(content)

    def bundle(self) -> dict[str, Any]:
        """What shows the form."""
        shown, *_ = super()._repr_mimebundle_() or ({},)
        return {kind: value for kind, value in dict(shown).items() if "widget-view" in kind}

    def close(self) -> None:
        """Close the form wherever it is shown; requests wait on."""
        self._desk.close()
        layout = self.layout
        super().close()
        layout.close()

    def __repr__(self) -> str:
        return f"HumanForm({self._desk!r})"
