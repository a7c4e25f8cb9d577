"""The stock plugins hold a spoken conversation on the emulators, through the real SFU; what they said is checked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from livekit import api, rtc
from livekit.agents import Agent, AgentSession, inference, utils
from livekit.plugins import deepgram, openai
from livekit.plugins.openai import realtime, responses
from openai import AsyncOpenAI

from voiceworker.config import Settings
from voiceworker.lab.audio import SAMPLE_RATE, Samples, read_speech
from voiceworker.lab.conversation import Utterance
from voiceworker.lab.emulators import FAST, ProviderEmulators, scripted
from voiceworker.lab.emulators.shapes import Address, Shapes, problems_of
from voiceworker.lab.emulators.shapes_deepgram import deepgram_shapes
from voiceworker.lab.emulators.shapes_openai import OPENAI
from voiceworker.lab.emulators.tones import decode
from voiceworker.lab.material import load_material
from voiceworker.lab.microphone import Microphone
from voiceworker.runtime.tasks import Tasks

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

TURNS = Path(__file__).parents[2] / "audio" / "turns"
REPLIES = ("Amber castle river.", "Kettle meadow planet.")


@pytest.fixture(scope="module")
def published() -> Mapping[Address, Shapes]:
    try:
        return OPENAI | deepgram_shapes()
    except ModuleNotFoundError:
        pytest.skip("deepgram-sdk, which has Deepgram's published shapes, is not installed")


async def stock_session(name: str, emulators: ProviderEmulators, stack: AsyncExitStack) -> AgentSession[None]:
    """Every plugin as it comes; only addresses, keys and models are said."""
    url, key = emulators.openai_url, "key-a"
    client = await stack.enter_async_context(AsyncOpenAI(base_url=url, api_key=key, max_retries=0))
    aura = deepgram.TTS(base_url=f"{emulators.deepgram_url}/v1/speak", api_key=key)
    parts: dict[str, Any]
    ends: Any = "stt"
    if name == "nova, chat, aura":
        nova = deepgram.STT(base_url=f"{emulators.deepgram_url}/v1/listen", api_key=key)
        parts = {"stt": nova, "llm": openai.LLM(model="gpt-4.1-mini", base_url=url, api_key=key), "tts": aura}
        ends = "vad"
    elif name == "flux, responses by websocket, aura":
        flux = deepgram.STTv2(base_url=f"{emulators.deepgram_url}/v2/listen", api_key=key, eager_eot_threshold=0.4)
        model = responses.LLM(model="gpt-4.1-mini", base_url=f"{url}/responses", api_key=key)
        parts = {"stt": flux, "llm": model, "tts": aura}
    elif name == "transcription by socket, responses by events, openai's voice":
        heard = openai.STT(model="gpt-4o-mini-transcribe", use_realtime=True, client=client)
        model = responses.LLM(model="gpt-4.1-mini", base_url=url, api_key=key, use_websocket=False)
        parts = {"stt": heard, "llm": model, "tts": openai.TTS(base_url=url, api_key=key)}
    elif name == "whisper, chat, openai's voice":
        chat = openai.LLM(model="gpt-4.1-mini", base_url=url, api_key=key)
        tts = openai.TTS(base_url=url, api_key=key, model="tts-1")
        parts = {"stt": openai.STT(model="whisper-1", client=client), "llm": chat, "tts": tts}
        ends = "vad"
    else:
        parts = {"llm": realtime.RealtimeModel(base_url=url, api_key=key)}
        ends = "realtime_llm"
    for part in parts.values():
        stack.push_async_callback(part.aclose)
    handling: Any = {"turn_detection": ends, "interruption": {"mode": "vad"}}
    return AgentSession(vad=inference.VAD(model="silero"), turn_handling=handling, **parts)


class Caller:
    """Speaks, and hears all that is published."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.tasks = Tasks()
        self.microphone = Microphone(lambda samples, sent_at: None)
        self._heard: list[Samples] = []
        self.room.on("track_subscribed", lambda track, publication, participant: self._listen(track))

    def _listen(self, track: rtc.Track) -> None:
        async def listen() -> None:
            stream = rtc.AudioStream(track, sample_rate=SAMPLE_RATE, num_channels=1)
            async for event in stream:
                self._heard.append(np.frombuffer(event.frame.data, np.int16).copy())

        self.tasks.spawn(listen(), "listening")

    async def connect(self, url: str, token: str) -> None:
        await self.room.connect(url, token)
        track = rtc.LocalAudioTrack.create_audio_track("voice", self.microphone.source)
        source = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self.room.local_participant.publish_track(track, source)
        self.tasks.spawn(self.microphone.run(), "microphone")

    async def say(self, samples: Samples) -> None:
        await self.microphone.say(samples, Utterance(started_at=time.perf_counter()))

    async def hears(self, words: list[str]) -> None:
        """Raises TimeoutError when they are not heard in time; what was heard before counts too."""
        async with asyncio.timeout(15):
            while self.words()[-len(words) :] != words:
                await asyncio.sleep(0.1)

    def words(self) -> list[str]:
        return [word.text for word in decode(np.concatenate(self._heard))] if self._heard else []


@asynccontextmanager
async def conversing(session: AgentSession[None], settings: Settings, room_name: str) -> AsyncIterator[Caller]:
    def token(identity: str, kind: Any) -> str:
        made = api.AccessToken(settings.livekit_api_key, settings.livekit_api_secret).with_identity(identity)
        return made.with_kind(kind).with_grants(api.VideoGrants(room_join=True, room=room_name)).to_jwt()

    room, caller = rtc.Room(), Caller()
    try:
        await room.connect(settings.livekit_url, token("agent-stock", "agent"))
        await caller.connect(settings.livekit_url, token("caller", "standard"))
        await session.start(Agent(instructions="You are terse."), room=room, session_host=False, record=False)
        yield caller
    finally:
        await session.aclose()
        await caller.tasks.aclose()
        await caller.room.disconnect()
        await room.disconnect()


@pytest.mark.parametrize(
    "name",
    [
        "nova, chat, aura",
        "flux, responses by websocket, aura",
        "transcription by socket, responses by events, openai's voice",
        "whisper, chat, openai's voice",
        "speech to speech",
    ],
)
async def test_a_conversation_is_held_in_the_published_shapes(
    name: str, sfu: Settings, room: str, published: Mapping[Address, Shapes]
) -> None:
    turns = load_material(TURNS).of_kind("turn")  # without pauses: where a turn ends is not what is looked at
    speeches = [turn for turn in turns if turn.text in ("what are your opening hours", "how much does a haircut cost")]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(utils.http_context.open())
        emulators = ProviderEmulators(delays=FAST, replies=scripted(REPLIES), wire_log=True)
        await stack.enter_async_context(emulators)
        session = await stock_session(name, emulators, stack)
        caller = await stack.enter_async_context(conversing(session, sfu, room))
        await asyncio.sleep(1)  # the jitter buffer settles
        for speech, reply in zip(speeches, REPLIES, strict=True):
            emulators.expect(speech, time.perf_counter())
            await caller.say(read_speech(speech.path))
            await caller.hears(reply.lower().removesuffix(".").split())
        said = " ".join(one.text for one in emulators.heard if one.is_final)
        assert said == " ".join(speech.text for speech in speeches)
        assert emulators.unheard == []
        assert emulators.bill.total(api_key="key-a").failed_requests == 0
    assert problems_of(emulators.wire, published) == []
