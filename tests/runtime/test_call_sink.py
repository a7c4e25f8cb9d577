from __future__ import annotations

import asyncio
import math
import selectors
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit import rtc
from livekit.agents.voice import io
from livekit.agents.voice.io import PlaybackFinishedEvent, PlaybackStartedEvent

from voiceworker.runtime.call_sink import DUCKED_GAIN, CallSink
from voiceworker.runtime.playout_events import Audible, Silent
from voiceworker.runtime.playout_ledger import FRAME_SAMPLES, SAMPLE_RATE, Samples

WALL = 1_000_000.0
"what the wall clock shows when the virtual one shows 0"


class _NoWaiting(selectors.SelectSelector):
    def select(self, timeout: float | None = None) -> Any:
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes only when everything waits, and then at once."""

    def __init__(self) -> None:
        self._now = 100.0
        super().__init__(_NoWaiting())

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        scheduled = cast("Any", self)._scheduled
        if not cast("Any", self)._ready and scheduled:
            self._now = max(self._now, scheduled[0].when())
        super()._run_once()  # type: ignore[misc]


class TickingSource:
    """Behaves as the native source was measured to: a tick every 10 ms, a capture waits while more than 60 ms wait."""

    def __init__(self, phase: float = 0.0037) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._next = self._loop.time() + phase
        self.heard: list[tuple[float, Samples]] = []
        "what was sent, frame by frame: when, and 10 ms"
        self.is_broken = False
        self._timer = self._loop.call_at(self._next, self._tick)

    def _tick(self) -> None:
        if self._queue:
            self.heard.append((self._next, np.frombuffer(self._queue.pop(0), np.int16)))
        if self._waiter is not None and len(self._queue) <= 6:
            self._complete()
        self._next += 0.01
        self._timer = self._loop.call_at(self._next, self._tick)

    def _complete(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        if self.is_broken:
            raise Exception("InvalidState: the room is gone")
        assert self._waiter is None, "a capture is under way: the native source refuses a second one"
        self._queue.append(bytes(frame.data))
        await asyncio.sleep(0)
        if len(self._queue) > 6:
            self._waiter = self._loop.create_future()
            await self._waiter

    def clear_queue(self) -> None:
        self._queue.clear()  # a capture that waits is completed by the next tick, not now

    async def aclose(self) -> None:
        self._timer.cancel()

    def track(self) -> Samples:
        """Everything heard, gaps closed."""
        return np.concatenate([samples for _, samples in self.heard] or [np.zeros(0, np.int16)])


class Ear:
    """The listener of the tests."""

    def __init__(self) -> None:
        self.log: list[Audible | Silent] = []
        self.samples: list[Samples] = []

    def audible(self, event: Audible) -> None:
        self.log.append(event)

    def silent(self, event: Silent) -> None:
        self.log.append(event)

    def played(self, samples: Samples, at: float) -> None:
        self.samples.append(samples)


class Stage:
    """A sink on a virtual clock, as the framework and the driver use it."""

    def __init__(self, sink: type[CallSink] = CallSink, **settings: Any) -> None:
        self.loop = asyncio.get_running_loop()
        self.source = TickingSource()
        self.ear = Ear()
        self.sink = sink(
            cast("rtc.Room", None),
            listener=self.ear,
            source=self.source,
            clock=self.loop.time,
            wall_clock=lambda: self.loop.time() + WALL,
            **settings,
        )
        self.started: list[float] = []
        self.finished: list[tuple[float, bool]] = []
        self.sink.on("playback_started", self._started)
        self.sink.on("playback_finished", self._finished)

    def _started(self, event: PlaybackStartedEvent) -> None:
        self.started.append(event.created_at - WALL)

    def _finished(self, event: PlaybackFinishedEvent) -> None:
        self.finished.append((round(event.playback_position, 6), event.interrupted))

    async def say(self, samples: Samples, *, frame_seconds: float = 0.1, complete: bool = True) -> None:
        step = round(frame_seconds * SAMPLE_RATE)
        for place in range(0, len(samples), step):
            part = samples[place : place + step]
            await self.sink.capture_frame(rtc.AudioFrame(part.tobytes(), SAMPLE_RATE, 1, len(part)))
        if complete:
            self.sink.flush()

    def interrupt(self) -> None:
        self.sink.flush()
        self.sink.clear_buffer()

    def speech_heard(self) -> Samples:
        """Without the silence around it."""
        track = self.source.track()
        sounding = np.flatnonzero(track)
        return track[sounding[0] : sounding[-1] + 1] if sounding.size else track[:0]


def on_stage(story: Callable[[Stage], Awaitable[None]], **settings: Any) -> None:
    async def play() -> None:
        stage = Stage(**settings)
        await stage.sink.start()
        await asyncio.sleep(0.2)  # virtual, as every sleep here: the room takes longer
        await story(stage)
        await stage.sink.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await stage.source.aclose()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(play())


def counted(seconds: float, start: int = 1) -> Samples:
    """Every sample is different from its neighbours and from those 10 ms away: a repeat or a loss shows."""
    length = round(seconds * SAMPLE_RATE)
    return (8000 + (np.arange(start, start + length) * 7) % 6007).astype(np.int16)


def test_what_is_said_is_heard_once_sample_for_sample_and_reported_at_its_end() -> None:
    async def story(stage: Stage) -> None:
        speech = counted(1.2345)
        began = stage.loop.time()
        await stage.say(speech)
        assert stage.loop.time() == began  # capturing never waits for playout
        event = await stage.sink.wait_for_playout()
        assert event.playback_position == pytest.approx(1.2345, abs=1e-4)
        assert stage.loop.time() - stage.started[0] == pytest.approx(1.2345, abs=0.002)
        assert np.array_equal(stage.speech_heard(), speech)
        assert np.array_equal(np.concatenate(stage.ear.samples)[: len(speech)], speech)
        assert stage.finished == [(len(speech) / SAMPLE_RATE, False)]

    on_stage(story)


def test_the_first_audible_sample_is_reported_at_the_moment_at_which_it_leaves() -> None:
    async def story(stage: Stage) -> None:
        speech = np.concatenate([np.full(2400 + 100, 50, np.int16), counted(0.5)])
        await stage.say(speech)
        await stage.sink.wait_for_playout()
        audible, silent = stage.ear.log
        assert isinstance(audible, Audible)
        assert isinstance(silent, Silent)
        sent_at = next(at + int(np.argmax(f > 104)) / SAMPLE_RATE for at, f in stage.source.heard if f.max() > 104)
        assert audible.at == pytest.approx(sent_at, abs=1e-4)
        assert audible.wall == pytest.approx(sent_at + WALL, abs=1e-4)
        assert audible.position_seconds == pytest.approx(2500 / SAMPLE_RATE)
        assert silent.at - audible.at == pytest.approx(0.5, abs=1e-3)
        assert not silent.was_cut

    on_stage(story)


@pytest.mark.parametrize("after_seconds", [0.05, 0.1, 0.1037, 0.2002, 0.305, 0.3099])
def test_a_duck_is_heard_at_once_and_loses_and_repeats_nothing(after_seconds: float) -> None:
    async def story(stage: Stage) -> None:
        speech = counted(1.0)
        await stage.say(speech)
        await asyncio.sleep(after_seconds)
        stage.sink.duck()
        ducked_at = stage.loop.time()
        await asyncio.sleep(0.3)
        stage.sink.restore()
        restored_at = stage.loop.time()
        await stage.sink.wait_for_playout()
        heard = stage.speech_heard()
        assert len(heard) == len(speech)
        gains = heard / speech
        ducked = np.flatnonzero(np.abs(gains - DUCKED_GAIN) < 0.01)
        begin = stage.started[0]
        assert begin + ducked[0] / SAMPLE_RATE - ducked_at < 0.0245
        assert begin + ducked[-1] / SAMPLE_RATE - restored_at < 0.0245
        assert np.all(np.diff(gains[: ducked[0]]) < 0.01)  # nothing jumps
        assert np.abs(np.diff(gains)).max() < 0.01
        assert gains[0] == gains[-1] == 1.0
        assert stage.finished == [(1.0, False)]

    on_stage(story)


def test_a_cut_is_silence_after_twenty_milliseconds_of_fade_and_tells_what_was_heard() -> None:
    async def story(stage: Stage) -> None:
        speech = counted(3.0)
        await stage.say(speech, complete=False)
        await asyncio.sleep(0.5)
        cut_at = stage.loop.time()
        stage.interrupt()
        (position, interrupted) = stage.finished[0]
        assert interrupted
        await asyncio.sleep(0.5)
        heard = stage.speech_heard()
        last = max(at for at, frame in stage.source.heard if frame.any())
        assert last + 0.01 - cut_at < 0.035
        assert position == pytest.approx(len(heard) / SAMPLE_RATE, abs=0.001)
        assert np.array_equal(heard[:-480], speech[: len(heard) - 480])
        assert np.all(heard[-480:] <= speech[len(heard) - 480 : len(heard)])
        assert heard[-1] < 200
        assert [type(event) for event in stage.ear.log] == [Audible, Silent]
        assert stage.finished == [(position, True)]

    on_stage(story)


def test_after_a_cut_a_change_of_gain_brings_nothing_back() -> None:
    async def story(stage: Stage) -> None:
        await stage.say(counted(3.0))
        await asyncio.sleep(0.5)
        stage.sink.duck()
        await asyncio.sleep(0.1)
        stage.sink.cut()
        cut_at = stage.loop.time()
        stage.sink.restore()
        await asyncio.sleep(0.013)
        stage.sink.duck()
        stage.sink.restore()
        await asyncio.sleep(0.5)
        stage.interrupt()
        assert max(at for at, frame in stage.source.heard if frame.any()) + 0.01 - cut_at < 0.035
        assert len(stage.finished) == 1

    on_stage(story)


def test_what_is_captured_between_the_cut_and_its_notice_is_dropped_and_the_next_segment_is_whole() -> None:
    async def story(stage: Stage) -> None:
        await stage.say(counted(1.0), complete=False)
        await asyncio.sleep(0.2)
        stage.sink.cut()
        await stage.say(counted(1.0), complete=False)
        assert stage.finished == []
        stage.interrupt()
        assert len(stage.finished) == 1
        await asyncio.sleep(0.1)
        before = len(stage.source.track())
        speech = counted(0.4, start=555)
        await stage.say(speech)
        event = await stage.sink.wait_for_playout()
        assert event.playback_position == pytest.approx(0.4)
        fresh = stage.source.track()[before:]
        sounding = np.flatnonzero(fresh)
        assert np.array_equal(fresh[sounding[0] : sounding[-1] + 1], speech)

    on_stage(story)


def test_a_held_segment_waits_with_its_first_sample_and_one_that_plays_goes_on() -> None:
    async def story(stage: Stage) -> None:
        await stage.say(counted(0.3))
        await asyncio.sleep(0.1)
        stage.sink.hold()
        await stage.sink.wait_for_playout()
        await stage.say(counted(0.2))
        await asyncio.sleep(1.0)
        assert len(stage.started) == 1
        assert stage.sink.is_waiting
        stage.sink.release()
        released_at = stage.loop.time()
        await stage.sink.wait_for_playout()
        assert stage.started[1] - released_at < 0.011
        assert stage.finished == [(0.3, False), (0.2, False)]

    on_stage(story)


@pytest.mark.parametrize("after_seconds", [0.02, 0.06, 0.095])
def test_a_hold_in_the_silence_before_the_first_word_keeps_the_word_back(after_seconds: float) -> None:
    async def story(stage: Stage) -> None:
        speech = counted(0.2)
        await stage.say(np.concatenate([np.ones(2400, np.int16), speech]))
        await asyncio.sleep(after_seconds)
        stage.sink.hold()
        await asyncio.sleep(0.5)
        assert stage.ear.log == []
        assert stage.source.track().max() <= 1
        stage.sink.release()
        await stage.sink.wait_for_playout()
        heard = stage.source.track()
        assert np.array_equal(heard[heard > 1], speech)
        assert np.count_nonzero(heard == 1) == 2400
        assert stage.finished == [(0.3, False)]

    on_stage(story)


def test_a_held_segment_that_is_cut_was_never_heard() -> None:
    async def story(stage: Stage) -> None:
        stage.sink.hold()
        await stage.say(counted(0.3))
        await asyncio.sleep(0.2)
        stage.interrupt()
        stage.sink.release()
        await asyncio.sleep(0.2)
        assert stage.started == []
        assert stage.finished == [(0.0, True)]
        assert not stage.speech_heard().size

    on_stage(story)


def test_a_pause_fades_out_and_the_rest_comes_after_it() -> None:
    async def story(stage: Stage) -> None:
        speech = counted(0.6)
        await stage.say(speech)
        await asyncio.sleep(0.2)
        stage.sink.pause()
        paused_at = stage.loop.time()
        await asyncio.sleep(1.0)
        quiet_from = max(at for at, frame in stage.source.heard if frame.any()) + 0.01
        assert quiet_from - paused_at < 0.0245
        stage.sink.resume()
        await stage.sink.wait_for_playout()
        heard = stage.source.track()
        heard = heard[np.flatnonzero(heard)[0] :]
        assert len(np.flatnonzero(np.abs(heard[: len(speech)] - speech) < 2)) >= len(speech) - 2 * FRAME_SAMPLES
        assert stage.finished == [(0.6, False)]

    on_stage(story)


def test_speech_that_comes_slower_than_it_is_spoken_is_reported_with_its_gaps() -> None:
    async def story(stage: Stage) -> None:
        runs: list[Any] = []
        stage.sink.on("playback_progressed", runs.append)
        await stage.say(counted(0.2), complete=False)
        await asyncio.sleep(0.5)
        await stage.say(counted(0.2))
        await stage.sink.wait_for_playout()
        assert [(round(run.offset, 3), round(run.duration, 3)) for run in runs] == [(0.0, 0.2), (0.2, 0.2)]
        assert runs[1].started_at - runs[0].started_at == pytest.approx(0.5, abs=0.011)
        assert stage.finished == [(0.4, False)]

    on_stage(story)


def test_a_source_that_fails_keeps_the_time_and_the_conversation_goes_on() -> None:
    async def story(stage: Stage) -> None:
        await stage.say(counted(1.0))
        began = stage.loop.time()
        await asyncio.sleep(0.2)
        stage.source.is_broken = True
        await asyncio.sleep(0.3)
        stage.source.is_broken = False
        await stage.sink.wait_for_playout()
        assert stage.finished == [(1.0, False)]
        assert stage.loop.time() - began == pytest.approx(1.0, abs=0.03)
        await stage.say(counted(0.1))
        await stage.sink.wait_for_playout()
        assert len(stage.finished) == 2

    on_stage(story)


def test_a_segment_without_a_sample_ends() -> None:
    async def story(stage: Stage) -> None:
        await stage.sink.capture_frame(rtc.AudioFrame(b"", SAMPLE_RATE, 1, 0))
        stage.sink.flush()
        await stage.sink.wait_for_playout()
        assert stage.finished == [(0.0, False)]
        assert stage.started == []
        stage.interrupt()
        assert len(stage.finished) == 1

    on_stage(story)


def test_two_segments_are_never_heard_together() -> None:
    async def story(stage: Stage) -> None:
        first, second = counted(0.25), counted(0.25, start=3000)
        await stage.say(first)
        await stage.say(second)
        await stage.sink.wait_for_playout()
        assert stage.finished == [(0.25, False), (0.25, False)]
        heard = stage.speech_heard()
        assert np.array_equal(heard[: len(first)], first)
        assert np.array_equal(heard[-len(second) :], second)

    on_stage(story)


def test_closing_in_the_middle_ends_the_segment_and_later_speech_ends_at_once() -> None:
    async def story(stage: Stage) -> None:
        await stage.say(counted(2.0), complete=False)
        await asyncio.sleep(0.3)
        await stage.sink.aclose()
        assert len(stage.finished) == 1
        assert stage.finished[0][1]
        stage.sink.flush()
        await stage.say(counted(0.2))
        await stage.sink.wait_for_playout()
        assert len(stage.finished) == 2

    on_stage(story)


class Awaited(CallSink):
    """The caller subscribes after a second."""

    async def _find_subscriber(self) -> None:
        await asyncio.sleep(1.0)


def test_what_was_said_before_somebody_listens_is_heard_whole_when_somebody_does() -> None:
    async def play() -> None:
        stage = Stage(sink=Awaited)
        starting = asyncio.ensure_future(stage.sink.start())
        speech = counted(0.2)
        await stage.say(speech)
        began = stage.loop.time()
        await asyncio.wait_for(stage.sink.wait_for_playout(), timeout=5.0)
        assert stage.started[0] - began == pytest.approx(1.0, abs=0.02)
        assert np.array_equal(stage.speech_heard(), speech)
        await starting
        await stage.sink.aclose()
        await stage.source.aclose()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(play())


class Around(io.AudioOutput):
    """An output around the sink, as the framework has some: a segment has begun for it before the sink knows of it."""

    def __init__(self, sink: CallSink) -> None:
        super().__init__(
            label="Around", capabilities=io.AudioOutputCapabilities(pause=True), next_in_chain=sink, sample_rate=24_000
        )

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        assert self.next_in_chain is not None
        await self.next_in_chain.capture_frame(frame)

    def flush(self) -> None:
        super().flush()
        assert self.next_in_chain is not None
        self.next_in_chain.flush()

    def clear_buffer(self) -> None:
        assert self.next_in_chain is not None
        self.next_in_chain.clear_buffer()


def test_what_is_interrupted_before_somebody_listens_has_ended_for_everybody() -> None:
    async def play() -> None:
        stage = Stage()  # not started: as if nobody had subscribed
        around = Around(stage.sink)
        speech = rtc.AudioFrame(counted(0.2).tobytes(), SAMPLE_RATE, 1, round(0.2 * SAMPLE_RATE))
        speaking = asyncio.ensure_future(around.capture_frame(speech))
        await asyncio.sleep(0.5)
        speaking.cancel()
        around.flush()
        around.clear_buffer()
        ended = await asyncio.wait_for(around.wait_for_playout(), timeout=1.0)
        assert (ended.playback_position, ended.interrupted) == (0.0, True)
        assert stage.finished == [(0.0, True)]
        assert not stage.speech_heard().size
        await stage.sink.aclose()
        await stage.source.aclose()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(play())


def test_what_the_caller_had_heard_at_a_moment_is_one_transit_behind() -> None:
    async def story(stage: Stage) -> None:
        await stage.say(counted(1.0))
        await asyncio.sleep(0.5)
        now = stage.loop.time()
        played = now - stage.started[0]
        assert stage.sink.heard_seconds() == pytest.approx(played, abs=0.001)
        assert stage.sink.heard_seconds(transit_seconds=0.04) == pytest.approx(played - 0.04, abs=0.001)
        assert stage.sink.heard_seconds(at=now - 0.1) == pytest.approx(played - 0.1, abs=0.001)
        await stage.sink.wait_for_playout()

    on_stage(story)


_STEPS = ("say", "begin", "flush", "interrupt", "cut", "duck", "restore", "hold", "release", "pause", "resume", "wait")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(_STEPS), st.floats(0.001, 0.2)), min_size=1, max_size=25))
def test_whatever_order_things_come_in_each_segment_ends_once_and_nothing_sticks(
    steps: list[tuple[str, float]],
) -> None:
    async def story(stage: Stage) -> None:
        sink = stage.sink
        for step, seconds in steps:
            match step:
                case "say" | "begin":
                    await stage.say(counted(seconds), complete=step == "say")
                case "interrupt":
                    stage.interrupt()
                case "wait":
                    await asyncio.sleep(seconds)
                case _:
                    getattr(sink, step)()
            await asyncio.sleep(seconds / 3)
        sink.release()
        sink.resume()
        sink.restore()
        stage.interrupt()
        assert len(stage.finished) == sink.captured_playout_segments
        await asyncio.sleep(0.1)
        stage.source.heard.clear()
        speech = counted(0.3)
        await stage.say(speech)
        await sink.wait_for_playout()
        assert stage.finished[-1] == (0.3, False)
        assert np.array_equal(stage.speech_heard(), speech)  # at full level, and nothing of what came before
        audible = [event.segment for event in stage.ear.log if isinstance(event, Audible)]
        silent = [event.segment for event in stage.ear.log if isinstance(event, Silent)]
        assert audible == silent == sorted(set(audible))
        assert len(stage.started) <= len(stage.finished)

    on_stage(story)


async def test_another_rate_is_refused() -> None:
    sink = CallSink(cast("rtc.Room", None))
    with pytest.raises(ValueError, match="16000"):
        await sink.capture_frame(rtc.AudioFrame(bytes(320), 16_000, 1, 160))
    await sink.aclose()


async def test_on_the_real_source_speech_lasts_as_long_as_it_is() -> None:
    source = rtc.AudioSource(SAMPLE_RATE, 1, queue_size_ms=60)
    ear = Ear()

    class Unpublished:
        """The real source, without a room to publish it in."""

        capture_frame = staticmethod(source.capture_frame)
        clear_queue = staticmethod(source.clear_queue)
        aclose = staticmethod(source.aclose)

    sink = CallSink(cast("rtc.Room", None), listener=ear, source=cast("Any", Unpublished))
    await sink.start()
    speech = counted(0.3)
    await sink.capture_frame(rtc.AudioFrame(speech.tobytes(), SAMPLE_RATE, 1, len(speech)))
    sink.flush()
    began = time.monotonic()
    event = await sink.wait_for_playout()
    assert event.playback_position == pytest.approx(0.3)
    assert math.isclose(time.monotonic() - began, 0.3, abs_tol=0.1)
    await sink.aclose()
