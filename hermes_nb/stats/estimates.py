"""A number that stands for more than was seen, with the interval that says how much more.

`wilson` is the interval of a share, `mean` that of a mean, by resampling. Nothing seen gives an estimate whose value
and interval are None: unknown, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy import stats

from hermes_nb.exceptions import ConfigurationError

LEVEL = 0.95
RESAMPLES = 9999
AT_ONCE = 4_000_000
"""How many resampled values are held at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value, the interval around it at `level`, and the `count` of `of` (runs, tasks, calls) that it was seen in.

    `value` is None when nothing was seen, `low` and `high` when that is too little for an interval. `method` names the
    interval's. `notes` say what was left out, and why.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int
    of: str
    level: float = LEVEL
    method: str = "Wilson"
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        shown = f"NA, no {self.of}"
        if self.value is not None:
            interval = shown_interval(self.low, self.high, self.level)
            shown = f"{number(self.value)}, {interval} ({self.method}), {self.count} {self.of}"
        return f"Estimate({'; '.join([shown, *self.notes])})"


def shown_interval(low: float | None, high: float | None, level: float, signed: bool = False) -> str:
    """`95 % interval 0.138 to 0.609`."""
    bounds = "NA" if low is None or high is None else f"{number(low, signed)} to {number(high, signed)}"
    return f"{100 * level:.4g} % interval {bounds}"


def number(value: float | None, signed: bool = False) -> str:
    """Three digits after the point, or NA."""
    return "NA" if value is None else f"{value:+.3f}" if signed else f"{value:.3f}"


def checked_level(level: float) -> float:
    """The level itself.

    Raises:
        ConfigurationError: it is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ConfigurationError(f"an interval's level is a share between 0 and 1, such as 0.95, not {level!r}")
    return level


def wilson(count: int, of: int, level: float = LEVEL) -> tuple[float, float] | None:
    """The interval of a share `count / of` by Wilson's score test; None when `of` is 0.

    It is within 0 and 1, holds the share itself, and keeps close to its level for few cases and for shares near 0 and
    1, where the usual `p ± z·se` fails. It takes the cases for independent. Wilson, E. B. (1927), Probable inference,
    the law of succession, and statistical inference, JASA 22:209-212.

    >>> low, high = wilson(9, 10)
    >>> f"{low:.2f} to {high:.2f}"
    '0.60 to 0.98'

    Raises:
        ConfigurationError: more were counted than there are, fewer than none, or `level` is no share.
    """
    if not 0 <= count <= of:
        raise ConfigurationError(f"{count} of {of} is no share")
    z = NormalDist().inv_cdf((1 + checked_level(level)) / 2)
    return _wilson(count / of, of, z) if of else None


def _wilson(share: float, of: int, z: float) -> tuple[float, float]:
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    # At 0 and 1 the bound is the share itself, but for rounding.
    return min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share)


def rate(count: int, of: int, what: str, level: float = LEVEL, notes: Sequence[str] = ()) -> Estimate:
    """The share `count / of` as an estimate."""
    low, high = wilson(count, of, level) or (None, None)
    value = count / of if of else None
    return Estimate(value=value, low=low, high=high, count=of, of=what, level=level, notes=tuple(notes))


def mean(
    values: Sequence[float], what: str, *, level: float = LEVEL, seed: int = 0, shares: bool = False,
    notes: Sequence[str] = (),
) -> Estimate:  # fmt: skip
    """The values' mean, with the interval of the means of resampled values (percentile bootstrap, `seed`).

    Values that are all alike say nothing about how far others might be: then there is no interval, but for `shares`
    (values within 0 and 1), which get Wilson's over as many cases. That one is never too narrow: no variable within 0
    and 1 varies more than one that is either.
    """
    checked_level(level)
    at = np.asarray(values, dtype=float)
    value = float(at.mean()) if len(at) else None
    spread = resampled(at, level, seed)
    method = "bootstrap"
    if spread is None and value is not None and shares:
        spread, method = _wilson(value, len(at), NormalDist().inv_cdf((1 + level) / 2)), "Wilson"
    low, high = spread or (None, None)
    return Estimate(
        value=value, low=low, high=high, count=len(at), of=what, level=level, method=method, notes=tuple(notes)
    )


def resampled(values: np.ndarray, level: float, seed: int) -> tuple[float, float] | None:
    """The bounds between which `level` of the means of resampled values lie; None when all values are alike."""
    if len(values) == 0 or np.ptp(values) == 0:
        return None
    found = stats.bootstrap(
        (values,), np.mean, vectorized=True, confidence_level=level, n_resamples=RESAMPLES, method="percentile",
        batch=max(1, AT_ONCE // len(values)), rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
