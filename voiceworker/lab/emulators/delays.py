"""How long the providers take. Fixed for all systems under test, so that nobody tunes them."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Delays:
    """Each counts from the moment at which the real provider's would."""

    first_interim_seconds: float = 0.3
    "from the onset of speech in the received audio to the first interim transcript"
    interim_every_seconds: float = 0.2
    "from one interim transcript to the next, by the received audio"
    final_seconds: float = 0.2
    "from the true end of the speech, as received, to its final transcript"
    first_token_seconds: float = 0.2
    "from the chat request to the first token"
    tokens_per_second: float = 50.0
    first_audio_seconds: float = 0.1
    "from the text to the first byte of its audio"
    leading_silence_seconds: float = 0.2
    "of silence before the first word, as real voices have"

    def __post_init__(self) -> None:
        if self.tokens_per_second <= 0 or self.interim_every_seconds <= 0:
            raise ValueError("tokens_per_second and interim_every_seconds must be above 0")
        if any(getattr(self, field.name) < 0 for field in fields(self)):
            raise ValueError("a delay cannot be negative")

    def times(self, factor: float) -> Delays:
        """All of it slower (or faster, below 1) by `factor`."""
        if factor <= 0:
            raise ValueError("factor must be above 0")
        scaled = {field.name: getattr(self, field.name) * factor for field in fields(self)}
        return Delays(**scaled | {"tokens_per_second": self.tokens_per_second / factor})


TYPICAL = Delays()
FAST = TYPICAL.times(0.5)
SLOW = TYPICAL.times(2.0)
