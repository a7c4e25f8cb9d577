"""`python -m livekit.plugins.fasterwhisper.measure MODEL FOLDER [COMPUTE_TYPE]`: how long a decoding takes here."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from .audio import SAMPLE_RATE
from .ear import Ear
from .files import find
from .model import ModelSettings

LENGTHS_SECONDS = (1, 5, 15)


async def measure(model: str, folder: Path, compute_type: str = "default", rounds: int = 5) -> str:
    """Of faint noise: a decoding of speech takes longer by the words that are said. Raises as `files.find` does."""
    ear = Ear(find(model, folder), ModelSettings(compute_type=compute_type))
    began = time.perf_counter()
    await ear.ready()
    lines = [f"{model}, {compute_type}: loaded and run once in {time.perf_counter() - began:.1f} s"]
    noise = np.random.default_rng(1).normal(0, 30, max(LENGTHS_SECONDS) * SAMPLE_RATE).astype(np.int16)
    for seconds in LENGTHS_SECONDS:
        pcm = noise[: seconds * SAMPLE_RATE].tobytes()
        times = []
        for _ in range(rounds):
            began = time.perf_counter()
            await ear.hear(pcm, language="en")
            times.append(time.perf_counter() - began)
        lines.append(f"{seconds} s of audio: median {statistics.median(times):.2f} s, longest {max(times):.2f} s")
    await ear.aclose()
    return "\n".join(lines)


if __name__ == "__main__":
    name, place, stored_as = [*sys.argv[1:], "default"][:3]
    sys.stdout.write(asyncio.run(measure(name, Path(place), stored_as)) + "\n")
