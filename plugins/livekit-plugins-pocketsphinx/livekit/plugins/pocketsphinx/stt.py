"""Speech to text by pocketsphinx, on the machine itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    LanguageCode,
    NotGivenOr,
    inference,
    stt,
    utils,
)
from livekit.agents import vad as voice_activity

from . import grammar as jsgf
from .audio import to_pcm
from .build import ModelFiles, ModelSettings, Vocabulary, build, default_cache_folder
from .recognizer import Recognizer
from .stream import RecognizeStream, speech_data

REJECTION_CONFIDENCE = 0.12
"""Below it lies all of white noise and much of what voices say at once, but no clear sentence (see the README)."""


class STT(stt.STT[Literal["metrics_collected", "error"]]):
    """Hears US English without key, network or download.

    `grammar` is what callers are expected to say, as JSGF 1.0 text: each public rule is one such thing. It sharpens the
    recogniser and does not bind it: other speech is heard by a general model of English. `pronunciations` (word to
    ARPAbet phones) teaches it words its dictionary lacks; `vad` finds where speech begins and ends.

    A final transcript carries `confidence`, 0 to 1, and so does each of its words. A final whose confidence is below
    `rejection_confidence` is withheld: the utterance then ends with END_OF_SPEECH alone.

    The first use of a grammar builds its language model in `cache_folder`, which takes seconds; `prewarm` does that and
    loads a decoder ahead of a call. Raises ValueError when the grammar is wrong or the language is not English.
    """

    def __init__(
        self,
        *,
        grammar: str | None = None,
        language: str = "en-US",
        vad: voice_activity.VAD | None = None,
        pronunciations: Mapping[str, str] | None = None,
        rejection_confidence: float = REJECTION_CONFIDENCE,
        model_settings: ModelSettings | None = None,
        cache_folder: Path | None = None,
    ) -> None:
        super().__init__(
            capabilities=stt.STTCapabilities(streaming=True, interim_results=True, aligned_transcript="word")
        )
        if LanguageCode(language).language != "en":
            raise ValueError(f"pocketsphinx's wheel has a model of US English only, not of {language}")
        if grammar is not None:
            jsgf.check(grammar)
        self._language = LanguageCode(language)
        self._vad = vad or inference.VAD()
        self._vocabulary = Vocabulary(grammar, pronunciations or {})
        self._model_settings = model_settings or ModelSettings()
        self._cache_folder = cache_folder or default_cache_folder()
        self._rejection_confidence = rejection_confidence
        self._loader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pocketsphinx.load")
        self._spare: Future[Recognizer] | None = None
        self._closed = False

    @property
    def model(self) -> str:
        return "en-us"

    @property
    def provider(self) -> str:
        return "pocketsphinx"

    def prewarm(self) -> None:
        """Builds the language model, if it is not there yet, and loads a decoder for the next call; returns at once."""
        if self._spare is None and not self._closed:
            self._spare = self._loader.submit(self._load)

    def build(self) -> ModelFiles:
        """The language model's files, made if they are not there yet; blocks for seconds then, and takes much memory.

        A program that answers calls does this ahead, in a process that ends, so that no call waits for it or keeps its
        memory. Raises OSError when the cache folder cannot be written.
        """
        return build(self._vocabulary, self._model_settings, self._cache_folder)

    def _load(self) -> Recognizer:
        return Recognizer(self.build())

    async def take_recognizer(self) -> Recognizer:
        """For the streams: a recogniser that is nobody else's. It comes back by `give_back`."""
        self.prewarm()
        loading, self._spare = self._spare, None
        if loading is None:
            raise RuntimeError("this STT is closed")
        return await asyncio.wrap_future(loading)

    def give_back(self, recognizer: Recognizer) -> None:
        """For the streams: takes back a recogniser that has forgotten its caller, for the next call."""
        if self._closed:
            recognizer.close()
        elif self._spare is not None:
            self._loader.submit(recognizer.close)
        else:
            self._spare = Future()
            self._spare.set_result(recognizer)

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> RecognizeStream:
        return RecognizeStream(
            stt=self,
            conn_options=conn_options,
            vad=self._vad,
            language=self._language,
            rejection_confidence=self._rejection_confidence,
        )

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        """The whole buffer as one utterance; `alternatives` is empty when nothing, or nothing trustworthy, was said."""
        pcm = await asyncio.to_thread(to_pcm, buffer)
        recognizer = await self.take_recognizer()
        try:
            transcript = await asyncio.to_thread(recognizer.recognize, pcm)
            await asyncio.to_thread(recognizer.forget_caller)
        finally:
            self.give_back(recognizer)
        heard = transcript.is_speech(self._rejection_confidence)
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            request_id=utils.shortuuid("pocketsphinx_"),
            alternatives=[speech_data(transcript, self._language)] if heard else [],
        )

    async def aclose(self) -> None:
        """Frees the waiting decoder; streams that are still open keep theirs until they close."""
        self._closed = True
        spare, self._spare = self._spare, None
        await asyncio.to_thread(self._loader.shutdown)
        if spare is not None and spare.exception() is None:
            spare.result().close()
