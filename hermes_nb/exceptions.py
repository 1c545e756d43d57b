"""What *we* raise.

    HermesError
    ├── ConfigurationError      something was set up so that no run could start      (a ValueError too)
    │   ├── ToolDefinitionError   a function that cannot be offered to a model
    │   └── WrongLoopError        a client that belongs to another event loop
    ├── MissingDependency       a feature whose shelf is not installed               (an ImportError too)
    ├── JournalError            a file that is no journal, newer, damaged, or taken  (a ValueError too)
    ├── FormatError             a transcript nobody here can read, damaged, or over the bounds   (a ValueError too)
    ├── ServerError             a server's failure, named; the loop turns it into a result
    └── RunFailed               what `raise_for_error()` raises

    JournalWarning              something in a journal was passed over               (a UserWarning)
    FormatWarning               something in a transcript was passed over            (a UserWarning)

What a model or a tool gets wrong is data (`ToolError`), and every way a run can end is a value
(`stop_reason`). Only our own misuse, and the user's, is raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hermes_nb.records import AgentResult, RunError


class HermesError(Exception):
    """The root of everything this library raises on purpose."""


class ConfigurationError(HermesError, ValueError):
    """A loop, server, toolbox or run was asked for something that cannot work; the text says how to mend it."""


class ToolDefinitionError(ConfigurationError):
    """A function cannot be offered as a tool; raised when the Toolbox is made, never in the middle of a run."""


class WrongLoopError(ConfigurationError):
    """A client that was passed in is used on an event loop other than the one it belongs to."""


class MissingDependency(HermesError, ImportError):
    """A feature needs a package that is not installed; the text holds the install line."""

    def __init__(self, feature: str, shelf: str) -> None:
        super().__init__(f"{feature} needs more packages. Install them with: pip install 'hermes_nb[{shelf}]'")
        self.shelf = shelf


class JournalError(HermesError, ValueError):
    """A file that is no journal, is of a newer major version, is damaged (the text says at which line and byte), is
    written by another process, or holds more than one run where one was asked for."""


class JournalWarning(UserWarning):
    """A journal was read, but for something in it that is named: a line whose writing was cut short, say."""


class FormatError(HermesError, ValueError):
    """A transcript is in none of the formats that are known, is damaged (the text says where), or is over the bounds of
    what is read."""


class FormatWarning(UserWarning):
    """A transcript was read, but for something in it that is named: a line whose writing was cut short, say."""


class ServerError(HermesError):
    """A server did not answer with a reply. `error` is the record of it; the loop ends the run with that record."""

    def __init__(self, error: RunError) -> None:
        super().__init__(error.message)
        self.error = error


class RunFailed(HermesError):
    """A run ended badly and the caller asked to be told by an exception. `result` is the whole run."""

    def __init__(self, result: AgentResult) -> None:
        told = f": {result.error.message}" if result.error else ""
        super().__init__(f"the run ended with {result.stop_reason!r}{told}")
        self.result = result
