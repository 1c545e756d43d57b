"""Lets records show themselves: nothing of a view is loaded before a notebook, or `print`, asks for it."""

from __future__ import annotations

from typing import Any


class Displayed:
    """Something that `hermes_nb.views` draws: as text, and as HTML without script."""

    __slots__ = ()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from hermes_nb import views

        return {"text/plain": views.text(self), "text/html": views.html(self)}


class Printed(Displayed):
    """The same, and `print` shows it as text, too."""

    __slots__ = ()

    def __str__(self) -> str:
        from hermes_nb import views

        return views.text(self)
