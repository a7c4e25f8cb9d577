"""How long the agent waits before it takes the turn: one word in the agent's file, and the numbers it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Eagerness = Literal["patient", "balanced", "eager"]


@dataclass(frozen=True, slots=True)
class TurnTiming:
    minimum_silence_seconds: float
    "where the framework decides: silence before the turn is taken when its end looks certain"
    maximum_silence_seconds: float
    "where the framework decides: silence before the turn is taken however it looks"
    vad_silence_seconds: float
    "silence that ends a stretch of speech for a recogniser that hears it as a whole"
    pace: float
    "where policy/end_of_turn.py decides: by how much its waits are stretched"


# The minimum is what a caller feels on every turn, the maximum what he feels when the turn model misjudges him;
# people leave 0.2 s between turns (Stivers 2009), and up to 1 s inside one. The paces, by lab/turn_simulation.py on
# tests/audio/turns: patient cuts into one speech of nine that have a pause inside, balanced into one of five (fewer
# than the framework's own rule), eager into one of two.
_TIMINGS: dict[Eagerness, TurnTiming] = {
    "patient": TurnTiming(0.6, 3.0, 0.5, 1.6),
    "balanced": TurnTiming(0.4, 1.6, 0.35, 1.0),
    "eager": TurnTiming(0.2, 0.8, 0.25, 0.65),
}

# How long people leave before they answer a question, in seconds, rounded: Stivers et al. 2009, PNAS 106(26), who find
# 0.21 over ten languages, from 0.01 (Japanese) to 0.47 (Danish). A language that is not among them has the mean.
_MEAN_GAP_SECONDS = 0.21
_GAP_SECONDS = {"da": 0.47, "it": 0.31, "en": 0.24, "ko": 0.21, "nl": 0.11, "ja": 0.01}


def turn_timing(eagerness: Eagerness, language: str = "en") -> TurnTiming:
    """`language` is a BCP 47 tag; only its first part counts."""
    timing = _TIMINGS[eagerness]
    return TurnTiming(
        timing.minimum_silence_seconds,
        timing.maximum_silence_seconds,
        timing.vad_silence_seconds,
        timing.pace * _language_pace(language),
    )


def _language_pace(language: str) -> float:
    """The tempo that callers expect: 0.1 s of a habitual gap make 5 % (0.9 in Japanese, 1.13 in Danish)."""
    gap = _GAP_SECONDS.get(language.lower().replace("_", "-").split("-")[0], _MEAN_GAP_SECONDS)
    return 1 + (gap - _MEAN_GAP_SECONDS) / 2
