"""When each word of synthesised speech is spoken: the text that was heard depends on it.

For voices that do not tell, the sound that is no silence is shared out by the letters of the words. While a piece is
still arriving it is not known how long it will be: what is there by then is dated by the pace of the pieces before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

WINDOW_SECONDS = 0.01
"of sound, that is silent or not"
_LETTERS_OF_A_PAUSE = 2
"a word lasts about as long as its letters and two more: short ones are not as short as they are written"
_LETTERS_OF_A_SIGN = 6
"a digit of a telephone number, an initial, or a sign that is read out, is a word of its own"
_SIGN = re.compile(r"[\d£$€¥₹%&@+#=]|(?<=\w)\.(?=\w)|[A-Z](?=[A-Z\d])|(?<=[A-Z\d])[A-Z]")
_USUAL_LETTER_SECONDS = 0.05
"three words in a second"
_PACE_KEPT = 0.5
"of the pace so far, when a piece tells another one"
_MOST_CHANGE = 1.5
"told by one piece: a sentence full of initials or addresses is slow, and the next one is not"


@dataclass(slots=True)
class Pace:
    """How fast the voice of a call speaks, learnt from the pieces it has spoken."""

    letter_seconds: float = _USUAL_LETTER_SECONDS
    _is_learnt: bool = False

    def learn(self, letters: float, seconds: float) -> None:
        told, before = seconds / letters, self.letter_seconds
        if self._is_learnt:
            told = min(max(told, before / _MOST_CHANGE), before * _MOST_CHANGE)
            told += (before - told) * _PACE_KEPT
        self.letter_seconds, self._is_learnt = told, True


def letters_of(word: str) -> int:
    """How long it takes to say, in letters, with the pause behind it."""
    return len(word) + len(_SIGN.findall(word)) * (_LETTERS_OF_A_SIGN - 1) + _LETTERS_OF_A_PAUSE
