"""Is what the microphone hears the agent's own voice, come back from the caller's loudspeaker?

It replaces the framework's three seconds of deafness at the beginning of the agent's speech: the worker knows every
sample that it plays, so it can compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
"int16[samples], mono"


class Verdict(Enum):
    ECHO = "echo"
    "what was heard is mostly the agent's own voice"
    CALLER = "caller"
    "somebody speaks there, with or without echo under it"
    UNKNOWN = "unknown"
    "too little was heard, or the agent was not heard of late: nothing speaks for an echo"


@dataclass(frozen=True, slots=True)
class EchoScore:
    verdict: Verdict
    explained: float
    "share of the heard energy that the agent's own voice explains, 0 to 1"
    delay_seconds: float
    "from leaving the worker to being heard by it, transit both ways included"
    gain_db: float
    "of the echo against what was played"


class EchoGuard:
    """Feed it what is played and what is heard; ask it while the caller's voice detector fires.

    Moments are seconds of one monotonic clock; samples int16 mono, played 24 kHz, heard at any rate of `heard_rate`.
    """

    def __init__(self, *, played_rate: int = 24_000, heard_rate: int = 24_000) -> None:
        self._played_rate = played_rate
        self._heard_rate = heard_rate

    def played(self, samples: Samples, at: float) -> None:
        """`samples` left for the network, the first of them at `at`."""

    def heard(self, samples: Samples, at: float) -> None:
        """`samples` of the caller's microphone arrived, the last of them at `at`."""

    def verdict(self, since: float, now: float) -> EchoScore:
        """What was heard from `since` to `now`."""
        return EchoScore(Verdict.UNKNOWN, 0.0, 0.0, 0.0)
