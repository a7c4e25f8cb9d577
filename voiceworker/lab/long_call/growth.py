"""Whether what a process holds grows with its call: judged by the whole course, not by its end; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from statistics import median
from typing import Any

WARM_UP_SHARE = 1 / 3
"of the call, in which caches fill and histories reach their bounds"

_CLEAR = 3.5
"standard deviations of Mann and Kendall's statistic: of thousands of figures none passes it by chance"

_FIGURES = ("memory_kilobytes", "tasks", "threads", "descriptors", "objects")


@dataclass(frozen=True, slots=True)
class Course:
    """How a figure goes after the warm-up."""

    per_thousand_turns: float
    "the middle of all slopes between two samples (Theil and Sen)"
    clearness: float
    "of its rising: 0 by chance, above _CLEAR surely (Mann and Kendall)"
    first: float
    last: float
    "the middle of the first and of the last third"

    @property
    def rises(self) -> bool:
        return self.clearness > _CLEAR


def course(points: Sequence[tuple[int, float]]) -> Course:
    """Of (turn, value), the warm-up included. Raises ValueError when there are fewer than six of them."""
    steady = points[round(len(points) * WARM_UP_SHARE) :]
    if len(steady) < 4:
        raise ValueError("too few samples to tell a course")
    slopes = [(b - a) / (at_b - at_a) for (at_a, a), (at_b, b) in combinations(steady, 2)]
    signs = sum((slope > 0) - (slope < 0) for slope in slopes)
    count, third = len(steady), max(1, len(steady) // 3)
    deviation = sqrt(count * (count - 1) * (2 * count + 5) / 18)
    values = [value for _, value in steady]
    return Course(1000 * median(slopes), signs / deviation, median(values[:third]), median(values[-third:]))


def courses(samples: Sequence[Mapping[str, Any]]) -> dict[str, Course]:
    """Of all figures in the samples of a report, by name; containers and types that were ever seen with theirs."""
    found = {name: course([(sample["turn"], sample[name]) for sample in samples]) for name in _FIGURES}
    for group in ("sizes", "types"):
        for name in sorted({name for sample in samples for name in sample[group]}):
            points = [(sample["turn"], sample[group].get(name, 0)) for sample in samples]
            found[f"{group}: {name}"] = course(points)
    return found


def growing(found: Mapping[str, Course], *, least: float = 2.0, apart_from: Iterable[str] = ()) -> dict[str, Course]:
    """Those that surely rise, and by `least` or more from the first third of the steady time to the last."""
    excused = tuple(apart_from)
    return {
        name: one
        for name, one in found.items()
        if one.rises and one.last - one.first >= least and not name.startswith(excused)
    }
