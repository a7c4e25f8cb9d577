"""Two participants in one process, so with one clock, on the real SFU: what is estimated against what is measured."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from livekit import api, rtc
from rig import private_environment

from voiceworker.config import Settings, load_settings
from voiceworker.lab.audio import SAMPLE_RATE, Samples, SpeechDetector
from voiceworker.lab.conversation import Utterance
from voiceworker.lab.microphone import Microphone
from voiceworker.runtime.tasks import Tasks
from voiceworker.runtime.transit import METHOD, TransitAnswer, TransitMeter
from voiceworker.stack.sfu import find_sfu, start_sfu

pytestmark = pytest.mark.system

BEEPS = 8
_times = np.arange(int(0.1 * SAMPLE_RATE)) / SAMPLE_RATE
BEEP: Samples = (12_000 * np.cos(2 * np.pi * 440 * _times)).astype(np.int16)


class Side:
    """A participant that beeps and hears the other's beeps."""

    def __init__(self, tasks: Tasks) -> None:
        self.room = rtc.Room()
        self.heard = SpeechDetector()
        self.microphone = Microphone(lambda _samples, _sent_at: None)
        self.hears = asyncio.Event()
        self._tasks = tasks

    async def join(self, settings: Settings, identity: str) -> None:
        self.room.on("track_subscribed", lambda track, *_: self._tasks.spawn(self._listen(track), identity))
        grants = api.VideoGrants(room_join=True, room="transit", can_publish=True, can_subscribe=True)
        token = api.AccessToken(settings.livekit_api_key, settings.livekit_api_secret).with_identity(identity)
        await self.room.connect(settings.livekit_url, token.with_grants(grants).to_jwt())
        track = rtc.LocalAudioTrack.create_audio_track(identity, self.microphone.source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self.room.local_participant.publish_track(track, options)
        self._tasks.spawn(self.microphone.run(), f"{identity}'s microphone")

    async def leave(self) -> None:
        await self.room.disconnect()
        await self.microphone.source.aclose()

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=SAMPLE_RATE, num_channels=1, frame_size_ms=10)
        try:
            async for event in stream:
                self.heard.hear(np.frombuffer(event.frame.data, np.int16), time.perf_counter())
                self.hears.set()
        finally:
            await stream.aclose()


@asynccontextmanager
async def call(directory: Path) -> AsyncIterator[tuple[Side, Side, Tasks]]:
    """A caller and a worker who hear each other, and the tasks that end with them."""
    settings = load_settings(private_environment(directory))
    sfu = await start_sfu(settings, find_sfu(settings), environment={}, on_line=lambda _: None)
    tasks = Tasks()
    caller, worker = Side(tasks), Side(tasks)
    try:
        async with asyncio.timeout(30):
            await worker.join(settings, "worker")
            await caller.join(settings, "caller")
            await asyncio.gather(caller.hears.wait(), worker.hears.wait())
        yield caller, worker, tasks
    finally:
        await tasks.aclose()
        await caller.leave()
        await worker.leave()
        await sfu.stop(within_seconds=5)


async def one_way_seconds(speaker: Side, listener: Side) -> float:
    """Median of some beeps: last sample sent to last sample heard."""
    taken = []
    for _ in range(BEEPS):
        beep = Utterance(started_at=time.perf_counter())
        await speaker.microphone.say(BEEP, beep)
        while not (listener.heard.heard_after(beep.started_at) and listener.heard.stretches[-1].over):
            await listener.microphone.next_frame()
        assert beep.ended_at is not None
        assert listener.heard.last_loud_at is not None
        taken.append(listener.heard.last_loud_at - beep.ended_at)
    return median(taken)


async def test_the_transit_is_estimated_of_the_right_size_with_a_client_that_knows_nothing_of_it(
    tmp_path: Path,
) -> None:
    async with call(tmp_path) as (caller, worker, _):
        meter = TransitMeter(worker.room, lambda: "caller")
        guessed = meter.transit
        await meter.look()
        there, back = await one_way_seconds(caller, worker), await one_way_seconds(worker, caller)
        await meter.look()
        transit = meter.transit
        assert transit.uncertainty_seconds < guessed.uncertainty_seconds, "the client did not answer the RPC"
        assert 0.4 < transit.in_seconds / there < 2.5
        assert 0.4 < transit.out_seconds / back < 2.5


async def test_a_client_that_knows_its_own_delays_is_listened_to(tmp_path: Path) -> None:
    async with call(tmp_path) as (caller, worker, tasks):
        meter = TransitMeter(worker.room, lambda: "caller")
        TransitAnswer(caller.room, tasks).register()
        await meter.look()
        uncertain = meter.transit.uncertainty_seconds
        await one_way_seconds(worker, caller)
        await meter.look()
        await meter.look()
        assert 0 < meter.transit.uncertainty_seconds < uncertain
        caller.room.local_participant.register_rpc_method(METHOD, lambda _: json.dumps({"playout_ms": 300}))
        await meter.look()
        assert 0.3 < meter.transit.out_seconds < 0.4 + meter.transit.in_seconds


async def test_a_caller_who_has_left_is_no_error(tmp_path: Path) -> None:
    async with call(tmp_path) as (_, worker, _):
        meter = TransitMeter(worker.room, lambda: "nobody")
        await meter.look()
        assert meter.transit.in_seconds > 0
        await worker.room.disconnect()
        await meter.look()
        assert meter.transit.in_seconds > 0
