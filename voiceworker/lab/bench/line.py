"""The caller of a bench, as plain as can be: sends frames of 10 ms by the clock, and keeps what it hears."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from livekit import rtc
from livekit.rtc.participant import PublishTrackError

from voiceworker.lab.audio import SAMPLE_RATE, Samples, room_noise
from voiceworker.lab.bench.ear import Ear
from voiceworker.lab.invitation import CallSetupError, Invitation
from voiceworker.runtime.tasks import Tasks
from voiceworker.runtime.transit import TransitAnswer

FRAME_SECONDS = 0.01
FRAME_SAMPLES = int(FRAME_SECONDS * SAMPLE_RATE)
_JOIN_SECONDS = 20
_CATCH_UP_SECONDS = 0.1
"a bench held up for longer does not send the missed frames in a burst"


class Room(Protocol):
    """The room that a caller sits in: what of it gets into the microphone."""

    def hear(self, samples: Samples) -> None:
        """A frame of the agent, as it leaves the loudspeaker."""
        ...

    def next_frame(self) -> Samples:
        """int16[240]: what the room adds to the caller's next frame."""
        ...


class QuietRoom:
    """Nothing but faint noise: a live microphone never gives digital zero."""

    def __init__(self) -> None:
        self._noise, self._place = room_noise(), 0

    def hear(self, samples: Samples) -> None:
        pass

    def next_frame(self) -> Samples:
        frame = self._noise[self._place : self._place + FRAME_SAMPLES]
        self._place = (self._place + FRAME_SAMPLES) % len(self._noise)
        return frame


@dataclass(slots=True)
class Said:
    """What the caller said. Times are perf_counter seconds: when the first and the last sample were taken."""

    samples: Samples
    started_at: float = float("nan")
    ended_at: float = float("nan")
    over: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    received_at: float
    body: dict[str, Any]
    "one JSON object of `vw.events`"


