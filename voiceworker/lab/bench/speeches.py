"""What the callers of the benches say."""

from __future__ import annotations

from pathlib import Path

from voiceworker.config import ROOT
from voiceworker.lab.audio import SAMPLE_RATE, read_speech
from voiceworker.lab.speech import Speech, SpeechKind, SpokenWord

AUDIO = ROOT / "tests" / "audio"


def by_hand(path: Path, text: str, kind: SpeechKind = "turn", voice: str = "") -> Speech:
    """Speech whose words are spread evenly over the file, for a file of which only the text is known."""
    seconds = len(read_speech(path)) / SAMPLE_RATE
    words = text.split()
    step = seconds / max(1, len(words))
    spoken = tuple(SpokenWord(word, place * step, (place + 0.95) * step) for place, word in enumerate(words))
    return Speech(path.stem, kind, voice or path.parent.name, path, spoken, seconds)


def turns() -> list[Speech]:
    """Whole requests without long pauses inside."""
    return [
        by_hand(AUDIO / "hours.wav", "what are your opening hours"),
        by_hand(AUDIO / "booking.wav", "i would like to book a haircut please"),
    ]
