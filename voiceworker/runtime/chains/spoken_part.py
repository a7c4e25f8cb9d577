"""A text as one voice speaks it: the sound that has come, what of it was passed on, and which words that was.

When a voice breaks off, the next one has to go on with the word after the last that was heard. A voice that tells its
word times has said it. Of the others it is estimated: by the pace of what the voice has spoken so far, and by the
softest place in the last of the sound, which was held back for this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from livekit.agents.utils import is_given
from livekit.agents.voice.io import TimedString

from voiceworker.runtime.leading_silence import SILENCE
from voiceworker.runtime.word_times import WINDOW_SECONDS, Pace, letters_of

Samples = npt.NDArray[np.int16]

_WORD = re.compile(r"\S+")
_MISSING_SHARE = 0.4
"of a word: who lacks no more of it has said it. Less than half, as a word twice is better than a word lost"
_REACH_SECONDS = 0.1
"around the place where a word should end: there its end is looked for"
_SOFT = 0.3
"of the level around it: words end there"
_FIRST_VOICE_SECONDS = 0.2
"of a part, after which it is passed on even if its first word goes on: nobody waits longer for a long one"
_LEAST_LETTERS = 15
"a shorter text may be spoken in any time"
_LEAST_SHARE, _LEAST_SHARE_UNLEARNT = 0.5, 0.35
"of the expected sound: with less the text was not spoken to its end"


@dataclass(frozen=True, slots=True)
class Passed:
    samples: Samples
    words: list[TimedString]
    "counted from the beginning of the part"


class SpokenPart:
    def __init__(self, text: str, sample_rate: int, pace: Pace, *, pace_is_learnt: bool) -> None:
        self.text = text
        self._rate = sample_rate
        self._pace = pace
        self._pace_is_learnt = pace_is_learnt
        self._spans = [match.span() for match in _WORD.finditer(text)]
        letters = [0.0, *(letters_of(text[begin:end]) for begin, end in self._spans)]
        self._edges = np.asarray(np.cumsum(letters), np.float64)
        "letters before each word, and before the end"
        self._sound: list[Samples] = []
        self._arrived = 0
        self._passed = 0
        self._told: list[TimedString] = []
        "word times that came with the sound"
        self._told_passed = 0
        self._is_told = False
        self._words_passed = 0

    @property
    def arrived_seconds(self) -> float:
        return self._arrived / self._rate

    def hear(self, samples: Samples, told: list[TimedString]) -> None:
        """What has come: int16[samples] mono, at the rate of the part."""
        self._sound.append(samples)
        self._arrived += len(samples)
        self._told += told
        self._is_told = self._is_told or bool(told)

    def without_begun_word(self, until_seconds: float) -> float:
        """That place, or where the word begins that is being said there, while less of it has come than makes a word:
        should the voice break off now, the next one would say it again. 0 while the first one waits so."""
        until = min(self._arrived, int(until_seconds * self._rate))
        begun = self._begun_word_told(until) if self._is_told else self._begun_word(until)
        return (until if begun is None else min(until, begun)) / self._rate

    def pass_on(self, until_seconds: float) -> Passed:
        """What may be played up to there, of what has come."""
        until = min(self._arrived, max(self._passed, int(until_seconds * self._rate)))
        return self._pass(until, self._words_within(until))

    def finish(self) -> Passed:
        """All of it: the voice has spoken to the end. Teaches the pace."""
        voiced = self._voiced_windows(self._arrived)
        if voiced and self._edges[-1] and not self._is_told:
            self._pace.learn(float(self._edges[-1]), voiced * WINDOW_SECONDS)
        return self._pass(self._arrived, len(self._spans))

    @property
    def is_too_short(self) -> bool:
        """The voice says that it has finished, and cannot have."""
        letters = float(self._edges[-1])
        if letters < _LEAST_LETTERS:
            return False
        expected = letters * self._pace.letter_seconds
        share = _LEAST_SHARE if self._pace_is_learnt else _LEAST_SHARE_UNLEARNT
        return self._voiced_windows(self._arrived) * WINDOW_SECONDS < share * expected

    def cut(self) -> tuple[Passed, str]:
        """The voice has broken off: what still is to be played of it, and the text that another has to say."""
        if not self._passed:  # nothing of it was heard: all of it anew
            return Passed(np.zeros(0, np.int16), []), self.text
        if self._is_told:
            until, count = self._last_told_end()
        else:
            until, count = self._last_word_end()
        passed = self._pass(until, min(count, len(self._spans)))
        rest = self.text[self._spans[count][0] :] if count < len(self._spans) else ""
        return passed, rest

    # --- how ---

    def _pass(self, until: int, words: int) -> Passed:
        samples = self._all()[self._passed : until]
        is_all = words >= len(self._spans) and until >= self._arrived
        if self._is_told:
            timed = self._due(until, is_all=is_all)
            self._told_passed += len(timed)
            self._words_passed = min(self._told_passed, len(self._spans))
        else:
            timed = self._estimated(self._words_passed, words, until, ends_there=is_all)
            self._words_passed = max(self._words_passed, words)
        self._passed = until
        return Passed(samples, timed)

    def _due(self, until: int, *, is_all: bool) -> list[TimedString]:
        """Told words that begin before that place."""
        rest = self._told[self._told_passed :]
        if is_all:
            return rest
        return [word for word in rest if not is_given(word.start_time) or word.start_time * self._rate < until]

    def _last_told_end(self) -> tuple[int, int]:
        """Where the last word ends whose end has come, and how many words that makes; at least what was passed on."""
        until, count = self._passed, 0
        for place, word in enumerate(self._told):
            end = round(word.end_time * self._rate) if is_given(word.end_time) else self._arrived + 1
            begin = round(word.start_time * self._rate) if is_given(word.start_time) else end
            if end <= self._arrived or self._arrived - begin >= (1 - _MISSING_SHARE) * (end - begin):
                until, count = max(until, min(end, self._arrived)), place + 1
        return until, min(count, len(self._spans))

    def _estimated(self, first: int, until_word: int, until: int, *, ends_there: bool) -> list[TimedString]:
        """Times of these words, of which the last ends at `until` at the latest. A word ends in its middle: it counts
        as heard from there on, so that the estimate errs to either side."""
        if until_word <= first:
            return []
        moments = self._moments(until)
        edges = np.asarray(self._edges * (self._pace.letter_seconds / WINDOW_SECONDS), np.float64)
        if ends_there or edges[until_word] > len(moments):  # it speaks slower, or faster, than was thought
            begun = min(edges[first], len(moments))
            share = (len(moments) - begun) / (edges[until_word] - edges[first])
            edges = np.asarray(begun + (edges - edges[first]) * share, np.float64)
        timed = []
        for place in range(first, until_word):
            begin, end = self._spans[place]
            started = moments[min(max(int(edges[place]), 0), len(moments) - 1)]
            ended = moments[min(max(int(np.ceil(edges[place + 1])) - 1, 0), len(moments) - 1)] + WINDOW_SECONDS
            timed.append(
                TimedString(f"{self.text[begin:end]} ", start_time=float(started), end_time=float(started + ended) / 2)
            )
        return timed

    def _begun_word(self, until: int) -> int | None:
        """Where the word begins that goes on at `until`, if it is not as good as said by now."""
        letters, come = (
            self._voiced_windows(place) * WINDOW_SECONDS / self._pace.letter_seconds for place in (until, self._arrived)
        )
        word = int(np.searchsorted(self._edges, letters, side="right")) - 1
        if word >= len(self._spans) or come >= self._said_from(word):
            return None
        if word == 0:
            return 0 if self._voiced_windows(self._arrived) * WINDOW_SECONDS < _FIRST_VOICE_SECONDS else None
        window = int(self._edges[word] * self._pace.letter_seconds / WINDOW_SECONDS)
        moments = self._moments(self._arrived)
        return self._softest_place(round(moments[min(window, len(moments) - 1)] * self._rate))

    def _begun_word_told(self, until: int) -> int | None:
        for word in self._told:
            if is_given(word.start_time) and is_given(word.end_time):
                begin, end = round(word.start_time * self._rate), round(word.end_time * self._rate)
                if begin < until < end and self._arrived - begin < (1 - _MISSING_SHARE) * (end - begin):
                    return begin
        return None

    def _said_from(self, word: int) -> float:
        """So many letters have to come until it is as good as said."""
        return float(self._edges[word + 1] - _MISSING_SHARE * (self._edges[word + 1] - self._edges[word]))

    def _words_within(self, until: int) -> int:
        """Words that are complete there, by the pace; the last ends with the part."""
        if self._is_told:
            return self._words_passed
        letters = self._voiced_windows(until) * WINDOW_SECONDS / self._pace.letter_seconds
        return max(self._words_passed, int(np.searchsorted(self._edges[1:-1], letters, side="right")))

    def _last_word_end(self) -> tuple[int, int]:
        """Where to end, between what was passed on and what has come; and how many words that makes."""
        letters_come = self._voiced_windows(self._arrived) * WINDOW_SECONDS / self._pace.letter_seconds
        lengths = np.diff(self._edges)
        complete = int(np.searchsorted(self._edges[1:] - _MISSING_SHARE * lengths, letters_come, side="right"))
        if complete <= self._words_passed:  # the word that is being said has only begun: better not much of it
            return self._passed, self._words_passed
        windows = int(self._edges[complete] * self._pace.letter_seconds / WINDOW_SECONDS)
        moments = self._moments(self._arrived)
        if windows >= len(moments):
            return self._arrived, complete
        return self._softest_place(round(moments[windows] * self._rate)), complete

    def _softest_place(self, near: int) -> int:
        """Of what has not been passed on."""
        window, reach = self._window, round(_REACH_SECONDS * self._rate)
        begin = max(-(-self._passed // window), (near - reach) // window)
        end = min(self._arrived, near + reach) // window
        if end <= begin:
            return min(max(near, self._passed), self._arrived)
        levels = self._levels()[begin:end]
        soft = np.flatnonzero(levels <= max(float(SILENCE), _SOFT * float(np.median(levels)), float(levels.min())))
        return (begin + int(soft[np.argmin(np.abs(soft + begin - near / window))])) * window

    @property
    def _window(self) -> int:
        return max(1, round(self._rate * WINDOW_SECONDS))

    def _levels(self) -> npt.NDArray[np.int32]:
        sound = self._all()
        count = len(sound) // self._window
        windows = np.abs(sound[: count * self._window].astype(np.int32)).reshape(count, self._window)
        levels: npt.NDArray[np.int32] = windows.max(axis=1, initial=0)
        return levels

    def _voiced_windows(self, until: int) -> int:
        return int(np.count_nonzero(self._levels()[: until // self._window] > SILENCE))

    def _moments(self, until: int) -> npt.NDArray[np.float64]:
        """When each window with sound begins; all windows when there is no sound."""
        levels = self._levels()[: until // self._window]
        voiced = np.flatnonzero(levels > SILENCE)
        places = voiced if voiced.size else np.arange(max(1, len(levels)))
        return np.asarray(places * WINDOW_SECONDS, np.float64)

    def _all(self) -> Samples:
        if len(self._sound) > 1:
            self._sound = [np.concatenate(self._sound)]
        return self._sound[0] if self._sound else np.zeros(0, np.int16)
