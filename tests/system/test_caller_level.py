"""What a recogniser gets of the caller is as loud as he was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emulated import call_to, running

from voiceworker.lab.bench.speeches import Speeches
from voiceworker.lab.emulators import ProviderEmulators
from voiceworker.lab.material import samples_of

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

AGENT: dict[str, Any] = {
    "name": "desk",
    "instructions": "Answer.",
    "greeting": "Hello, who is there?",
    "models": {"stt": ["deepgram/nova-3"], "llm": ["openai/gpt-4.1-mini"], "tts": ["deepgram/aura-2-thalia-en"]},
}
QUESTION = Speeches(seed=8).whole_turns()[0]


async def test_the_first_sentence_of_a_call_is_neither_raised_nor_clipped(tmp_path: Path) -> None:
    async with (
        ProviderEmulators() as emulators,
        running(tmp_path, emulators, [AGENT]) as rig,
        call_to(rig, emulators, "desk", tmp_path) as call,
    ):
        await call.ask(QUESTION)
    (stream,) = (request for request in emulators.requests if request.role == "stt")
    said = int(np.abs(samples_of(QUESTION).astype(np.int32)).max())
    assert stream.peak == pytest.approx(said, rel=0.35)
