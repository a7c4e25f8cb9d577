"""The thread that owns a voice: it loads it, and speaks one sentence after another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from piper import PiperConfig

from .log import logger
from .voice import Abandoned, Stop, Style, Voice

Samples = npt.NDArray[np.int16]
_Result = TypeVar("_Result")


class Mouth:
    """Speaks off the event loop; several utterances take turns, sentence by sentence."""

    def __init__(self, model: Path, config: PiperConfig, *, threads: int) -> None:
        self._model = model
        self._config = config
        self._threads = threads
        self._owner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="piper")
        self._loading: Future[Voice] | None = None
        self._speaking: set[Stop] = set()

    def prewarm(self) -> None:
        """Begins to load the voice, if nobody has; returns at once."""
        if self._loading is None:
            self._loading = self._owner.submit(self._load)

    async def speak(self, text: str, style: Style) -> AsyncGenerator[Samples, None]:
        """int16[samples], mono, sentence by sentence. Cancelling or closing it stops the synthesis at once.

        Raises VoiceError, and RuntimeError when closed.
        """
        self.prewarm()
        stop = Stop()
        self._speaking.add(stop)
        sentences = self._sentences(text, style, stop)
        try:
            while (samples := await self._in_thread(lambda: next(sentences, None))) is not None:
                yield samples
        except Abandoned:
            raise RuntimeError("this TTS is closed") from None
        finally:
            stop.set()
            self._speaking.discard(stop)

    async def aclose(self) -> None:
        """Stops what is being spoken; returns when the thread has ended."""
        for stop in self._speaking:
            stop.set()
        await asyncio.to_thread(self._owner.shutdown)
        self._loading = None

    def _sentences(self, text: str, style: Style, stop: Stop) -> Iterator[Samples]:
        assert self._loading is not None
        yield from self._loading.result().speak(text, style, stop)

    def _load(self) -> Voice:
        voice = Voice(self._model, self._config, threads=self._threads)
        for _ in voice.speak("a", Style(), Stop()):  # the first run is the slowest
            pass
        logger.info("loaded the voice %s", self._model)
        return voice

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._owner, work)
