"""What all parsers share: the records they give, how a growing text is read, JSON and schemas."""

from hermes_nb.parsers.base.formats import THINK, Format, Parser, Stream
from hermes_nb.parsers.base.reading import Reader, Reading
from hermes_nb.parsers.base.records import Call, Evidence, Parsed, Piece, Problem
from hermes_nb.parsers.base.stops import Stops, stops
from hermes_nb.parsers.base.values import Schemas

__all__ = [
    "THINK", "Call", "Evidence", "Format", "Parsed", "Parser", "Piece", "Problem", "Reader", "Reading", "Schemas",
    "Stops", "Stream", "stops",
]  # fmt: skip
