"""Cassette: a journal that answers in a server's place.

loop = HermesAgentLoop(None, tools=[add], cassette=Cassette("data/cassettes/sum.jsonl"))
result = await loop.run("What is 2 + 3?")     # as it was recorded: offline, in milliseconds, and no key is needed
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from hermes_nb.exceptions import ConfigurationError
from hermes_nb.messages import Message
from hermes_nb.redact import Secret
from hermes_nb.servers import base
from hermes_nb.servers.base import Mode, Server
from hermes_nb.servers.cassette.differences import Eye
from hermes_nb.servers.cassette.file import CassetteFile
from hermes_nb.servers.cassette.finding import Start
from hermes_nb.servers.cassette.playing import MissingTape, PlayedTape
from hermes_nb.servers.cassette.tape import Tape
from hermes_nb.servers.cassette.taping import RecordedTape

__all__ = ["Cassette", "Tape"]

Tools: TypeAlias = Literal["replay", "live"]


class Cassette:
    """A file of recorded runs: what is in it is played, and what is not can be recorded. Give it to a loop, or a run.

    A recording is found by the run's task and attempt; those of the same task and attempt, or of none, are told apart
    by the messages they start with. At every turn what is sent is compared with what was recorded: messages, tools and
    settings, but not `stream`. Any journal of this library can be played.

    Args:
        path: the file; it need not be there to record.
        server: whom to ask when recording; by default the loop's own.
        tools: "replay" gives the recorded results, so that nothing is done twice; "live" runs the tools.
        mode: "auto" plays what is recorded, and records what is not if there is a server; "record" records anew, in the
            place of the recordings of the same runs; "replay" never asks a server; "live" asks, and records nothing.
            The environment variable HERMES_NB_CASSETTE has the last word.
        on_miss: what happens where a run is not as recorded. "error" ends it, and says what differs; with "live", or
            another server, that server goes on from there, and nothing is recorded. In "replay" it is always an error.

    A run is recorded with the secrets taken out, and added as a whole when it is over. One that was interrupted is not,
    and in "auto" neither is one that its server failed. Until then it stands beside the file, in a journal of its own
    whose name ends in `.part`; a process that dies leaves it behind.

    Raises:
        ConfigurationError: an argument is not one of these.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        server: Server | None = None,
        *,
        tools: Tools = "replay",
        mode: Mode = "auto",
        on_miss: Literal["error", "live"] | Server = "error",
    ) -> None:
        self.path = Path(path)
        self.server = server
        self.tools: Tools = base.known("tools", tools, get_args(Tools))
        self.mode: Mode = base.known("mode", mode, get_args(Mode))
        self._other: Any = on_miss if hasattr(on_miss, "chat_completion") else None
        self.on_miss = base.known("on_miss", on_miss, ("error", "live")) if self._other is None else on_miss
        self._file = CassetteFile(self.path)
        self._eye: tuple[object, Eye] = (None, Eye())

    def tape(
        self,
        *,
        messages: Sequence[Message],
        task: str | None = None,
        attempt: int = 0,
        server: Server | None = None,
        toolbox_schemas: Sequence[Mapping[str, Any]] = (),
        sampling: Mapping[str, Any] | None = None,
        secrets: Iterable[str | Secret] = (),
        environ: Mapping[str, str] | None = None,
    ) -> Tape:
        """This run's part of the cassette; asked for by the loop when a run starts.

        Raises:
            ConfigurationError: the mode is none, or asks for a server or a file that is not there.
            JournalError: the file is no journal, of a newer major version, or damaged.
        """
        asked = self.server if self.server is not None else server
        mode = base.mode_in(environ or {}) or self.mode
        known = frozenset(secrets) | base.secrets_of(asked)
        if mode in ("record", "live"):
            if asked is None:
                raise ConfigurationError(f"with mode={mode!r} {self!r} asks a server: give it one, or the loop")
            return Tape(asked) if mode == "live" else RecordedTape(asked, file=self._file, secrets=known, anew=True)
        behind = None if mode == "replay" else asked if self.on_miss == "live" else self._other
        if behind is None and (mode == "replay" or asked is None) and not self._file.is_there:
            raise ConfigurationError(f"the cassette {self.path} is not there, and there is no server to record it with")
        start = Start(
            task=task, attempt=attempt, messages=messages, tools=toolbox_schemas, sampling=sampling or {},
            eye=self._eye_for(known),
        )  # fmt: skip
        name, found = self.path.name, start.find(self._file.recordings(), self.path.name)
        if found.recording is not None:
            live = self.tools == "live"
            return PlayedTape(found.recording, eye=start.eye, behind=behind, live_tools=live, name=name)
        if found.is_new and mode == "auto" and asked is not None:
            return RecordedTape(asked, file=self._file, secrets=known, anew=False)
        return MissingTape(found.told, name=name) if behind is None else Tape(behind)

    def _eye_for(self, secrets: frozenset[str | Secret]) -> Eye:
        """The eye that sees without these secrets; the same one for all runs at a time, for it remembers."""
        known, eye = self._eye  # At once: another thread may have other secrets.
        if known != secrets:
            eye = Eye(secrets)
            self._eye = (secrets, eye)
        return eye

    def __repr__(self) -> str:
        return f"Cassette({self.path.name}, {self.mode})"
