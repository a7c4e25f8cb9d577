"""A private SFU for one run of the tests, and an agent of our own making in it: real media, no worker."""

from __future__ import annotations

import asyncio
import functools
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import numpy as np
import pytest
import pytest_asyncio
from livekit import api, rtc

from voiceworker.config import Settings, load_settings
from voiceworker.dispatch import agent_identity
from voiceworker.events import AgentInterrupted, Envelope
from voiceworker.lab.audio import SAMPLE_RATE, Samples, SpeechDetector
from voiceworker.lab.conversation import Utterance
from voiceworker.lab.invitation import Invitation
from voiceworker.lab.microphone import Microphone
from voiceworker.runtime.tasks import Tasks
from voiceworker.stack.sfu import find_sfu, start_sfu

KEY, SECRET = "APItest", "a-secret-of-the-tests-alone-" + "x" * 16


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sfu() -> AsyncIterator[Settings]:
    """A real SFU on private ports, one for all tests of this folder."""
    ports = {f"VOICEWORKER_{name}_PORT": str(free_port()) for name in ("SFU", "SFU_TCP", "SFU_UDP")}
    cache = {name: os.environ[name] for name in ("XDG_CACHE_HOME",) if name in os.environ}
    settings = load_settings({"LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET, **ports, **cache})
    program = await asyncio.to_thread(find_sfu, settings)
    sfu = await start_sfu(settings, program, environment={}, on_line=lambda line: None)
    try:
        yield settings
    finally:
        await sfu.stop(within_seconds=5)


def token(room: str, identity: str) -> str:
    grants = api.VideoGrants(room_join=True, room=room, can_update_own_metadata=True)
    made = api.AccessToken(KEY, SECRET).with_identity(identity).with_grants(grants)
    # only a participant of kind agent may publish a transcript in somebody else's name
    return made.with_kind("agent" if identity.startswith("agent-") else "standard").to_jwt()


@pytest.fixture
def room() -> str:
    return f"ses_{secrets.token_hex(11)}"


@pytest.fixture
def invitation(sfu: Settings, room: str) -> Invitation:
    return Invitation(sfu.livekit_url, token(room, "caller-test"), room)


def tone(seconds: float) -> Samples:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (8000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)


class ToneAgent:
    """Greets with a tone, answers the end of speech after half a second of silence with another, stops when spoken to.

    It publishes what an agent publishes: its state, both sides' transcripts, the event of an interruption.
    """

    PAUSE_SECONDS = 0.5

    def __init__(self, settings: Settings, room: str, *, tone_seconds: float = 1.0, mute: bool = False) -> None:
        self._settings, self._name = settings, room
        self._tone_seconds = tone_seconds
        self._mute = mute
        self._room = rtc.Room()
        self._tasks = Tasks()
        self._microphone = Microphone(lambda samples, sent_at: None)
        self.heard = SpeechDetector()
        self.typed: list[str] = []
        self.joined = asyncio.Event()

    async def __aenter__(self) -> ToneAgent:
        self._room.on("track_subscribed", self._subscribed)
        self._room.register_text_stream_handler("lk.chat", self._chat)
        await self._room.connect(self._settings.livekit_url, token(self._name, agent_identity(self._name)))
        track = rtc.LocalAudioTrack.create_audio_track("roomio_audio", self._microphone.source)
        await self._room.local_participant.publish_track(track)
        await self._state("listening")
        self._tasks.spawn(self._microphone.run(), "agent's microphone")
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.leave()

    async def leave(self) -> None:
        await self._tasks.aclose()
        await self._room.disconnect()

    async def _state(self, state: str) -> None:
        await self._room.local_participant.set_attributes({"lk.agent.state": state})

    def _subscribed(self, track: rtc.Track, publication: object, participant: rtc.RemoteParticipant) -> None:
        self._tasks.spawn(self._converse(track, participant.identity), "conversation")

    def _chat(self, reader: rtc.TextStreamReader, identity: str) -> None:
        async def read() -> None:
            self.typed.append(await reader.read_all())
            await self._speak("You have typed.", identity)

        self._tasks.spawn(read(), "chat")

    async def _converse(self, track: rtc.Track, caller: str) -> None:
        if self._mute:
            return
        speaking = self._tasks.spawn(self._speak("Hello.", caller), "greeting")
        answered = answers = 0
        stream = rtc.AudioStream(track, sample_rate=SAMPLE_RATE, num_channels=1, frame_size_ms=10)
        async for event in stream:
            now = asyncio.get_running_loop().time()
            self.heard.hear(np.frombuffer(event.frame.data, np.int16), now)
            if len(self.heard.stretches) == answered:
                continue
            if not speaking.done():
                speaking.cancel()
            if now - self.heard.stretches[-1].last_loud_at > self.PAUSE_SECONDS and self.heard.stretches[-1].over:
                answered = len(self.heard.stretches)
                answers += 1
                await self._write("what is your price", caller, by=caller)
                speaking = self._tasks.spawn(self._speak(f"Answer {answers}.", caller), "answer")

    async def _speak(self, text: str, caller: str) -> None:
        await self._state("speaking")
        writer = await self._room.local_participant.stream_text(
            topic="lk.transcription",
            sender_identity=self._room.local_participant.identity,
            attributes={"lk.transcription_final": "false", "lk.segment_id": f"SG_{text}"},
        )
        try:
            await writer.write(text[:5])
            await self._microphone.say(tone(self._tone_seconds), Utterance(0.0))
            await writer.write(text[5:])
        except asyncio.CancelledError:
            self._microphone.cut()
            event = Envelope("ses_test", 1, datetime.now(UTC), AgentInterrupted(text[:5], text[5:]))
            await self._room.local_participant.send_text(
                event.to_json(), topic="vw.events", destination_identities=[caller]
            )
            raise
        finally:
            await writer.aclose(attributes={"lk.transcription_final": "true"})
            await self._state("listening")

    async def _write(self, text: str, caller: str, *, by: str) -> None:
        """A transcript of the caller, as the framework sends it: a stream of its own, in the name of the speaker."""
        writer = await self._room.local_participant.stream_text(
            topic="lk.transcription",
            sender_identity=by,
            attributes={"lk.transcription_final": "true", "lk.segment_id": f"SG_caller_{len(self.heard.stretches)}"},
        )
        await writer.write(text)
        await writer.aclose()


@pytest.fixture
def tone_agent(sfu: Settings, room: str) -> Callable[..., ToneAgent]:
    """Makes an agent for the room; takes `tone_seconds` and `mute`."""
    return functools.partial(ToneAgent, sfu, room)
