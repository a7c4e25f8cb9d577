"""Which words of an utterance that still goes on can be shown. Pure.

Of a sound that is cut off in its middle Whisper makes some word. It is shown when the next decoding, which has heard
more, has it too: the rule LocalAgreement-2 of Macháček, Dabre and Bojar, "Turning Whisper into Real-Time Transcription
System", 2023.
"""

from __future__ import annotations

from collections.abc import Sequence


def agreed(before: Sequence[str], now: Sequence[str]) -> int:
    """How many words both begin with, whatever their capitals and punctuation."""
    count = 0
    for old, new in zip(before, now, strict=False):
        if _sound(old) != _sound(new):
            break
        count += 1
    return count


def _sound(word: str) -> str:
    return "".join(character for character in word.casefold() if character.isalnum())
