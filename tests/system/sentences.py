"""The spoken sentences of tests/audio/sentences, and the grammar of the front desk that they are heard with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from livekit.plugins.script import Script

ROOT = Path(__file__).parent.parent.parent
SENTENCES = ROOT / "tests" / "audio" / "sentences"
AGENT = ROOT / "agents" / "frontdesk.yaml"
VOICES = ("slt", "rms", "awb", "kal16")
MOST_ERRORS = 0.08
"an error a word: what the embedded recogniser may get wrong in total, and with each voice"


def sentences(name: str) -> list[str]:
    """One of `frontdesk`, `paraphrases`, `out_of_domain`."""
    return (SENTENCES / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def recordings(name: str, voice: str) -> list[Path]:
    return [
        SENTENCES / "rendered" / voice / f"{name}-{number:02}.flac" for number in range(1, len(sentences(name)) + 1)
    ]


def frontdesk_grammar() -> str:
    """What the agent's file alone says about its callers."""
    definition: dict[str, Any] = yaml.safe_load(AGENT.read_text(encoding="utf-8"))
    timezone = ZoneInfo(definition["timezone"])
    moment = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    return Script.from_mapping(definition["script"], clock=lambda: moment, timezone=timezone).jsgf()
