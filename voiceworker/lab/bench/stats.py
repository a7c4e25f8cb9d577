"""Figures out of pairs: quantiles, ratios with a bootstrap interval, the order in which systems take turns. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 4000
_SEED = 20_261


def abba(systems: Sequence[str], rounds: int) -> list[tuple[str, ...]]:
    """Who is measured when: each round has every system once, and every second round runs backwards.

    A slow drift of the machine then weighs on all of them alike (A B B A, for three A B C C B A).
    """
    forwards = tuple(systems)
    return [forwards if number % 2 == 0 else forwards[::-1] for number in range(rounds)]


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie, interpolated; NaN when there are none."""
    return float(np.quantile(values, share)) if len(values) else float("nan")


@dataclass(frozen=True, slots=True)
class Interval:
    value: float
    low: float
    "95 % lie between low and high"
    high: float
    pairs: int

    def excludes_above(self, bound: float) -> bool:
        """Whether the whole interval lies at or below the bound."""
        return self.high <= bound


@dataclass(frozen=True, slots=True)
class Pairs:
    """What two systems did in the same rounds, with the same speech and the same draw of the providers' delays."""

    ours: npt.NDArray[np.float64]
    peers: npt.NDArray[np.float64]

    @classmethod
    def of(cls, ours: Sequence[float | None], peers: Sequence[float | None]) -> Pairs:
        """Leaves out the rounds in which either has no figure. Raises ValueError when the lengths differ."""
        both = [(our, peer) for our, peer in zip(ours, peers, strict=True) if our is not None and peer is not None]
        table = np.array(both, dtype=np.float64).reshape(-1, 2)
        return cls(table[:, 0], table[:, 1])

    def __len__(self) -> int:
        return len(self.ours)


def ratio(pairs: Pairs, share: float = 0.5, *, seed: int = _SEED) -> Interval:
    """Quantile of ours over the same quantile of the peer's (0.5: ratio of medians), with its 95 % interval.

    The rounds are drawn again as pairs, so what one round did to both does not widen the interval. NaN without pairs.
    """
    return _ratio(pairs.ours, pairs.peers, share, seed, paired=True)


def unpaired_ratio(ours: Sequence[float], peers: Sequence[float], share: float = 0.5, *, seed: int = _SEED) -> Interval:
    """As `ratio`, for samples that have no partner in the other system (join times, say); drawn independently."""
    return _ratio(np.asarray(ours, np.float64), np.asarray(peers, np.float64), share, seed, paired=False)


def _ratio(
    ours: npt.NDArray[np.float64], peers: npt.NDArray[np.float64], share: float, seed: int, *, paired: bool
) -> Interval:
    count = min(len(ours), len(peers))
    if count == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    random = np.random.default_rng(seed)
    first = random.integers(0, len(ours), (RESAMPLES, len(ours)))
    second = first if paired else random.integers(0, len(peers), (RESAMPLES, len(peers)))
    ratios = np.quantile(ours[first], share, axis=1) / np.quantile(peers[second], share, axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    value = np.quantile(ours, share) / np.quantile(peers, share)
    return Interval(float(value), float(low), float(high), count)


def share_of(successes: int, trials: int) -> Interval:
    """A share of trials with its 95 % interval by Wilson (1927): honest for few trials and near 0 and 1."""
    if trials == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    z = 1.959964
    share = successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return Interval(share, max(0.0, float(middle - half)), min(1.0, float(middle + half)), trials)


def slope(counts: Sequence[float], values: Sequence[float]) -> float:
    """What one more costs: the linear fit's gradient; NaN with fewer than two different counts."""
    if len(set(counts)) < 2:
        return float("nan")
    return float(np.polyfit(counts, values, 1)[0])
