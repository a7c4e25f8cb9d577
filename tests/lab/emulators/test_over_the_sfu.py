"""Speech and tones through a real call: encoded, forwarded, and put in order again by the receiver's jitter buffer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from livekit import api, rtc
from livekit.plugins import deepgram

from voiceworker.config import Settings
from voiceworker.lab.audio import SAMPLE_RATE, Samples, read_speech
from voiceworker.lab.conversation import Utterance
from voiceworker.lab.emulators import TYPICAL, ProviderEmulators
from voiceworker.lab.emulators.tones import VOCABULARY, decode, encode
from voiceworker.lab.material import load_material
from voiceworker.lab.microphone import Microphone
from voiceworker.lab.speech import SpeechKind
from voiceworker.runtime.tasks import Tasks

KINDS: tuple[SpeechKind, ...] = ("turn", "backchannel", "interruption", "side_remark", "noise")
TURNS = Path(__file__).parents[2] / "audio" / "turns"


class Line:
    """One who speaks; what the other hears goes to `hear`, in frames of 24 kHz."""

    def __init__(self, microphone: Microphone) -> None:
        self.microphone = microphone

    async def say(self, samples: Samples) -> Utterance:
        utterance = Utterance(started_at=time.perf_counter())
        await self.microphone.say(samples, utterance)
        return utterance


@asynccontextmanager
async def line(
    settings: Settings, tokens: tuple[str, str], hear: Callable[[rtc.AudioFrame], None]
) -> AsyncIterator[Line]:
    speaker, listener, tasks = rtc.Room(), rtc.Room(), Tasks()
    microphone = Microphone(lambda samples, sent_at: None)
    track: asyncio.Future[rtc.Track] = asyncio.get_running_loop().create_future()
    listener.on("track_subscribed", lambda subscribed, publication, participant: track.set_result(subscribed))
    try:
        await listener.connect(settings.livekit_url, tokens[1])
        await speaker.connect(settings.livekit_url, tokens[0])
        local = rtc.LocalAudioTrack.create_audio_track("voice", microphone.source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await speaker.local_participant.publish_track(local, options)
        tasks.spawn(microphone.run(), "microphone")
        stream = rtc.AudioStream(await track, sample_rate=SAMPLE_RATE, num_channels=1, frame_size_ms=10)

        async def listen() -> None:
            async for event in stream:
                hear(event.frame)

        tasks.spawn(listen(), "listening")
        await asyncio.sleep(1)  # the jitter buffer settles
        yield Line(microphone)
        await stream.aclose()
    finally:
        await tasks.aclose()
        await speaker.disconnect()
        await listener.disconnect()


@pytest.fixture
def tokens(sfu: Settings, room: str) -> tuple[str, str]:
    def token(identity: str) -> str:
        made = api.AccessToken(sfu.livekit_api_key, sfu.livekit_api_secret).with_identity(identity)
        return made.with_grants(api.VideoGrants(room_join=True, room=room)).to_jwt()

    return token("speaker"), token("listener")


@pytest.mark.system
@pytest.mark.asyncio(loop_scope="session")
async def test_recorded_speech_is_transcribed_in_time(sfu: Settings, tokens: tuple[str, str]) -> None:
    material = load_material(TURNS)
    speeches = [speech for kind in KINDS for speech in material.of_kind(kind)[:4]]
    early: list[float] = []
    late: list[float] = []
    async with (
        ProviderEmulators() as emulators,
        aiohttp.ClientSession() as http,
        deepgram.STT(base_url=f"{emulators.deepgram_url}/v1/listen", api_key="key", http_session=http).stream() as stt,
        line(sfu, tokens, stt.push_frame) as call,
    ):
        for speech in speeches:
            samples = read_speech(speech.path)
            emulators.expect(speech, time.perf_counter())
            utterance = await call.say(samples)
            await asyncio.sleep(0.7)
            sent = [one for one in emulators.heard if one.speech == speech.name]
            assert " ".join(one.text for one in sent if one.is_final) == speech.text
            if speech.words:
                assert utterance.ended_at is not None
                trailing = speech.seconds - speech.words[-1].ended_seconds
                early.append(sent[0].sent_at - utterance.started_at)
                late.append(sent[-1].sent_at - utterance.ended_at + trailing)
    print("first interim after the onset, ms:", [round(seconds * 1000) for seconds in sorted(early)])
    print("final after the end of speech, ms:", [round(seconds * 1000) for seconds in sorted(late)])
    assert emulators.unheard == []
    assert TYPICAL.first_interim_seconds < np.median(early) < TYPICAL.first_interim_seconds + 0.2
    assert TYPICAL.final_seconds < np.median(late) < TYPICAL.final_seconds + 0.2


@pytest.mark.system
@pytest.mark.asyncio(loop_scope="session")
async def test_every_word_of_a_reply_is_heard(sfu: Settings, tokens: tuple[str, str]) -> None:
    heard: list[Samples] = []
    reply = encode(" ".join(VOCABULARY))
    async with line(sfu, tokens, lambda frame: heard.append(np.frombuffer(frame.data, np.int16).copy())) as call:
        await call.say(reply)
        await call.say(np.round(reply * 0.25).astype(np.int16))
        await asyncio.sleep(0.5)
    words = decode(np.concatenate(heard))
    assert [word.text for word in words] == [*VOCABULARY, *VOCABULARY]
    assert [word.level_db for word in words] == pytest.approx([0.0] * 64 + [-12.0] * 64, abs=1.5)
