"""`python -m livekit.plugins.piper.measure VOICE FOLDER`: how soon the first audio is there, and all of it."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path

from . import TTS

SENTENCE = "We have a free place on Monday the twenty third at half past nine, is that convenient?"


async def measure(voice: str, folder: Path, rounds: int = 20) -> str:
    """Raises as the TTS does."""
    tts = TTS(voice=voice, download_root=folder)
    firsts, shares = [], []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        first = seconds = 0.0
        async with tts.synthesize(SENTENCE) as stream:
            async for audio in stream:
                first = first or time.perf_counter() - began
                seconds += audio.frame.duration
        firsts.append(first * 1000)
        shares.append((time.perf_counter() - began) / seconds)
    await tts.aclose()
    return (
        f"{voice}, {len(SENTENCE)} characters: first audio, with loading, {firsts[0]:.0f} ms; then, {rounds} times: "
        f"median {statistics.median(firsts[1:]):.0f} ms, longest {max(firsts[1:]):.0f} ms; "
        f"all of it in {statistics.median(shares[1:]):.3f} of its length"
    )


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(measure(sys.argv[1], Path(sys.argv[2]))) + "\n")
