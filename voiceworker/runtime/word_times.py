"""When each word of synthesised speech is spoken, for voices that do not tell: the text that was heard depends on it.

The sound that is no silence is shared out by the letters of the words. While a piece is still arriving it is not known
how long it will be: what is there by then is dated by the pace of the pieces before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from livekit import rtc
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.agents.utils import is_given
from livekit.agents.voice.io import TimedString

from voiceworker.runtime.leading_silence import SILENCE

_WINDOW_SECONDS = 0.01
_LETTERS_OF_A_PAUSE = 2
"a word lasts about as long as its letters and two more: short ones are not as short as they are written"
_USUAL_LETTER_SECONDS = 0.05
"three words in a second"
_PACE_KEPT = 0.5
"of the pace so far, when a piece tells another one"


@dataclass(slots=True)
class Pace:
    """How fast the voice of a call speaks, learnt from the pieces it has spoken."""

    letter_seconds: float = _USUAL_LETTER_SECONDS
    _is_learnt: bool = False

    def learn(self, letters: float, seconds: float) -> None:
        spoken = seconds / letters
        self.letter_seconds += (spoken - self.letter_seconds) * (1 - _PACE_KEPT if self._is_learnt else 1)
        self._is_learnt = True


class WordClock:
    """Hears one piece and dates its words."""

    def __init__(self, text: str, pace: Pace) -> None:
        self._words = text.split()
        self._pace = pace
        self._edges = np.cumsum([0.0, *(len(word) + _LETTERS_OF_A_PAUSE for word in self._words)])
        "letters before each word, and before the end"
        self._dated = 0
        "words whose time has been told"
        self._dated_windows = 0
        "windows with sound that they took"
        self._rest: npt.NDArray[np.int16] = np.zeros(0, np.int16)
        self._windows = 0
        self._voiced: list[int] = []
        "the windows with sound in them"
        self._rate = 0
        self._samples = 0
        self._is_told = False
        "the voice tells its word times itself"

    @property
    def seconds(self) -> float:
        return self._samples / self._rate if self._rate else 0.0

    def hear(self, frame: rtc.AudioFrame, begins_at: float) -> None:
        """The next frame of the piece, which begins at `begins_at` in the reply; gets the times of the words that are
        complete by now, as far as the pace tells."""
        self._rate = frame.sample_rate
        self._samples += frame.samples_per_channel
        self._is_told = self._is_told or bool(frame.userdata.get(USERDATA_TIMED_TRANSCRIPT))
        if self._is_told:
            return
        self._listen(np.frombuffer(frame.data, np.int16).reshape(-1, frame.num_channels)[:, 0])
        windows_a_letter = self._pace.letter_seconds / _WINDOW_SECONDS
        ends = self._edges[1:-1] * windows_a_letter  # the last word ends with the piece
        complete = int(np.searchsorted(ends, len(self._voiced), side="right"))
        if complete > self._dated:
            self._date(frame, complete, self._edges * windows_a_letter, begins_at)

    def last_words(self, begins_at: float) -> rtc.AudioFrame | None:
        """The piece is complete: a frame of one silent sample with the times of the words that had none yet; None when
        there are none, or when the voice told them."""
        if self._is_told or self._dated == len(self._words) or not self._samples:
            return None
        if not self._voiced:
            self._voiced = list(range(max(1, self._windows)))
        letters = self._edges[-1]
        self._pace.learn(letters, len(self._voiced) * _WINDOW_SECONDS)
        left = max(0, len(self._voiced) - self._dated_windows)
        since = self._edges[self._dated]
        edges = self._dated_windows + (self._edges - since) / (letters - since) * left
        frame = rtc.AudioFrame(b"\0\0", self._rate, 1, 1)
        self._samples += 1
        self._date(frame, len(self._words), edges, begins_at)
        return frame

    def _listen(self, samples: npt.NDArray[np.int16]) -> None:
        sound = np.concatenate([self._rest, samples])
        window = max(1, round(self._rate * _WINDOW_SECONDS))
        count = len(sound) // window
        level = np.abs(sound[: count * window].astype(np.int32)).reshape(count, window).max(axis=1, initial=0)
        self._voiced += (np.flatnonzero(level > SILENCE) + self._windows).tolist()
        self._windows += count
        self._rest = sound[count * window :]

    def _date(self, frame: rtc.AudioFrame, until: int, edges: npt.NDArray[np.float64], begins_at: float) -> None:
        """Puts the times of the words before `until` that have none yet into the frame. `edges` count windows with
        sound. A word ends in its middle: it counts as heard from there on, so that the estimate errs to either side."""
        words = []
        for place in range(self._dated, until):
            start = self._voiced[min(int(edges[place]), len(self._voiced) - 1)] * _WINDOW_SECONDS
            last = min(max(int(np.ceil(edges[place + 1])) - 1, 0), len(self._voiced) - 1)
            end = (self._voiced[last] + 1) * _WINDOW_SECONDS
            words.append(
                TimedString(
                    f"{self._words[place]} ", start_time=begins_at + start, end_time=begins_at + (start + end) / 2
                )
            )
        frame.userdata[USERDATA_TIMED_TRANSCRIPT] = words
        self._dated, self._dated_windows = until, min(int(edges[until]), len(self._voiced))


def moved(frame: rtc.AudioFrame, seconds: float) -> rtc.AudioFrame:
    """The frame with its word times moved by `seconds`."""
    words = frame.userdata.get(USERDATA_TIMED_TRANSCRIPT)
    if words and seconds:
        frame.userdata[USERDATA_TIMED_TRANSCRIPT] = [_moved_word(word, seconds) for word in words]
    return frame


def _moved_word(word: TimedString, seconds: float) -> TimedString:
    return TimedString(
        word,
        start_time=word.start_time + seconds if is_given(word.start_time) else word.start_time,
        end_time=word.end_time + seconds if is_given(word.end_time) else word.end_time,
        confidence=word.confidence,
        start_time_offset=word.start_time_offset,
        speaker_id=word.speaker_id,
    )
