"""When to decode what was heard so far. Pure.

Whisper hears an utterance as a whole, and decoding takes as long for a word as for a sentence. So it is begun as soon
as the caller pauses: when the voice detector then calls the pause an end, the transcript is there, or nearly. And on a
machine that is quick enough the caller is shown what is heard while he speaks.
"""

from __future__ import annotations

from dataclasses import dataclass

PAUSE_SECONDS = 0.2
"a pause so long may be the end; most pauses within a sentence are shorter"

QUICK_SECONDS = 0.3
"a decoding that takes longer would show words too late to be of use, and would be in the way of the final one"

INTERIM_SECONDS = 0.4
"new sound before words are shown again"


@dataclass(frozen=True, slots=True)
class Heard:
    """Seconds from the start of the utterance."""

    until: float
    "all the audio so far"
    voice_until: float
    "up to the last voice in it"
    decoded_until: float = 0.0
    "the audio that a decoding covers, be it done or running"
    running: bool = False
    "whether that decoding still runs"


def covers(heard: Heard) -> bool:
    """Whether the decoding holds all that was said."""
    return heard.decoded_until > 0 and heard.decoded_until >= heard.voice_until


def is_pause(heard: Heard) -> bool:
    return heard.until - heard.voice_until >= PAUSE_SECONDS


def is_due(heard: Heard, cost_seconds: float | None) -> bool:
    """Whether to decode now, in place of a decoding that still runs. `cost_seconds`: what the last one took."""
    if covers(heard):
        return False
    if is_pause(heard):
        return True
    if heard.running or cost_seconds is None or cost_seconds > QUICK_SECONDS:
        return False
    return heard.until - heard.decoded_until >= max(INTERIM_SECONDS, 2 * cost_seconds)
