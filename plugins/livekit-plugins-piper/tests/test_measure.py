from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("piper", reason="piper-tts is not installed", exc_type=ImportError)
pytest.importorskip("onnx", reason="onnx, which makes the tests' voices, is not installed", exc_type=ImportError)

from livekit.plugins.piper.measure import measure


async def test_the_first_audio_and_all_of_it_are_told(voices_folder: Path) -> None:
    told = await measure("en_US-hum-low", voices_folder, rounds=1)
    assert told.startswith("en_US-hum-low, 86 characters: first audio, with loading, ")
    assert told.endswith(" of its length")
