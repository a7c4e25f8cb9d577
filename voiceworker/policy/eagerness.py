"""How long the agent waits before it takes the turn: one word in the agent's file, three numbers for the framework."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Eagerness = Literal["patient", "balanced", "eager"]


@dataclass(frozen=True, slots=True)
class TurnTiming:
    minimum_silence_seconds: float
    "silence before the turn is taken when the end of turn looks certain"
    maximum_silence_seconds: float
    "silence before the turn is taken however it looks"
    vad_silence_seconds: float
    "silence before the voice detector calls it the end of speech; the turn model needs 0.25 at least"


# The minimum is what a caller feels on every turn, the maximum what he feels when the turn model misjudges him;
# people leave 0.2 s between turns (Stivers 2009), and up to 1 s inside one.
_TIMINGS: dict[Eagerness, TurnTiming] = {
    "patient": TurnTiming(0.6, 3.0, 0.5),
    "balanced": TurnTiming(0.4, 1.6, 0.35),
    "eager": TurnTiming(0.2, 0.8, 0.25),
}


def turn_timing(eagerness: Eagerness) -> TurnTiming:
    return _TIMINGS[eagerness]
