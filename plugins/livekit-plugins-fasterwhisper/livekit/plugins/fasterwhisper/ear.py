"""The thread that owns a Whisper: it loads it, decodes one piece of audio after another, and can be told to stop."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from .audio import SAMPLE_RATE, to_floats
from .log import logger
from .model import Abandoned, Model, ModelSettings, Transcript

_WARM_UP = bytes(SAMPLE_RATE)  # half a second of silence


class Ear:
    """Decodes in order of arrival, off the event loop. The model is loaded at the first use, or by `prewarm`."""

    def __init__(self, folder: Path, settings: ModelSettings) -> None:
        self._folder = folder
        self._settings = settings
        self._owner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fasterwhisper")
        self._loading: Future[Model] | None = None
        self._wanted: set[threading.Event] = set()
        self.cost_seconds: float | None = None
        "what the last decoding took; None before the first"

    def prewarm(self) -> None:
        """Begins to load the model, if nobody has; returns at once."""
        if self._loading is None:
            self._loading = self._owner.submit(self._load)

    async def ready(self) -> None:
        """Returns when the model is loaded. Raises ModelError, and RuntimeError when closed."""
        self.prewarm()
        assert self._loading is not None
        await asyncio.shield(asyncio.wrap_future(self._loading))

    async def hear(self, pcm: bytes, *, language: str | None, prompt: str = "") -> Transcript:
        """`pcm`: int16 little endian, 16 kHz mono. Cancelling the caller stops the decoding at its next step.

        Raises ModelError, and RuntimeError when closed.
        """
        self.prewarm()
        cancelled = threading.Event()
        self._wanted.add(cancelled)
        work = functools.partial(self._decode, pcm, language=language, prompt=prompt, cancelled=cancelled)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._owner, work)
        except Abandoned:
            raise RuntimeError("this STT is closed") from None
        finally:
            cancelled.set()
            self._wanted.discard(cancelled)

    async def aclose(self) -> None:
        """Stops what is being decoded; returns when the thread has ended."""
        for cancelled in self._wanted:
            cancelled.set()
        await asyncio.to_thread(self._owner.shutdown)
        self._loading = None

    def _load(self) -> Model:
        began = time.monotonic()
        model = Model(self._folder, self._settings)
        loaded = time.monotonic()
        model.transcribe(to_floats(_WARM_UP), language="en", prompt="", cancelled=threading.Event())
        self.cost_seconds = time.monotonic() - loaded
        logger.info("loaded %s in %.1f s; a decoding takes %.2f s", self._folder, loaded - began, self.cost_seconds)
        return model

    def _decode(self, pcm: bytes, *, language: str | None, prompt: str, cancelled: threading.Event) -> Transcript:
        assert self._loading is not None
        model = self._loading.result()
        if cancelled.is_set():
            raise Abandoned
        began = time.monotonic()
        transcript = model.transcribe(to_floats(pcm), language=language, prompt=prompt, cancelled=cancelled)
        self.cost_seconds = time.monotonic() - began
        return transcript
