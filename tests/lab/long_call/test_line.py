from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest
from livekit import rtc

from voiceworker.lab.audio import SAMPLE_RATE
from voiceworker.lab.long_call.clock import LeapingLoop
from voiceworker.lab.long_call.line import Ear, Mouth

FRAME = rtc.AudioFrame(bytes(2 * 240), SAMPLE_RATE, 1, 240)


def held(story: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return runner.run(story)


def test_what_the_caller_says_takes_as_long_as_it_is_and_comes_whole() -> None:
    said = np.arange(SAMPLE_RATE // 2 + 100, dtype=np.int16)

    async def story() -> tuple[float, list[bytes]]:
        mouth, loop = Mouth(), asyncio.get_running_loop()
        began = loop.time()
        await mouth.say(said)
        return loop.time() - began, [bytes((await anext(mouth)).data) for _ in range(51)]

    seconds, frames = held(story())
    assert seconds == pytest.approx(0.51, abs=0.001)
    assert b"".join(frames).startswith(said.tobytes())
    assert len(b"".join(frames)) == 51 * 480


def test_the_ear_takes_six_frames_at_once_and_then_one_every_ten_milliseconds() -> None:
    async def story() -> list[float]:
        ear, loop, taken = Ear(), asyncio.get_running_loop(), []
        began = loop.time()
        for _ in range(20):
            await ear.capture_frame(FRAME)
            taken.append(loop.time() - began)
        return taken

    taken = held(story())
    assert taken[5] < 0.001
    assert taken[6] > 0.001
    assert taken[-1] - taken[7] == pytest.approx(0.12, abs=0.002)


def test_what_is_taken_back_is_not_heard() -> None:
    async def story() -> float:
        ear = Ear()
        for _ in range(6):
            await ear.capture_frame(FRAME)
        await asyncio.sleep(0.031)
        ear.clear_queue()
        await asyncio.sleep(1)
        await ear.capture_frame(FRAME)
        return ear.heard_seconds

    assert held(story()) == pytest.approx(0.03, abs=0.011)
