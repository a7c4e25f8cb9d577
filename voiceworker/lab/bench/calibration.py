"""The transit floor: two participants, one clicks every half second, the other hears it. No agent has part in it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voiceworker.lab.audio import SAMPLE_RATE, Samples
from voiceworker.lab.bench.ear import Ear
from voiceworker.lab.bench.line import FRAME_SAMPLES, Line
from voiceworker.lab.bench.stats import quantile
from voiceworker.lab.bench.tickets import Tickets

EVERY_SECONDS = 0.5
LARGEST_SPREAD_SECONDS = 0.015
_SETTLE_SECONDS = 4.0
"the jitter buffer has then got rid of what it gathered while the connection was made"


@dataclass(frozen=True, slots=True)
class Calibration:
    """One way through the SFU, capture to ear, in seconds."""

    p50: float
    p95: float
    clicks: int

    @property
    def valid(self) -> bool:
        """A machine that spreads clicks further than 15 ms measures itself, not the systems."""
        return self.clicks >= 5 and self.p95 - self.p50 < LARGEST_SPREAD_SECONDS

    def __str__(self) -> str:
        verdict = "valid" if self.valid else "NOT VALID: p95 - p50 must be under 15 ms"
        return f"{self.p50 * 1000:.1f} ms p50, {self.p95 * 1000:.1f} ms p95, {self.clicks} clicks, {verdict}"


def click() -> Samples:
    """int16[240]: 10 ms of 1 kHz that is loud from its first sample on."""
    steps = np.arange(FRAME_SAMPLES)
    return (16000 * np.cos(2 * np.pi * 1000 * steps / SAMPLE_RATE)).astype(np.int16)


def transits(sent: Sequence[float], ear: Ear) -> list[float]:
    """From each click to its being heard; a click that was lost is left out."""
    heard = [(moment, ear.onset_after(moment, before=moment + EVERY_SECONDS * 0.8)) for moment in sent]
    return [onset - moment for moment, onset in heard if onset is not None]


async def calibrate(tickets: Tickets, clicks: int) -> Calibration:
    """Takes clicks x 0.5 s. Raises CallSetupError."""
    room = f"calibration-{secrets.token_urlsafe(6)}"
    async with Line(tickets.ticket(room)) as sender, Line(tickets.ticket(room)) as listener:
        await listener.until(lambda: listener.subscribed_at is not None, 10)
        await asyncio.sleep(_SETTLE_SECONDS)
        sent = []
        for _ in range(clicks):
            said = await sender.say(click())
            sent.append(said.started_at)
            await asyncio.sleep(EVERY_SECONDS - 0.01)
    found = transits(sent, listener.ear)
    return Calibration(quantile(found, 0.5), quantile(found, 0.95), len(found))


def joined(calibrations: Sequence[Calibration]) -> Calibration:
    """The worst of several taken in one run: its spread decides whether the run is valid."""
    worst = max(calibrations, key=lambda each: each.p95 - each.p50)
    middle = quantile([each.p50 for each in calibrations], 0.5)
    return Calibration(middle, middle + worst.p95 - worst.p50, sum(each.clicks for each in calibrations))
