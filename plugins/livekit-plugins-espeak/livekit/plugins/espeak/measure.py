"""`python -m livekit.plugins.espeak.measure`: how soon the first audio of a sentence is there."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

from . import TTS

SENTENCE = "We have a free place on Monday the twenty third at half past nine, is that convenient?"


async def first_audio_milliseconds(voice: TTS) -> float:
    stream = voice.stream()
    began = time.perf_counter()
    stream.push_text(SENTENCE)
    stream.end_input()
    async with stream:
        await anext(stream)
        return (time.perf_counter() - began) * 1000


async def measure(rounds: int) -> str:
    voice = TTS()
    cold = await first_audio_milliseconds(voice)
    times = [await first_audio_milliseconds(voice) for _ in range(rounds)]
    return (
        f"first audio of {len(SENTENCE)} characters: cold {cold:.1f} ms; then, {rounds} times: "
        f"median {statistics.median(times):.1f} ms, 95 % within {statistics.quantiles(times, n=20)[-1]:.1f} ms"
    )


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(measure(200)) + "\n")
