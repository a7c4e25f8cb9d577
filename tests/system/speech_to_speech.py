"""A speech-to-speech call in this process: our session over the real SFU, the stock plugins on the emulators."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
from joining import joined, plain_token, until
from livekit import rtc
from livekit.agents import AgentSession, inference, llm, room_io, utils
from livekit.plugins import deepgram, openai
from rig import free_port

from voiceworker.config import AgentDefinition, Settings, load_agent, load_settings
from voiceworker.events import AgentInterrupted, AgentTranscript, Event, UserTranscript
from voiceworker.lab.audio import SAMPLE_RATE, read_speech
from voiceworker.lab.bench.ear import Ear
from voiceworker.lab.conversation import Utterance
from voiceworker.lab.emulators import ProviderEmulators
from voiceworker.lab.microphone import Microphone
from voiceworker.lab.speech import Speech
from voiceworker.policy.attendance import Attendance, AttendanceSettings
from voiceworker.runtime.caller_audio import SAMPLE_RATE as CALLER_SAMPLE_RATE
from voiceworker.runtime.narrator import Narrator
from voiceworker.runtime.realtime import LineSettings, Lost, SpeechToSpeech, model_options
from voiceworker.runtime.receptionist import Receptionist
from voiceworker.runtime.session_events import SessionListener
from voiceworker.runtime.tasks import Tasks
from voiceworker.runtime.turn_taking import VAD_SILENCE_SECONDS, TurnTaking
from voiceworker.stack.sfu import find_sfu, start_sfu

AGENT = """
name: switchboard
language: en
instructions: You answer the phone.
greeting: Amber anchor apple.
models: {stt: [deepgram/nova-3], llm: [openai/gpt-4.1-mini], tts: [openai/gpt-4o-mini-tts]}
turns: {end_of_turn: vad}
tools: []
"""


@asynccontextmanager
async def running_sfu() -> AsyncIterator[Settings]:
    ports = {f"VOICEWORKER_{name}_PORT": str(free_port()) for name in ("SFU", "SFU_TCP", "SFU_UDP")}
    kept = {name: os.environ[name] for name in ("XDG_CACHE_HOME",) if name in os.environ}
    keys = {"LIVEKIT_API_KEY": "APItest", "LIVEKIT_API_SECRET": secrets.token_urlsafe(32)}
    settings = load_settings({**keys, **ports, **kept})
    sfu = await start_sfu(
        settings, await asyncio.to_thread(find_sfu, settings), environment={}, on_line=lambda line: None
    )
    try:
        yield settings
    finally:
        await sfu.stop(within_seconds=5)


class Call:
    """Both ends of it: what the caller hears, what the agent tells."""

    def __init__(self, emulators: ProviderEmulators, definition: AgentDefinition, line: LineSettings) -> None:
        self.emulators = emulators
        self.ear = Ear()
        self.told: list[Event] = []
        self.losses: list[Lost] = []
        self.tasks = Tasks()
        self._definition = definition
        self._line_settings = line
        self._microphone = Microphone(lambda samples, sent_at: None)

    # --- the agent's end ---

    async def answer(self, room: rtc.Room, tools: list[llm.Tool | llm.Toolset]) -> None:
        url, definition = self.emulators.openai_url, self._definition
        self.turns = turns = TurnTaking(
            definition,
            room,
            self.tasks,
            self.told.append,
            lambda: "caller",
            may_speculate=False,
            in_pieces=False,
            has_interims=True,
        )
        self.session = session = AgentSession[None](
            stt=deepgram.STT(base_url=f"{self.emulators.deepgram_url}/v1/listen", api_key="key"),
            llm=openai.LLM(model="gpt-4.1-mini", base_url=url, api_key="key"),
            tts=openai.TTS(base_url=url, api_key="key"),
            vad=inference.VAD(min_silence_duration=VAD_SILENCE_SECONDS),
            turn_handling=turns.options,
            use_tts_aligned_transcript=True,
            aec_warmup_duration=None,
            user_away_timeout=None,
        )
        model = openai.realtime.RealtimeModel(base_url=url, api_key="key", **model_options())
        self.speech = SpeechToSpeech(
            model,
            definition,
            turns,
            lambda: list(tools),
            self.tasks,
            settings=self._line_settings,
            on_lost=self.losses.append,
            on_agent=self._spoken_by,
        )
        self.agent: Receptionist = self.speech.agent

        def unheard(heard: str) -> str:
            return self.agent.unheard(heard)

        turns.attach(session, unheard)
        turns.enter_room()
        self.speech.attach(session)
        attendance = Attendance(AttendanceSettings(), time.monotonic())
        narrator = cast("Narrator", self)
        SessionListener(session, unheard, narrator, attendance, turns, lambda: None).attach()
        options = room_io.RoomOptions(
            audio_input=room_io.AudioInputOptions(sample_rate=CALLER_SAMPLE_RATE, frame_size_ms=10),
            audio_output=False,
            text_output=room_io.TextOutputOptions(next_in_chain=turns.heard),
            participant_identity="caller",
        )
        await session.start(self.agent, room=room, room_options=options, session_host=False, record=False)

    def tell(self, event: Event) -> None:
        self.told.append(event)

    def _spoken_by(self, agent: Receptionist) -> None:
        self.agent = agent

    async def hang_up(self) -> None:
        await self.session.aclose()
        for engine in (self.session.stt, self.session.llm, self.session.tts, self.speech):
            await engine.aclose()  # type: ignore[union-attr]
        await self.turns.aclose()
        await self.tasks.aclose()

    # --- the caller's end ---

    async def join(self, room: rtc.Room) -> None:
        def subscribed(track: rtc.Track, *_: Any) -> None:
            self.tasks.spawn(self._listen(track), "the caller's ear")

        room.on("track_subscribed", subscribed)
        for participant in room.remote_participants.values():
            for publication in participant.track_publications.values():
                if publication.track is not None:
                    subscribed(publication.track)
        track = rtc.LocalAudioTrack.create_audio_track("caller", self._microphone.source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await room.local_participant.publish_track(track, options)
        self.tasks.spawn(self._microphone.run(), "the caller's microphone")

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=SAMPLE_RATE, num_channels=1, frame_size_ms=10)
        async for event in stream:
            self.ear.hear(np.frombuffer(event.frame.data, np.int16).copy(), time.perf_counter())

    async def say(self, speech: Speech) -> Utterance:
        utterance = Utterance(started_at=time.perf_counter())
        self.emulators.expect(speech, utterance.started_at)
        await self._microphone.say(read_speech(speech.path), utterance)
        return utterance

    async def reply_to(self, said: Utterance) -> float:
        """When the agent's next speech began to be heard."""
        assert said.ended_at is not None
        ended_at = said.ended_at
        try:
            await until(lambda: self.ear.onset_after(ended_at) is not None, within_seconds=15)
        except TimeoutError:
            heard = [one.text for one in self.emulators.heard[-4:]]
            unheard = [one.text for one in self.emulators.unheard]
            raise AssertionError(f"no reply; heard {heard}, not {unheard}; told {self.told[-6:]}") from None
        onset = self.ear.onset_after(ended_at)
        assert onset is not None
        return onset

    async def quiet(self, seconds: float = 1.0, *, within_seconds: float = 40) -> None:
        """Until nothing has been heard for so long, after something was."""

        def is_quiet() -> bool:
            last = self.ear.last_loud_before(time.perf_counter())
            return last is not None and time.perf_counter() - last > seconds

        await until(is_quiet, within_seconds=within_seconds)

    # --- what was told ---

    def texts(self, kind: type[UserTranscript | AgentTranscript]) -> list[str]:
        return [event.text for event in self.told if isinstance(event, kind)]

    @property
    def interruptions(self) -> list[AgentInterrupted]:
        return [event for event in self.told if isinstance(event, AgentInterrupted)]


@asynccontextmanager
async def speech_call(
    sfu: Settings,
    emulators: ProviderEmulators,
    directory: Path,
    *,
    tools: Callable[[], list[llm.Tool | llm.Toolset]] = list,
    **line: Any,
) -> AsyncIterator[Call]:
    file = directory / "switchboard.yaml"
    file.write_text(AGENT)
    call = Call(emulators, load_agent(file), LineSettings(**line))
    name = f"speech-{secrets.token_hex(4)}"
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(utils.http_context.open())
        caller = await stack.enter_async_context(joined(sfu.livekit_url, plain_token(sfu, name, "caller")))
        agent = await stack.enter_async_context(joined(sfu.livekit_url, plain_token(sfu, name, "agent")))
        await call.join(caller)
        try:
            await call.answer(agent, tools())
            await asyncio.sleep(1)  # the jitter buffer settles
            yield call
        finally:
            await call.hang_up()
