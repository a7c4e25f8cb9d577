"""When each word of a message is spoken that a speech-to-speech model writes and speaks at once, and does not date.

Its transcript runs ahead of its sound, both ahead of what is played. The sound that is no silence is shared out by the
letters of the words, at the pace of the messages before until the message is complete; see runtime/word_times.py.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterable

import numpy as np
import numpy.typing as npt
from livekit import rtc
from livekit.agents.voice.io import TimedString

from voiceworker.runtime.leading_silence import SILENCE
from voiceworker.runtime.tasks import Tasks
from voiceworker.runtime.word_times import WINDOW_SECONDS, Pace, letters_of


class SpokenText:
    """One message. Its sound is shown to it as it comes; `timed` dates its text."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._changed = asyncio.Event()
        self._rest: npt.NDArray[np.int16] = np.zeros(0, np.int16)
        self._windows = 0
        self._voiced: list[int] = []
        "the windows with sound in them"
        self._sound_is_over = False
        self._text = ""
        self._text_is_over = False
        self._dated = 0
        "words that have been given out"
        self._dated_windows = 0.0

    def hear(self, frame: rtc.AudioFrame) -> None:
        sound = np.concatenate([self._rest, np.frombuffer(frame.data, np.int16)])
        window = round(frame.sample_rate * WINDOW_SECONDS)
        count = len(sound) // window
        level = np.abs(sound[: count * window].astype(np.int32)).reshape(count, window).max(axis=1, initial=0)
        self._voiced += (np.flatnonzero(level > SILENCE) + self._windows).tolist()
        self._windows += count
        self._rest = sound[count * window :]
        self._changed.set()

    def sound_is_over(self) -> None:
        self._sound_is_over = True
        self._changed.set()

    async def timed(self, text: AsyncIterable[str]) -> AsyncGenerator[str, None]:
        """The text in words, each as soon as it is known when it is spoken."""
        tasks = Tasks()
        reading = tasks.spawn(self._read(text), "transcript of a message")
        try:
            while True:
                self._changed.clear()
                for word in self._due():
                    yield word
                if self._text_is_over and self._sound_is_over:
                    break
                await self._changed.wait()
            await reading
        finally:
            await tasks.aclose()

    async def _read(self, text: AsyncIterable[str]) -> None:
        try:
            async for part in text:
                self._text += part
                self._changed.set()
        finally:
            self._text_is_over = True
            self._changed.set()

    def _due(self) -> list[TimedString]:
        words = re.findall(r"\s*\S+", self._text)
        if not self._text_is_over:
            words = words[:-1]  # it may go on
        lengths = [letters_of(word.strip()) for word in words[self._dated :]]
        complete = self._text_is_over and self._sound_is_over
        if complete:
            self._learn(words)
        left = len(self._voiced) - self._dated_windows
        a_letter = left / sum(lengths) if complete and lengths else self._pace.letter_seconds / WINDOW_SECONDS
        given = []
        for word, length in zip(words[self._dated :], lengths, strict=True):
            end = self._dated_windows + length * a_letter
            if not complete and end > len(self._voiced):
                break
            given.append(self._date(word, self._dated_windows, end))
            self._dated += 1
            self._dated_windows = end
        return given

    def _date(self, word: str, begin: float, end: float) -> TimedString:
        """It ends in its middle: it counts as heard from there on, so that the estimate errs to either side."""
        start, stop = self._second(begin), self._second(end)
        return TimedString(word, start_time=start, end_time=(start + stop) / 2)

    def _second(self, window: float) -> float:
        if not self._voiced:
            return 0.0
        return self._voiced[min(int(window), len(self._voiced) - 1)] * WINDOW_SECONDS

    def _learn(self, words: list[str]) -> None:
        letters = sum(letters_of(word.strip()) for word in words)
        if letters and self._voiced:
            self._pace.learn(letters, len(self._voiced) * WINDOW_SECONDS)
