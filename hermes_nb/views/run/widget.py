"""The window itself: an anywidget with one script and one style. Its state holds nothing of the run."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

try:
    import anywidget
except ModuleNotFoundError as error:
    from hermes_nb.exceptions import MissingDependency

    raise MissingDependency("the live view of a run", "lab") from error

from hermes_nb.views.run.feed import Feed
from hermes_nb.views.run.requests import Close, heard

STATIC = files("hermes_nb.views") / "static"


class RunView(anywidget.AnyWidget):
    """A window on a run. Show it as often as you like; `close()` lets go of it, as does clearing the last output that
    shows it.

    A notebook that is saved keeps the run's static form, never the state of this.
    """

    _esm = (STATIC / "run.js").read_text(encoding="utf-8")
    _css = (STATIC / "run.css").read_text(encoding="utf-8")

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        super().__init__()
        feed.connect(self.send)
        self.on_msg(self._hear)

    def _hear(self, _: Any, content: object, __: Any) -> None:
        if isinstance(heard(content), Close):
            self.close()
        else:
            self._feed.hear(content)

    def go(self, at: str) -> None:
        """Open the row at "4", turn 4, or at "4.2", its second call, and have it in sight.

        Raises:
            ValueError: the run has none there.
        """
        self._feed.go(self._feed.place(at))

    def close(self) -> None:
        """Close the window wherever it is shown, and let go of the run, which goes on."""
        self._feed.close()
        layout = self.layout
        super().close()
        layout.close()

    def __repr__(self) -> str:
        return f"RunView({self._feed.result!r})"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = super()._repr_mimebundle_(**kwargs)
        shown = bundle[0] if isinstance(bundle, tuple) else bundle or {}
        return {**shown, **self._feed.result._repr_mimebundle_()}, {}
