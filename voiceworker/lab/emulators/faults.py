"""What goes wrong at a provider, on purpose and the same every time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from voiceworker.lab.emulators.bill import Role

FaultKind = Literal[
    "refuse",
    "status",
    "hang",
    "stall",
    "drip",
    "late_final",
    "malformed",
    "error_midstream",
    "early_close",
    "reset",
]
"""Before the answer: refuse: the connection ends without one. status: an HTTP error.

`after_seconds` into it: hang: nothing comes any more, and the connection stays. stall: it pauses for `seconds`.
malformed: one frame is none, then it goes on. error_midstream: the provider's own message of an error, then the end.
early_close: an orderly end, though it is not complete. reset: the connection is cut.

All the time: drip: it comes slower than speech is spoken. late_final: final transcripts come `seconds` later."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Strikes the requests that `nth` names, or else each with `probability`."""

    role: Role
    kind: FaultKind
    probability: float = 0.0
    nth: int | None = None
    "of this role and API key, from 1; connections count as requests"
    status: int = 503
    "of status and error_midstream"
    retry_after_seconds: float | None = None
    "what a status tells the client by Retry-After; None: nothing"
    speed: float = 0.5
    "of a drip. tts: against real time. llm, stt: tokens against the words of speech, transcripts against their rate"
    seconds: float = 30.0
    "how long a stall lasts, how much later a final comes"
    after_seconds: float = 0.0
    "how long the answer (stt: the connection) is whole before it stalls or is cut"
    api_key: str | None = None
    "None: everybody's"

    def __post_init__(self) -> None:
        if (self.nth is None) == (self.probability == 0.0):
            raise ValueError("a fault has either a probability or the number of the request")
        if not 0 <= self.probability <= 1 or (self.nth is not None and self.nth < 1):
            raise ValueError("probability lies within 0 and 1, requests count from 1")
        if self.kind == "late_final" and self.role != "stt":
            raise ValueError("only speech recognition has final transcripts")
        if not 0 < self.speed < 1:
            raise ValueError("a drip is slower than speech: its speed lies between 0 and 1")


class Faults:
    """Draws the faults of each request. The same seed gives each API key the same luck."""

    def __init__(self, faults: Sequence[Fault] = (), *, seed: int = 0) -> None:
        self._faults = tuple(faults)
        self._seed = seed
        self._requests: Counter[tuple[str, Role]] = Counter()

    def next_request(self, role: Role, api_key: str) -> FaultsOfRequest:
        self._requests[api_key, role] += 1
        nth = self._requests[api_key, role]
        struck = tuple(
            fault
            for index, fault in enumerate(self._faults)
            if fault.role == role and fault.api_key in (None, api_key) and self._strikes(fault, index, nth)
        )
        return FaultsOfRequest(struck)

    def _strikes(self, fault: Fault, index: int, nth: int) -> bool:
        if fault.nth is not None:
            return fault.nth == nth
        return random.Random(f"{self._seed}/{index}/{fault.role}/{nth}").random() < fault.probability


@dataclass(frozen=True, slots=True)
class FaultsOfRequest:
    faults: tuple[Fault, ...] = ()

    def of_kind(self, kind: FaultKind) -> Fault | None:
        return next((fault for fault in self.faults if fault.kind == kind), None)

    @property
    def late_final_seconds(self) -> float:
        return sum(fault.seconds for fault in self.faults if fault.kind == "late_final")
