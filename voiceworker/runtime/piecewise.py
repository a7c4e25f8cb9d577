"""A reply is synthesised piece by piece: the first clause, then sentence by sentence.

A TTS begins when its input ends, or when it has seen the beginning of a second sentence: so a clause that is to be
heard early, or ahead of the turn, has to be an input of its own.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from livekit import rtc
from livekit.agents import tokenize

from voiceworker.runtime.leading_silence import trim_leading_silence
from voiceworker.runtime.moved_words import move_words
from voiceworker.runtime.tasks import Tasks

Frames = AsyncGenerator[rtc.AudioFrame, None]
Synthesize = Callable[[AsyncIterable[str]], Frames]

_SHORTEST_CLAUSE = 10
"characters: less is often no clause (Dr. , No. ), and is over before the rest is synthesised"

_LONGEST_CLAUSE = 50
"characters: without any mark so much goes ahead, up to the end of a word"

_CLAUSE_END = re.compile(r"""[.,;:!?…—–]["'”’)\]]*(?=\s)|(?<=[^\W\d_])[,;]$|[。，！？；：、।॥]["”’」』）]*""")
"a comma after a letter needs no look at what follows: that would be another token to wait for"


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
    """The speech of `text`, without silence ahead of its pieces; all but the first clause after `opened()`. The word
    times in it are counted from its beginning.

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
            begins_at = seconds
            while (frame := await piece.frames.get()) is not None:
                if isinstance(frame, Exception):
                    raise frame
                seconds += frame.duration
                move_words(frame, begins_at)
                yield frame
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
