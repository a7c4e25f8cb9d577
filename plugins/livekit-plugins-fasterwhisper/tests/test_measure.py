from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("faster_whisper", reason="faster-whisper is not installed", exc_type=ImportError)

from livekit.plugins.fasterwhisper.measure import measure


async def test_loading_and_each_length_are_told(models_folder: Path) -> None:
    told = await measure("tiny.en", models_folder, rounds=1)
    assert [line.partition(":")[0] for line in told.splitlines()] == [
        "tiny.en, default",
        "1 s of audio",
        "5 s of audio",
        "15 s of audio",
    ]
