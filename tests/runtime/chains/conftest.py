"""The emulators with delays short enough for tests, and a look at what was left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from voiceworker.lab.emulators import Delays, Fault, ProviderEmulators
from voiceworker.runtime.chains import Breakers, Switch

QUICK = Delays(
    first_interim_seconds=0.15,
    interim_every_seconds=0.1,
    final_seconds=0.05,
    first_token_seconds=0.02,
    tokens_per_second=500,
    first_audio_seconds=0.02,
    leading_silence_seconds=0.05,
)


@dataclass
class Bench:
    emulators: ProviderEmulators
    http: aiohttp.ClientSession
    breakers: Breakers
    switches: list[Switch] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        return [switch.reason for switch in self.switches]


MakeBench = Callable[..., contextlib.AbstractAsyncContextManager[Bench]]


@contextlib.asynccontextmanager
async def open_bench(
    *faults: Fault, delays: Delays = QUICK, speech_speed: float = 20.0, alone: bool = True, **options: Any
) -> AsyncIterator[Bench]:
    """At the end nothing may be left: no task, no socket. `alone`: nobody else has tasks in this loop."""
    before = asyncio.all_tasks()
    async with (
        ProviderEmulators(delays=delays, faults=faults, speech_speed=speech_speed, **options) as emulators,
        aiohttp.ClientSession() as http,
    ):
        bench = Bench(emulators, http, Breakers())
        yield bench
        await bench.breakers.aclose()
    async with asyncio.timeout(3):
        while alone and (left := asyncio.all_tasks() - before - {asyncio.current_task()}):
            await asyncio.wait(left, timeout=0.05)
    gc.collect()  # an unclosed socket or an exception that nobody saw is a warning here, and so an error


@pytest.fixture
def bench_of() -> MakeBench:
    """`async with bench_of(fault, ...) as bench`."""
    return open_bench
