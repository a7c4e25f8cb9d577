"""Speech to text by Whisper, on the machine itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectionError,
    APIConnectOptions,
    LanguageCode,
    NotGivenOr,
    inference,
    stt,
    utils,
)
from livekit.agents import vad as voice_activity

from . import files
from .audio import to_pcm
from .ear import Ear
from .model import ModelError, ModelSettings
from .stream import RecognizeStream, speech_data

_WHISPERS_OWN = {"nb": "no", "fil": "tl", "jv": "jw"}
"codes of languages that Whisper calls otherwise"


class STT(stt.STT[Literal["metrics_collected", "error"]]):
    """Hears by Whisper in a thread of this process: no key, no network.

    `model` is a size (`small.en`, `large-v3-turbo`), the hub's name of a converted model (`OWNER/NAME`), or the name of
    a folder with your own; its files lie in `download_root`, and are never fetched here (see `files.download`).
    `language` None: detected anew in each utterance. `prompt` is text that is likely to come up (names, products): it
    sharpens the hearing. `vad` finds where speech begins and ends.

    Raises ValueError for an unknown model or a language that it does not know, MissingModelError when files are
    missing, ModelError when they are broken.
    """

    def __init__(
        self,
        *,
        model: str = "small.en",
        language: str | None = "en",
        download_root: Path,
        device: str = "auto",
        compute_type: str = "default",
        threads: int = 0,
        beam_size: int = 1,
        prompt: str = "",
        vad: voice_activity.VAD | None = None,
    ) -> None:
        super().__init__(
            capabilities=stt.STTCapabilities(streaming=True, interim_results=True, aligned_transcript="word")
        )
        folder = files.find(model, download_root)
        self._model = model
        self._languages = files.languages(model, download_root)
        self._language = self._checked(language)
        self._prompt = prompt
        self._vad = vad or inference.VAD()
        self._ear = Ear(folder, ModelSettings(device, compute_type, threads, beam_size))

    @property
    def model(self) -> str:
        return self._model

    @property
    def provider(self) -> str:
        return "faster-whisper"

    def prewarm(self) -> None:
        """Begins to load the model; returns at once."""
        self._ear.prewarm()

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> RecognizeStream:
        """Raises ValueError for a language that the model does not know."""
        return RecognizeStream(
            stt=self,
            conn_options=conn_options,
            ear=self._ear,
            vad=self._vad,
            language=self._chosen(language),
            prompt=self._prompt,
        )

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        """The whole buffer as one utterance; `alternatives` is empty when nothing was said."""
        pcm = await asyncio.to_thread(to_pcm, buffer)
        try:
            transcript = await self._ear.hear(pcm, language=self._chosen(language), prompt=self._prompt)
        except ModelError as error:
            raise APIConnectionError(str(error), retryable=False) from error
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            request_id=utils.shortuuid("whisper_"),
            alternatives=[speech_data(transcript)] if transcript.text else [],
        )

    async def aclose(self) -> None:
        """Stops what is being decoded, and ends the thread; the weights' memory goes with this object."""
        await self._ear.aclose()

    def _chosen(self, language: NotGivenOr[str]) -> str | None:
        return self._checked(language) if utils.is_given(language) else self._language

    def _checked(self, language: str | None) -> str | None:
        if not language:
            return None if len(self._languages) > 1 else next(iter(self._languages))
        code = LanguageCode(language).language
        code = _WHISPERS_OWN.get(code, code)
        if code not in self._languages:
            known = ", ".join(sorted(self._languages))
            raise ValueError(
                f"the Whisper model {self._model} does not know the language {language}; it knows: {known}"
            )
        return code
