"""What is told of the agent's voice as it leaves for the caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from voiceworker.runtime.playout_ledger import Samples


@dataclass(frozen=True, slots=True)
class Audible:
    """The first sample of a segment that can be heard (above -50 dB) left for the network."""

    segment: int
    at: float
    "monotonic seconds; the caller hears it one transit later"
    wall: float
    "the same moment, `time.time()`"
    position_seconds: float
    "its place in the segment: the silence before it"


@dataclass(frozen=True, slots=True)
class Silent:
    """The last sample of an audible segment left for the network (or will, at `at`)."""

    segment: int
    at: float
    wall: float
    was_cut: bool


class PlayoutListener(Protocol):
    """Hears of the playout as it happens. Called on the event loop; must not block or raise."""

    def audible(self, event: Audible) -> None: ...

    def silent(self, event: Silent) -> None: ...

    def played(self, samples: Samples, at: float) -> None:
        """`samples` (24 kHz, gain applied) left for the network, the first of them at `at` (monotonic)."""
        ...
