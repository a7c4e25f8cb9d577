"""The agent's voice on its way to the caller: the last link of the framework's audio chain, and ours.

It can be made softer and loud again within a packet (duck, restore), stopped at once (cut), kept back before its first
sample (hold), and it knows to the sample what has been played. See docs/turn-taking.md.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from livekit import rtc
from livekit.agents.voice import io
from livekit.rtc.participant import PublishTrackError

from voiceworker.runtime.playout_events import Audible, PlayoutListener, Silent
from voiceworker.runtime.playout_ledger import FRAME_SAMPLES, SAMPLE_RATE, Samples, SentFrame
from voiceworker.runtime.source_queue import Source, SourceQueue, silence
from voiceworker.runtime.tasks import Tasks

logger = logging.getLogger("voiceworker.call")

DUCKED_GAIN = 0.251
"-12 dB"
TRACK_NAME = "roomio_audio"
"as the framework names its own: clients may look for it"

_AUDIBLE = 104
"-50 dB of full scale"
_FADE_SAMPLES = 2 * FRAME_SAMPLES
_PADDING_FRAMES = 2
"""Silence after speech: a last half of a 20 ms packet would else wait in the encoder and come out 100 ms late, and the
receiver would stretch the last sound instead of falling silent."""
_AFTER_TICK_SECONDS = 0.0003
"the source has certainly played its frame by then"


class _NoListener:
    def audible(self, event: Audible) -> None: ...

    def silent(self, event: Silent) -> None: ...

    def played(self, samples: Samples, at: float) -> None: ...


@dataclass(slots=True)
class _Segment:
    """What the framework captured between two flushes."""

    number: int
    pcm: bytearray = field(default_factory=bytearray)
    sent: int = 0
    "samples given to the source and not taken back"
    is_complete: bool = False
    is_started: bool = False
    is_audible: bool = False
    is_finished: bool = False
    cut_at: int | None = None
    "samples heard, when it was cut"

    @property
    def captured(self) -> int:
        return len(self.pcm) // 2

    @property
    def is_all_sent(self) -> bool:
        return self.is_complete and self.cut_at is None and self.sent == self.captured


class CallSink(io.AudioOutput):
    """Set as `session.output.audio` before `session.start(..., RoomOptions(audio_output=False))`.

    The framework's contract holds whatever happens: `capture_frame` never waits, not even for somebody who listens (who
    is cancelled in it has begun a segment in the outputs around this one that nobody would end), and each segment gets
    exactly one `playback_finished` with the position that was heard. All moments are seconds of `clock`.
    """

    def __init__(
        self,
        room: rtc.Room,
        *,
        listener: PlayoutListener | None = None,
        subscriber_seconds: float = 10.0,
        source: Source | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`subscriber_seconds`: how long the first words wait for somebody who listens; then they are spoken anyway."""
        super().__init__(label="CallSink", capabilities=io.AudioOutputCapabilities(pause=True), sample_rate=SAMPLE_RATE)
        self._room = room
        self._listener: PlayoutListener = listener or _NoListener()
        self._subscriber_seconds = subscriber_seconds
        self._clock = clock
        self._wall_clock = wall_clock
        self._queue = SourceQueue(source, clock)
        self._ledger = self._queue.ledger
        self._tasks = Tasks()
        self._ready = asyncio.Event()
        self._wake = asyncio.Event()
        self._segments: deque[_Segment] = deque()
        "not finished, in order; the first one plays"
        self._capturing: _Segment | None = None
        self._count = 0
        self._tail: deque[SentFrame] = deque()
        "goes out before anything else: the fade of what was cut, and silence"
        self._gain = 1.0
        self._level = 1.0
        "gain of the last sample sent; runs after the gain that is wanted within 10 ms"
        self._is_held = False
        self._is_paused = False
        self._is_closed = False
        self._repush_timer: asyncio.TimerHandle | None = None

    # --- coming and going ---

    async def start(self) -> None:
        """Publishes the track and waits for somebody who listens; returns then, or after `subscriber_seconds`.

        Raises PublishTrackError when the room takes no track; speech is played to nobody then.
        """
        self._tasks.spawn(self._play(), "the agent's voice")
        try:
            async with asyncio.timeout(self._subscriber_seconds):
                await self._find_subscriber()
        except TimeoutError:
            logger.warning("nobody listens to the agent after %g s: it speaks anyway", self._subscriber_seconds)
        except PublishTrackError:
            logger.warning("the agent's voice was not published")
            raise
        finally:
            self._ready.set()
            self._wake.set()  # for what has been captured by now

    async def _find_subscriber(self) -> None:
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        if isinstance(source := self._queue.source, rtc.AudioSource):
            track = rtc.LocalAudioTrack.create_audio_track(TRACK_NAME, source)
            publication = await self._room.local_participant.publish_track(track, options)
            await publication.wait_for_subscription()

    async def aclose(self) -> None:
        """Ends what is being said, without a sound; leaves no task. Segments that are open are reported finished."""
        if self._is_closed:
            return
        self._is_closed = True
        self._ready.set()
        self._drop_timer()
        self.clear_buffer()
        await self._tasks.aclose()
        await self._queue.aclose()

    # --- the framework's side ---

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Takes int16 mono of 24 kHz (more channels are mixed). Raises ValueError for another rate."""
        if frame.sample_rate != SAMPLE_RATE:
            raise ValueError(f"speech comes at {frame.sample_rate} Hz, not at {SAMPLE_RATE} as the sink asks for")
        await super().capture_frame(frame)
        segment = self._capturing
        if segment is None:
            self._count += 1
            segment = self._capturing = _Segment(self._count)
            self._segments.append(segment)
        if segment.cut_at is not None or segment.is_finished or self._is_closed:
            return  # the framework has not yet noticed that it is cut
        samples = np.frombuffer(frame.data, np.int16)
        if frame.num_channels > 1:
            samples = samples.reshape(-1, frame.num_channels).mean(axis=1).astype(np.int16)
        segment.pcm += samples.tobytes()
        self._wake.set()

    def flush(self) -> None:
        super().flush()
        segment, self._capturing = self._capturing, None
        if segment is None:
            return
        segment.is_complete = True
        if self._is_closed:
            self._finish(segment, 0, was_cut=True)
        elif segment.cut_at is not None:
            self._finish(segment, segment.cut_at, was_cut=True)
        self._wake.set()

    def clear_buffer(self) -> None:
        """Stops at once, by a fade of 20 ms, and reports every open segment as interrupted."""
        self._stop()
        for segment in tuple(self._segments):
            self._finish(segment, segment.cut_at or 0, was_cut=True)

    def pause(self) -> None:
        """Fades out within 10 ms and waits; nothing is dropped."""
        super().pause()
        self._is_paused = True
        self._repush()

    def resume(self) -> None:
        super().resume()
        self._is_paused = False
        self._wake.set()

    # --- the driver's side ---

    def cut(self) -> None:
        """Stops what is being said at once, by a fade of 20 ms; what the framework still captures of it is dropped.

        `session.interrupt()` must follow: its `clear_buffer` (or `flush`) reports the segment as interrupted, at the
        position of the cut.
        """
        self._stop()

    def set_gain(self, gain: float) -> None:
        """Heard within 10 ms of leaving: what waits in the source's queue is sent again with the new gain."""
        if gain == self._gain:
            return
        self._gain = gain
        self._repush()

    def duck(self) -> None:
        self.set_gain(DUCKED_GAIN)

    def restore(self) -> None:
        self.set_gain(1.0)

    def hold(self) -> None:
        """Keeps back a segment of which nothing audible has left; one that is being heard goes on."""
        self._is_held = True
        if self._segments and not self._segments[0].is_audible:
            self._repush()

    def release(self) -> None:
        self._is_held = False
        self._wake.set()

    @property
    def gain(self) -> float:
        return self._gain

    @property
    def is_ducked(self) -> bool:
        return self._gain < 1.0

    @property
    def is_held(self) -> bool:
        return self._is_held

    @property
    def is_speaking(self) -> bool:
        """A segment has begun to play and has not ended."""
        return any(segment.is_started and segment.cut_at is None for segment in self._segments)

    @property
    def is_waiting(self) -> bool:
        """Speech is at hand that nobody has heard a sample of."""
        return any(not segment.is_started and segment.captured for segment in self._segments)

    def heard_seconds(self, *, transit_seconds: float = 0.0, at: float | None = None) -> float:
        """How much of the current segment the caller's ear had got at `at` (default: now), so much transit away."""
        if not self._segments:
            return 0.0
        moment = (self._clock() if at is None else at) - transit_seconds
        self._advance(self._clock())
        return self._ledger.position(self._segments[0].number, moment) / SAMPLE_RATE

    # --- playing ---

    async def _play(self) -> None:
        await self._queue.calibrate()
        while True:
            self._wake.clear()
            now = self._clock()
            self._advance(now)
            frame = None if self._queue.is_full(now) else self._next_frame(now)
            if frame is not None:
                await self._queue.send(frame)
            else:
                await self._sleep(self._next_moment())

    def _next_frame(self, now: float) -> SentFrame | None:
        if self._tail:
            return self._tail.popleft()
        if not self._segments or not self._ready.is_set():
            return None
        segment = self._segments[0]
        if segment.cut_at is not None:
            return None
        if self._is_held and not segment.is_audible:
            return None
        if not segment.is_started:
            if self._is_paused or not (segment.captured >= FRAME_SAMPLES or segment.is_complete):
                return None
            self._begin(segment, now)
        wanted = 0.0 if self._is_paused else self._gain
        if self._is_paused and self._level == 0.0:
            return None
        count = min(FRAME_SAMPLES, segment.captured - segment.sent)
        if count < FRAME_SAMPLES and not (segment.is_complete and count):
            return None
        raw = np.frombuffer(bytes(segment.pcm[2 * segment.sent : 2 * (segment.sent + count)]), np.int16)
        frame = _scaled(segment.number, segment.sent, raw, self._level, wanted)
        segment.sent += count
        self._level = wanted
        if segment.is_complete and segment.sent == segment.captured:
            self._tail.extend(silence() for _ in range(_PADDING_FRAMES))
        return frame

    def _begin(self, segment: _Segment, now: float) -> None:
        segment.is_started = True
        self._level = self._gain
        if self._ledger.waiting and not any(frame.count or frame.is_fading for frame in self._ledger.waiting):
            self._queue.take_back(now)  # only silence: speech need not wait for its end
        waiting = self._ledger.dry_at
        grid = self._ledger.grid
        starts_at = waiting if waiting is not None else grid.moment(grid.index(now) + 1)
        self.on_playback_started(created_at=self._wall(starts_at))

    def _advance(self, now: float) -> None:
        """Reports what has left the source by now."""
        for frame in self._ledger.advance(now):
            if not frame.count:
                continue
            self._listener.played(frame.samples, frame.leaves_at)
            self._notice_sound(frame)
        if self._segments:
            segment = self._segments[0]
            if segment.is_all_sent and self._ends_at(segment) <= now + 1e-6:
                self._finish(segment, segment.captured, was_cut=False)

    def _notice_sound(self, frame: SentFrame) -> None:
        segment = self._segments[0] if self._segments else None
        if segment is None or segment.number != frame.segment or segment.is_audible:
            return
        loud = np.flatnonzero(np.abs(frame.samples.astype(np.int32)) > _AUDIBLE)
        if loud.size:
            segment.is_audible = True
            at = frame.leaves_at + int(loud[0]) / SAMPLE_RATE
            place = (frame.offset + int(loud[0])) / SAMPLE_RATE
            self._listener.audible(Audible(segment.number, at, self._wall(at), place))

    def _ends_at(self, segment: _Segment) -> float:
        """When the last sample sent leaves; the beginning of time when none was."""
        pending = [frame.leaves_at + frame.count / SAMPLE_RATE for frame in self._ledger.waiting if frame.count]
        if pending:
            return pending[-1]
        runs = self._ledger.runs(segment.number)
        return runs[-1].ended_at if runs else 0.0

    def _next_moment(self) -> float | None:
        """When something happens by itself."""
        moments = [frame.leaves_at + _AFTER_TICK_SECONDS for frame in self._ledger.waiting[:1]]
        if self._segments and self._segments[0].is_all_sent:
            moments.append(self._ends_at(self._segments[0]))
        return min(moments, default=None)

    async def _sleep(self, until: float | None) -> None:
        try:
            async with asyncio.timeout(None if until is None else max(0.0, until - self._clock())):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _wall(self, at: float) -> float:
        return self._wall_clock() + at - self._clock()

    # --- taking back what has not been played ---

    def _drop_timer(self) -> None:
        if self._repush_timer is not None:
            self._repush_timer.cancel()
            self._repush_timer = None

    def _repush(self) -> None:
        """Takes back what the source has not played and sends it again, with the gain that is wanted now."""
        self._drop_timer()
        now = self._clock()
        self._advance(now)
        if any(frame.is_fading for frame in (*self._ledger.waiting, *self._tail)):
            return  # after a cut nothing comes back
        if not any(frame.count for frame in self._ledger.waiting):
            return
        if unsafe := self._queue.until_safe(now):
            self._repush_timer = asyncio.get_running_loop().call_later(unsafe, self._repush)
            return
        first = next(frame for frame in self._queue.take_back(now) if frame.count)
        self._tail.clear()
        self._segments[0].sent = first.offset
        self._level = first.gain_before
        self._wake.set()

    def _stop(self) -> None:
        """Cuts every segment: the one that plays by a fade."""
        self._drop_timer()
        now = self._clock()
        self._advance(now)
        for segment in self._segments:
            if segment.cut_at is not None:
                continue
            segment.cut_at = self._fade_out(segment, now) if segment.is_started else 0
        self._wake.set()

    def _fade_out(self, segment: _Segment, now: float) -> int:
        """Replaces what the source has not played by its first 20 ms, fading. Returns the samples heard in the end."""
        taken = [frame for frame in self._queue.take_back(now) if frame.count]
        self._tail.clear()
        begin, level = (taken[0].offset, taken[0].gain_before) if taken else (segment.sent, self._level)
        count = min(_FADE_SAMPLES, segment.sent - begin)
        raw = np.frombuffer(bytes(segment.pcm[2 * begin : 2 * (begin + count)]), np.int16)
        for place in range(0, count, FRAME_SAMPLES):
            part = raw[place : place + FRAME_SAMPLES]
            after = level * max(0.0, 1 - (place + FRAME_SAMPLES) / count)
            before = level * (1 - place / count)
            self._tail.append(replace(_scaled(segment.number, begin + place, part, before, after), is_fading=True))
        self._tail.extend(silence() for _ in range(_PADDING_FRAMES))
        return begin + count

    def _finish(self, segment: _Segment, samples: int, *, was_cut: bool) -> None:
        if segment.is_finished:
            return
        segment.is_finished = True
        if segment in self._segments:
            self._segments.remove(segment)
        for run in self._ledger.runs(segment.number):
            self.on_playback_progressed(
                started_at=self._wall(run.started_at),
                offset=run.offset / SAMPLE_RATE,
                duration=run.count / SAMPLE_RATE,
            )
        self._ledger.forget(segment.number - 1)
        if segment.is_audible:
            now = self._clock()
            at = now + sum(frame.count for frame in self._tail if frame.is_fading) / SAMPLE_RATE
            self._listener.silent(Silent(segment.number, at, self._wall(at), was_cut))
        self.on_playback_finished(playback_position=samples / SAMPLE_RATE, interrupted=was_cut)


def _scaled(segment: int, offset: int, raw: Samples, before: float, after: float) -> SentFrame:
    """A frame with the gain going from `before` to `after` within its 10 ms; filled up by silence."""
    samples = np.zeros(FRAME_SAMPLES, np.int16)
    if before == after == 1.0:
        samples[: len(raw)] = raw
    else:
        gains = np.linspace(before, after, FRAME_SAMPLES, dtype=np.float32)[: len(raw)]
        samples[: len(raw)] = np.round(raw * gains).astype(np.int16)
    return SentFrame(segment, offset, len(raw), samples, before, after)
