"""A reply is synthesised piece by piece: the first clause, then sentence by sentence.

A TTS begins when its input ends, or when it has seen the beginning of a second sentence: so a clause that is to be
heard early, or ahead of the turn, has to be an input of its own. And of a piece whose sound is complete it is known
how long it lasts: that gives word times for voices that tell none, which the text that was heard depends on.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from livekit import rtc
from livekit.agents import tokenize
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.agents.utils import is_given
from livekit.agents.voice.io import TimedString

from voiceworker.runtime.leading_silence import SILENCE, trim_leading_silence
from voiceworker.runtime.tasks import Tasks

Frames = AsyncGenerator[rtc.AudioFrame, None]
Synthesize = Callable[[AsyncIterable[str]], Frames]

_SHORTEST_CLAUSE = 10
"characters: less is often no clause (Dr. , No. ), and is over before the rest is synthesised"

_LONGEST_CLAUSE = 50
"characters: without any mark so much goes ahead, up to the end of a word"

_CLAUSE_END = re.compile(r"""[.,;:!?…—–]["'”’)\]]*(?=\s)|(?<=[^\W\d_])[,;]$|[。，！？；：、।॥]["”’」』）]*""")
"a comma after a letter needs no look at what follows: that would be another token to wait for"

_WINDOW_SECONDS = 0.01
_LETTERS_OF_A_PAUSE = 2
"a word lasts about as long as its letters and two more: short ones are not as short as they are written"


# --- the text ---


async def pieces_of(text: AsyncIterable[str]) -> AsyncGenerator[str, None]:
    """The first clause as soon as it is complete, then whole sentences; what has nothing to be said in it goes along
    with what comes before."""
    sentences = tokenize.blingfire.SentenceTokenizer(retain_format=True).stream()
    source, head = aiter(text), ""
    tasks = Tasks()

    async def feed(rest: str) -> None:
        if rest:
            sentences.push_text(rest)
        async for part in source:
            sentences.push_text(part)
        sentences.end_input()

    try:
        async for part in source:
            head += part
            if (end := first_clause_end(head)) is not None:
                yield head[:end]
                head = head[end:]
                break
        tasks.spawn(feed(head), "sentences of a reply")
        async for sentence in sentences:
            if _is_speakable(sentence.token):
                yield sentence.token
    finally:
        await tasks.aclose()
        await sentences.aclose()


def first_clause_end(text: str) -> int | None:
    """Where the first clause ends, without the space after it; None while it may go on."""
    for mark in _CLAUSE_END.finditer(text):
        if _SHORTEST_CLAUSE <= mark.end() <= _LONGEST_CLAUSE and _is_speakable(text[: mark.end()]):
            return mark.end()
    if len(text) <= _LONGEST_CLAUSE:
        return None
    space = text.rfind(" ", 0, _LONGEST_CLAUSE)
    return space if space > 0 else _LONGEST_CLAUSE


def _is_speakable(text: str) -> bool:
    return any(character.isalnum() for character in text)


# --- the sound ---


@dataclass(eq=False, slots=True)
class _Piece:
    text: str
    frames: asyncio.Queue[rtc.AudioFrame | Exception | None] = field(default_factory=asyncio.Queue)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)


async def speak_in_pieces(
    text: AsyncIterable[str], opened: Callable[[], Awaitable[object]], synthesize: Synthesize
) -> Frames:
    """The speech of `text`, without silence ahead of its pieces and with word times; all but the first clause after
    `opened()`.

    A piece is synthesised while the one before it arrives, never more than two at once. Raises what `synthesize` does.
    """
    pieces: asyncio.Queue[_Piece | Exception | None] = asyncio.Queue()
    tasks = Tasks()
    tasks.spawn(_synthesise_all(text, opened, synthesize, pieces, tasks), "pieces of a reply")
    seconds = 0.0
    try:
        while (piece := await pieces.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            clock = _WordClock(piece.text)
            while (frame := await piece.frames.get()) is not None:
                if isinstance(frame, Exception):
                    raise frame
                clock.hear(frame)
                yield _later(frame, seconds)
            if (last := clock.word_times(seconds)) is not None:
                yield last
            seconds += clock.seconds
    finally:
        await tasks.aclose()


async def _synthesise_all(
    text: AsyncIterable[str],
    opened: Callable[[], Awaitable[object]],
    synthesize: Synthesize,
    pieces: asyncio.Queue[_Piece | Exception | None],
    tasks: Tasks,
) -> None:
    earlier: list[_Piece] = []
    try:
        async with aclosing(pieces_of(text)) as texts:
            async for part in texts:
                piece = _Piece(part)
                if earlier:
                    await opened()
                    await earlier[-1].begun.wait()
                if len(earlier) > 1:
                    await earlier[-2].over.wait()
                earlier = [*earlier[-1:], piece]
                tasks.spawn(_synthesise(piece, synthesize), "piece of a reply")
                pieces.put_nowait(piece)
    except Exception as error:  # carried over, to be raised where the speech is read
        pieces.put_nowait(error)
    pieces.put_nowait(None)


async def _synthesise(piece: _Piece, synthesize: Synthesize) -> None:
    async def whole() -> AsyncGenerator[str, None]:
        yield piece.text

    try:
        async with aclosing(synthesize(whole())) as frames:
            async for frame in trim_leading_silence(frames):
                piece.frames.put_nowait(frame)
                piece.begun.set()
    except Exception as error:  # carried over, to be raised where the speech is read
        piece.frames.put_nowait(error)
    piece.frames.put_nowait(None)
    piece.begun.set()
    piece.over.set()


# --- word times ---


class _WordClock:
    """Hears a piece and says when each of its words is spoken, for a voice that does not tell."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._sound: list[npt.NDArray[np.int16]] = []
        self._rate = 0
        self._samples = 0
        self._is_told = False

    @property
    def seconds(self) -> float:
        return self._samples / self._rate if self._rate else 0.0

    def hear(self, frame: rtc.AudioFrame) -> None:
        self._rate = frame.sample_rate
        self._samples += frame.samples_per_channel
        self._is_told = self._is_told or bool(frame.userdata.get(USERDATA_TIMED_TRANSCRIPT))
        if not self._is_told:
            self._sound.append(np.frombuffer(frame.data, np.int16).reshape(-1, frame.num_channels)[:, 0])

    def word_times(self, begins_at: float) -> rtc.AudioFrame | None:
        """A frame of one silent sample that carries them, counted from `begins_at`; None when the voice told them.

        A word ends in its middle: it counts as heard from there on, so that the estimate errs to either side.
        """
        words = self._text.split()
        if self._is_told or not words or not self._samples:
            return None
        times = spoken_times(words, np.concatenate(self._sound), self._rate)
        frame = rtc.AudioFrame(b"\0\0", self._rate, 1, 1)
        self._samples += 1
        frame.userdata[USERDATA_TIMED_TRANSCRIPT] = [
            TimedString(f"{word} ", start_time=begins_at + start, end_time=begins_at + (start + end) / 2)
            for word, (start, end) in zip(words, times, strict=True)
        ]
        return frame