class Line:
    """A call from `async with` to its end; times are perf_counter seconds of this process.

    Raises CallSetupError at the entry when the room cannot be joined.
    """

    def __init__(self, invitation: Invitation, room: Room | None = None, *, frame_ms: int = 10) -> None:
        """`frame_ms`: of what is received."""
        self._invitation = invitation
        self._frame_ms = frame_ms
        self._surroundings: Room = room or QuietRoom()
        self._room = rtc.Room()
        self._tasks = Tasks()
        self._source = rtc.AudioSource(SAMPLE_RATE, 1, queue_size_ms=0)
        self._saying: Said | None = None
        self._said_samples = 0
        self._tick = asyncio.Event()
        self._listening = False
        self.ear = Ear()
        self.events: list[ReceivedEvent] = []
        self.connected_at = float("nan")
        self.subscribed_at: float | None = None
        "when the agent's track was there"
        self.latest_frame_seconds = 0.0
        "how late the microphone has been at the worst: a bench that is held up measures itself"
        self._late_frames: list[tuple[float, float]] = []
        "when, and how late"

    async def __aenter__(self) -> Self:
        self._room.on("track_subscribed", self._track_subscribed)
        self._room.register_text_stream_handler("vw.events", self._event_opened)
        # Somebody must take these, or the SDK warns of each.
        self._room.register_text_stream_handler("lk.transcription", lambda reader, identity: None)
        try:
            async with asyncio.timeout(_JOIN_SECONDS):
                await self._room.connect(self._invitation.server_url, self._invitation.token)
                self.connected_at = time.perf_counter()
                TransitAnswer(self._room, self._tasks).register()
                track = rtc.LocalAudioTrack.create_audio_track("caller", self._source)
                options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
                await self._room.local_participant.publish_track(track, options)
        except (rtc.ConnectError, PublishTrackError, TimeoutError) as error:
            await self._leave()
            raise CallSetupError(f"cannot join {self._invitation.server_url}: {error}") from error
        self._tasks.spawn(self._speak(), "bench microphone")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave()

    async def _leave(self) -> None:
        await self._tasks.aclose()
        await self._room.disconnect()
        await self._source.aclose()

    @property
    def identity(self) -> str:
        """Of this participant, once it has joined."""
        return self._room.local_participant.identity

    # --- speaking ---

    def begin(self, samples: Samples) -> Said:
        """Says int16[samples] (24 kHz mono) from the next frame on. Raises RuntimeError while it says something."""
        if self._saying is not None:
            raise RuntimeError("one thing at a time")
        self._saying, self._said_samples = Said(samples), 0
        return self._saying

    async def say(self, samples: Samples) -> Said:
        """Returns when the last sample has been sent."""
        said = self.begin(samples)
        await said.over.wait()
        return said

    def held_up_since(self, moment: float) -> float:
        """How late the microphone has been at the worst since then, seconds."""
        return max((late for when, late in self._late_frames if when >= moment), default=0.0)

    async def _speak(self) -> None:
        due = time.perf_counter()
        while True:
            due += FRAME_SECONDS
            now = time.perf_counter()
            self.latest_frame_seconds = max(self.latest_frame_seconds, now - due)
            if now - due > FRAME_SECONDS:
                self._late_frames.append((now, now - due))
            if now - due > _CATCH_UP_SECONDS:
                due = now
            await asyncio.sleep(max(0.0, due - now))
            frame = self._surroundings.next_frame().astype(np.int32)
            speech = self._next_speech(time.perf_counter())
            frame[: len(speech)] += speech
            data = np.clip(frame, -32768, 32767).astype(np.int16).tobytes()
            await self._source.capture_frame(rtc.AudioFrame(data, SAMPLE_RATE, 1, FRAME_SAMPLES))
            self._tick.set()
            self._tick = asyncio.Event()

    def _next_speech(self, sent_at: float) -> Samples:
        """A frame is sent when its last sample would have been taken."""
        said = self._saying
        if said is None:
            return np.zeros(0, np.int16)
        if self._said_samples == 0:
            said.started_at = sent_at - FRAME_SECONDS
        speech = said.samples[self._said_samples : self._said_samples + FRAME_SAMPLES]
        self._said_samples += len(speech)
        if self._said_samples >= len(said.samples):
            said.ended_at = sent_at - (FRAME_SAMPLES - len(speech)) / SAMPLE_RATE
            self._saying = None
            said.over.set()
        return speech

    # --- listening ---

    def _track_subscribed(self, track: rtc.Track, *_: object) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO and not self._listening:
            self._listening = True
            self.subscribed_at = time.perf_counter()
            self._tasks.spawn(self._listen(track), "agent's voice")

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=SAMPLE_RATE, num_channels=1, frame_size_ms=self._frame_ms)
        try:
            async for event in stream:
                self._hear(np.frombuffer(event.frame.data, np.int16), time.perf_counter())
        finally:
            await stream.aclose()

    def _hear(self, samples: Samples, now: float) -> None:
        """A frame, whose last sample was received `now`."""
        self.ear.hear(samples, now)
        self._surroundings.hear(samples)

    def _event_opened(self, reader: rtc.TextStreamReader, identity: str) -> None:
        self._tasks.spawn(self._read_event(reader), "event")

    async def _read_event(self, reader: rtc.TextStreamReader) -> None:
        with contextlib.suppress(ValueError, rtc.StreamError):
            self.events.append(ReceivedEvent(time.perf_counter(), json.loads(await reader.read_all())))

    # --- waiting ---

    async def until(self, condition: Callable[[], object], within_seconds: float) -> bool:
        """Whether `condition` came true in time; looked at every 10 ms, by the microphone's clock."""
        deadline = time.perf_counter() + within_seconds
        while not condition():
            if time.perf_counter() > deadline:
                return False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._tick.wait()
        return True

    async def pause(self, seconds: float) -> None:
        """Silence of the caller."""
        await asyncio.sleep(seconds)

    async def until_quiet(self, seconds: float = 0.7, within_seconds: float = 60) -> bool:
        """Waits until the agent has been quiet for `seconds`."""
        started = time.perf_counter()

        def quiet() -> bool:
            now = time.perf_counter()
            last = self.ear.last_loud_before(now)
            return now - max(last or started, started - seconds) > seconds

        return await self.until(quiet, within_seconds)
