from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable

import numpy as np
import pytest
from livekit import rtc
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.agents.voice.io import TimedString

from voiceworker.lab.emulators.tones import encode
from voiceworker.runtime.piecewise import first_clause_end, pieces_of, speak_in_pieces

RATE = 24_000


async def tokens(text: str) -> AsyncGenerator[str, None]:
    for part in text.split(" "):
        yield part + " "
        await asyncio.sleep(0)


async def at_once() -> None: ...


class Voice:
    """Synthesises tone words, with silence ahead as providers send it."""

    def __init__(self, *, tells_words: bool = False) -> None:
        self.asked: list[str] = []
        self.running = self.most_at_once = 0
        self._tells_words = tells_words

    async def __call__(self, text: AsyncIterable[str]) -> AsyncGenerator[rtc.AudioFrame, None]:
        whole = "".join([part async for part in text])
        self.asked.append(whole)
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        sound = np.concatenate([np.zeros(RATE // 5, np.int16), encode(whole)])
        for place in range(0, len(sound), RATE // 10):
            await asyncio.sleep(0)
            part = sound[place : place + RATE // 10]
            frame = rtc.AudioFrame(part.tobytes(), RATE, 1, len(part))
            if self._tells_words and place == 0:
                frame.userdata[USERDATA_TIMED_TRANSCRIPT] = [TimedString(whole, start_time=0.2, end_time=1.0)]
            yield frame
        self.running -= 1


async def spoken(text: str, voice: Voice) -> tuple[np.ndarray[tuple[int], np.dtype[np.int16]], list[TimedString]]:
    sound, words = [], []
    async for frame in speak_in_pieces(tokens(text), at_once, voice):
        sound.append(np.frombuffer(frame.data, np.int16))
        words += frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])
    return np.concatenate(sound), words


REPLY = "Apple river stone, candle basket maple ocean. Ladder spider berry cloud garden. Apple river stone candle."


async def test_the_first_clause_goes_ahead_and_sentences_follow() -> None:
    assert [piece.strip() async for piece in pieces_of(tokens(REPLY))] == [
        "Apple river stone,",
        "candle basket maple ocean.",
        "Ladder spider berry cloud garden.",
        "Apple river stone candle.",
    ]


async def test_nothing_of_the_text_is_lost_and_marks_alone_are_not_asked_for() -> None:
    voice = Voice()
    await spoken("Well, it is so. Yes! ... (!) And more of it comes here.", voice)
    letters = [character for character in "".join(voice.asked).lower() if character.isalnum()]
    assert "".join(letters) == "wellitissoyesandmoreofitcomeshere"
    assert all(any(character.isalnum() for character in piece) for piece in voice.asked)


async def test_word_times_are_counted_from_the_beginning_of_the_reply() -> None:
    """The silence ahead of each piece, which is left out, is no part of them."""
    _, words = await spoken("Apple river stone, candle basket.", Voice(tells_words=True))
    assert [float(word.start_time) for word in words] == pytest.approx([0.0, 0.75], abs=0.02)


async def test_never_more_than_two_pieces_are_synthesised_at_once() -> None:
    voice = Voice()
    await spoken(" ".join([REPLY] * 4), voice)
    assert len(voice.asked) >= 10
    assert voice.most_at_once <= 2


async def test_only_the_first_clause_is_synthesised_before_the_turn_is_taken() -> None:
    voice, opened = Voice(), asyncio.Event()
    frames = speak_in_pieces(tokens(REPLY), opened.wait, voice)
    first = [await anext(frames)]
    for _ in range(100):
        await asyncio.sleep(0)
    assert voice.asked == ["Apple river stone,"]
    opened.set()
    first += [frame async for frame in frames]
    assert len(voice.asked) == 4


async def test_what_the_voice_raises_is_raised_and_no_task_is_left() -> None:
    async def broken(text: AsyncIterable[str]) -> AsyncGenerator[rtc.AudioFrame, None]:
        raise ConnectionError("no voice")
        yield

    before = asyncio.all_tasks()
    with pytest.raises(ConnectionError):
        async for _ in speak_in_pieces(tokens(REPLY), at_once, broken):
            pass
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("Sure, that is fine. ", 19),
        ("Certainly, that ", 10),
        ("Certainly,", 10),
        ("That comes to 1,", None),
        ("It is 3 p.m.", None),
        ("It is so", None),
        ("Dr. Bell is here now. ", 21),
    ],
)
def test_where_the_first_clause_ends(text: str, end: int | None) -> None:
    assert first_clause_end(text) == end
