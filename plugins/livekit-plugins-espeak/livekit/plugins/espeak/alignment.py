"""When each written word is heard."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .engine import Speech
from .wording import Wording, is_speakable

AUDIBLE = 64
"an int16 sample beyond this is sound (-54 dB of full scale); espeak-ng's pauses are digital zero but for filter tails"

_TOKEN = re.compile(r"\s*\S+\s*")


@dataclass(frozen=True, slots=True)
class HeardWord:
    text: str
    "as written, with its punctuation and the space after it"
    start_sample: int
    end_sample: int


def align(written: str, wording: Wording, speech: Speech) -> list[HeardWord]:
    """The words of `written` in the order of the text, with their places in the audio of `speech`.

    Their texts joined are `written` again. A word spoken as several (`3:30`) starts with the first of them; one that
    is not spoken at all (`-`) takes no time. A word ends with its last audible sample, so a pause belongs to none.
    """
    spans = [match.span() for match in _TOKEN.finditer(written)]
    if not spans:
        return [HeardWord(written, 0, 0)] if written else []
    starts: list[int | None] = [None] * len(spans)
    token_of = _tokens_by_character(written, spans)
    for event in speech.words:
        character = wording.origins[min(event.character, len(wording.origins) - 1)]
        token = token_of[min(character, len(token_of) - 1)]
        if starts[token] is None:
            starts[token] = event.sample
    return _bounded([written[start:end] for start, end in spans], starts, speech.samples)


def _tokens_by_character(written: str, spans: list[tuple[int, int]]) -> list[int]:
    """For each character the token that is heard there; a dash is not, so what is reported for it is the next word."""
    owners: list[int] = []
    heard = len(spans) - 1
    for index, (start, end) in reversed(list(enumerate(spans))):
        if is_speakable(written[start:end]):
            heard = index
        owners += [heard] * (end - start)
    return owners[::-1]


def _bounded(texts: list[str], starts: list[int | None], samples: npt.NDArray[np.int16]) -> list[HeardWord]:
    begins = list(starts)
    following = len(samples)
    for index in reversed(range(len(begins))):
        begin = begins[index]
        if begin is not None:
            # words that the engine reads ahead can be reported out of order
            begins[index] = following = min(begin, following)
    words: list[HeardWord] = []
    end = 0
    for index, (text, begin) in enumerate(zip(texts, begins, strict=True)):
        if begin is None:
            words.append(HeardWord(text, end, end))
            continue
        limit = next((later for later in begins[index + 1 :] if later is not None), len(samples))
        end = begin + audible_length(samples[begin:limit])
        words.append(HeardWord(text, begin, end))
    return words


def audible_length(samples: npt.NDArray[np.int16]) -> int:
    """Samples up to and with the last audible one."""
    audible = np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE)
    return int(audible[-1]) + 1 if audible.size else 0


def quiet_lead(samples: npt.NDArray[np.int16]) -> int:
    """Samples before the first audible one; all of them when none is."""
    audible = np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE)
    return int(audible[0]) if audible.size else len(samples)