def spoken_times(words: list[str], sound: npt.NDArray[np.int16], rate: int) -> list[tuple[float, float]]:
    """When each word begins and ends, in seconds: the sound that is no silence is shared out by their letters."""
    window = max(1, round(rate * _WINDOW_SECONDS))
    count = max(1, len(sound) // window)
    level = np.abs(sound[: count * window].astype(np.int32)).reshape(count, -1).max(axis=1, initial=0)
    voiced = np.flatnonzero(level > SILENCE)
    if not voiced.size:
        voiced = np.arange(count)
    weights = np.array([len(word) + _LETTERS_OF_A_PAUSE for word in words], np.float64)
    edges = np.concatenate([[0.0], np.cumsum(weights) / weights.sum()]) * len(voiced)
    seconds = window / rate
    begins = voiced[np.minimum(edges[:-1].astype(int), len(voiced) - 1)] * seconds
    ends = (voiced[np.minimum(np.maximum(np.ceil(edges[1:]).astype(int) - 1, 0), len(voiced) - 1)] + 1) * seconds
    return list(zip(begins.tolist(), ends.tolist(), strict=True))


def _later(frame: rtc.AudioFrame, seconds: float) -> rtc.AudioFrame:
    """The frame with its word times moved by `seconds`."""
    words = frame.userdata.get(USERDATA_TIMED_TRANSCRIPT)
    if words and seconds:
        frame.userdata[USERDATA_TIMED_TRANSCRIPT] = [_later_word(word, seconds) for word in words]
    return frame


def _later_word(word: TimedString, seconds: float) -> TimedString:
    return TimedString(
        word,
        start_time=word.start_time + seconds if is_given(word.start_time) else word.start_time,
        end_time=word.end_time + seconds if is_given(word.end_time) else word.end_time,
        confidence=word.confidence,
        start_time_offset=word.start_time_offset,
        speaker_id=word.speaker_id,
    )
