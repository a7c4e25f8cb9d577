"""Several recognisers as one: when one fails or hangs, the next hears again what no final transcript holds yet.

For the next one the audio since the last final transcript is kept, bounded, and sent faster than it was spoken. Its
transcripts go on where those of the last one ended, and are of one piece with them: no word is lost, none comes twice.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from livekit.agents import APIConnectOptions, APITimeoutError, ConversationItemAddedEvent, inference, stt, utils, vad
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr
from livekit.plugins import deepgram

from voiceworker.policy.recogniser_watch import WatchSettings
from voiceworker.runtime.chains.breakers import Breakers, Trying
from voiceworker.runtime.chains.chain import Chain
from voiceworker.runtime.chains.links import Link, OnSwitch, layers_of
from voiceworker.runtime.chains.recognition_stream import ChainedRecognition


@dataclass(frozen=True, slots=True)
class HearingPatience:
    connect_seconds: float = 1.2
    recognize_seconds: float = 2.5
    "for the answer of an engine that is sent whole utterances"
    last_recognize_seconds: float = 10.0
    last_final_seconds: float = 4.0
    "of the last engine of the chain: there is nobody else to ask, and mostly it is one of this machine"
    alone_final_seconds: float = 2.0
    "of one that nobody stands beside: soon after, the caller is to be told that he was not heard"
    turn_ending_seconds: float = 6.5
    "for the final transcript of an engine that ends turns itself: Flux waits up to 5 s for the caller to go on"
    watch: WatchSettings = field(default_factory=WatchSettings)
    kept_seconds: float = 30.0
    "of audio without a final transcript: who speaks longer than that to nobody who hears will have to repeat it"
    replay_speed: float = 20.0
    "against real time"
    return_after_seconds: float = 2.0
    "of silence, before a preferred engine that works again gets the caller back"
    retry_seconds: float = 0.5
    "when no engine could be opened, before they are tried again"


class SpeechRecognitionChain(Chain[stt.STT[Any]], stt.STT[Any]):
    role = "stt"

    def __init__(
        self,
        links: Sequence[Link[stt.STT[Any]]],
        breakers: Breakers,
        on_switch: OnSwitch,
        *,
        vad: vad.VAD | None = None,
        patience: HearingPatience | None = None,
        on_deaf: Callable[[], None] | None = None,
    ) -> None:
        """`vad`: hears whether there is a voice; None: the bundled one. `on_deaf`: told when the caller has said
        something that no engine has heard, so that the agent can say so. Raises ValueError without links."""
        if not links:
            raise ValueError("a chain has at least one link")
        self.vad = vad or inference.VAD(min_silence_duration=0.25)
        self.patience = patience or HearingPatience()
        streaming = [self._streaming(link, is_last=link is links[-1]) for link in links]
        capabilities = [link.engine.capabilities for link in streaming]
        first = capabilities[0]
        super().__init__(
            # the turn-taking is set up for the first: what the others lack must not make every call worse
            capabilities=dataclasses.replace(
                first,
                streaming=True,
                diarization=all(one.diarization for one in capabilities),
                aligned_transcript=(
                    first.aligned_transcript if all(one.aligned_transcript for one in capabilities) else False
                ),
                offline_recognize=any(link.engine.capabilities.offline_recognize for link in links),
                keyterms=any(one.keyterms for one in capabilities),
                chat_context=any(one.chat_context for one in capabilities),
            )
        )
        self._join(streaming, breakers, on_switch, given=links)
        self.on_deaf = on_deaf

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        return ChainedRecognition(self, language)

    async def _recognize_impl(
        self, buffer: utils.AudioBuffer, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> stt.SpeechEvent:
        """Raises what the last of the engines does."""
        able = [link for link in self._given if link.engine.capabilities.offline_recognize]
        error: Exception = RuntimeError("none of the engines recognises whole recordings")
        while (picked := self.breakers.admit_first("stt", able)) is not None:
            link, trying = picked
            able.remove(link)
            try:
                event = await self._once(link, buffer, language)
            except Exception as failed:  # whatever it is: the next one is asked
                error = failed
                trying.failed(self.retry_afters.failure_of(failed))
            else:
                trying.succeeded()
                return event
        raise error

    async def _once(
        self, link: Link[stt.STT[Any]], buffer: utils.AudioBuffer, language: NotGivenOr[str]
    ) -> stt.SpeechEvent:
        options = APIConnectOptions(max_retry=0, timeout=self.patience.connect_seconds)
        async with asyncio.timeout(link.patience_seconds or self.patience.recognize_seconds):
            return await link.engine.recognize(buffer, language=language, conn_options=options)

    def prewarm(self) -> None:
        """Of the first only: the others are not expected to be needed."""
        self._given[0].engine.prewarm()

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        for link in self._given:
            if link.engine.capabilities.keyterms:
                link.engine._update_session_keyterms(keyterms)

    def _push_conversation_item(self, event: ConversationItemAddedEvent) -> None:
        for link in self._given:
            if link.engine.capabilities.chat_context:
                link.engine._push_conversation_item(event)

    # --- for the streams ---

    def better_than(self, link: Link[stt.STT[Any]]) -> tuple[Link[stt.STT[Any]], Trying] | None:
        """One that is preferred to it and may be asked again."""
        for better in self.links[: self.links.index(link)]:
            if (trying := self.breakers.admit("stt", better)) is not None:
                return better, trying
        return None

    def final_patience(self, link: Link[stt.STT[Any]]) -> float | None:
        """How long its final transcript may take; None: as long as any."""
        if link.patience_seconds is not None:
            return link.patience_seconds
        if any(isinstance(one, deepgram.STTv2) for one in layers_of(link.engine)):
            return self.patience.turn_ending_seconds
        if len(self.links) == 1:
            return self.patience.alone_final_seconds
        return self.patience.last_final_seconds if link is self.links[-1] else None

    def _streaming(self, link: Link[stt.STT[Any]], *, is_last: bool) -> Link[stt.STT[Any]]:
        """An engine that takes whole utterances gets them cut out by the voice detector."""
        if link.engine.capabilities.streaming:
            return link
        usual = self.patience.last_recognize_seconds if is_last else self.patience.recognize_seconds
        hurried = Hurried(link.engine, link.patience_seconds or usual)
        return dataclasses.replace(link, engine=stt.StreamAdapter(stt=hurried, vad=self.vad))


class Hurried(stt.STT[Any]):
    """An engine for whole utterances that is not waited for without an end: the plugins allow it half a minute."""

    def __init__(self, engine: stt.STT[Any], seconds: float) -> None:
        super().__init__(capabilities=engine.capabilities)
        self._recognize_metrics_needed = False  # the engine tells its own
        self._engine = engine
        self._seconds = seconds

    @property
    def model(self) -> str:
        return self._engine.model

    @property
    def provider(self) -> str:
        return self._engine.provider

    async def _recognize_impl(
        self, buffer: utils.AudioBuffer, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> stt.SpeechEvent:
        """Raises APITimeoutError, and whatever the engine does."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._engine.recognize(
                    buffer, language=language, conn_options=dataclasses.replace(conn_options, max_retry=0)
                )
        except TimeoutError:
            raise APITimeoutError("no transcript came in time", retryable=False) from None
