"""Which of a decoder's guesses at unfinished speech are to be shown.

The best path so far changes with every syllable: "mm-hmm" is "and yeah" on the way, and a cough "the". Who listens to
an agent that speaks is interrupted by one such guess, so a word is believed when it, and all before it, have stood for
a while (cf. local agreement, Liu et al. 2020), and one or two words never are before the end of speech, unless they are
such as are said alone: then "stop" is there as soon as it has been said.
"""

from __future__ import annotations

from collections.abc import Sequence

from .interjections import INTERRUPTING, LISTENING, sounds_like_laughter

SOON_SECONDS = 0.09
"how long the words of a listener or an interrupter have to stand"
LATER_SECONDS = 0.22
"the same for all other words"
FEWEST_WORDS = 3
"so many other words are shown before the end; fewer come as a final, 0.4 s after their end"


class Interims:
    """Of one utterance."""

    def __init__(self) -> None:
        self._guess: list[tuple[str, float]] = []
        "the last one's words, each with the moment since when it and all before it have stood"
        self._shown: tuple[str, ...] = ()

    def guess(self, words: Sequence[str], heard_seconds: float) -> int | None:
        """How many of the words are to be shown now, `heard_seconds` into the utterance; None: nothing new."""
        same = 0
        while same < min(len(words), len(self._guess)) and self._guess[same][0] == words[same]:
            same += 1
        self._guess = self._guess[:same] + [(word, heard_seconds) for word in words[same:]]
        believed = self._believed(heard_seconds)
        if not believed or believed == self._shown:
            return None
        self._shown = believed
        return len(believed)

    def _believed(self, now: float) -> tuple[str, ...]:
        soon = self._stood(now - SOON_SECONDS)
        others = _after_listening(soon)
        if not others or any(others[: len(phrase)] == phrase for phrase in INTERRUPTING):
            return soon
        later = self._stood(now - LATER_SECONDS)
        if len(_after_listening(later)) < FEWEST_WORDS or sounds_like_laughter(later, times=2):
            return ()  # a caller who stammers is heard at the end
        return later

    def _stood(self, since: float) -> tuple[str, ...]:
        return tuple(word for word, stood_since in self._guess if stood_since <= since + 1e-6)


def _after_listening(words: tuple[str, ...]) -> tuple[str, ...]:
    at = 0
    while at < len(words):
        length = next((size for size in (2, 1) if words[at : at + size] in LISTENING), 0)
        if not length:
            break
        at += length
    return words[at:]
