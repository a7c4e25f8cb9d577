"""A stream of speech events into which something else can be put: what a timer or another part of the call brings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Generic, TypeVar

from livekit.agents import stt

from voiceworker.runtime.tasks import Tasks

T = TypeVar("T")


class _End:
    def __init__(self, error: Exception | None) -> None:
        self.error = error


class EventInbox(Generic[T]):
    """`async for item in inbox.items(events)`: the events in their order, and between them what `put` was given.

    Ends with the events, and raises what they raise. Closed early it leaves no task behind.
    """

    def __init__(self) -> None:
        self._queue: asyncio.Queue[stt.SpeechEvent | T | _End] = asyncio.Queue()

    def put(self, item: T) -> None:
        self._queue.put_nowait(item)

    async def items(self, events: AsyncIterable[stt.SpeechEvent]) -> AsyncGenerator[stt.SpeechEvent | T, None]:
        tasks = Tasks()
        tasks.spawn(self._fill(events), "transcripts")
        try:
            while True:
                item = await self._queue.get()
                if isinstance(item, _End):
                    if item.error is not None:
                        raise item.error
                    return
                yield item
        finally:
            await tasks.aclose()

    async def _fill(self, events: AsyncIterable[stt.SpeechEvent]) -> None:
        error: Exception | None = None
        try:
            async for event in events:
                self._queue.put_nowait(event)
        except Exception as failure:  # carried over, to be raised where the events are read
            error = failure
        self._queue.put_nowait(_End(error))
