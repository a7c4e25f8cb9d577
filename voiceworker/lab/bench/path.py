"""The way of a sound through the worker, part by part: as the framework has it, and as ours has it.

Each part is measured alone, both kinds in the same run: the agent's source, the frames that its ear is given, and the
silence that a voice begins with.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import aiohttp
import numpy as np
from livekit import rtc
from livekit.plugins import deepgram

from voiceworker.lab.audio import LOUD, SAMPLE_RATE, Samples
from voiceworker.lab.bench.calibration import click
from voiceworker.lab.bench.ear import Ear
from voiceworker.lab.bench.line import Line
from voiceworker.lab.bench.report import Goal, Report
from voiceworker.lab.bench.report import Line as ReportLine
from voiceworker.lab.bench.rig import Rig
from voiceworker.lab.bench.stats import Pairs, abba, quantile, ratio
from voiceworker.lab.bench.systems import VOICE
from voiceworker.lab.bench.tickets import Tickets
from voiceworker.lab.invitation import CallSetupError
from voiceworker.runtime.call_sink import CallSink
from voiceworker.runtime.leading_silence import trim_leading_silence

FRAMEWORK_QUEUE_MS = 200
"of the framework's `rtc.AudioSource`"
FRAMEWORK_INPUT_MS, OUR_INPUT_MS = 50, 10
"frames that the agent's ear is given"
_SETTLE_SECONDS = 1.0
_EVERY_SECONDS = 0.7
_WITHIN_SECONDS = 0.5
_OUTPUT_FRAME = SAMPLE_RATE // 20
"what the framework gives its source at once"


@dataclass(slots=True)
class Passage:
    """One sound. Seconds."""

    round: int
    part: str
    "source | input | silence"
    ours: float | None
    framework: float | None


async def run(rig: Rig, rounds: int) -> Report:
    passages: list[Passage] = []
    await rig.calibrate()
    for part, measure in (("source", _source), ("input", _input), ("silence", _silence)):
        rig.options.say(f"measuring {part}")
        passages += [Passage(number, part, *pair) for number, pair in enumerate(await measure(rig, rounds))]
    await rig.calibrate()
    return report(passages, rig.description() | {"systems": "ours livekit"})


# --- from the agent's source to the caller's ear ---


async def _source(rig: Rig, rounds: int) -> list[tuple[float | None, float | None]]:
    room = f"path-{secrets.token_urlsafe(6)}"
    async with (
        _Speaker(rig.tickets, room) as speaker,
        _listener(rig.tickets, room, "framework") as framework,
        _listener(rig.tickets, room, "ours") as ours,
    ):
        await asyncio.sleep(_SETTLE_SECONDS)
        found: dict[str, list[float | None]] = {"ours": [], "framework": []}
        say = {"ours": speaker.by_our_sink, "framework": speaker.by_the_frameworks_source}
        ears = {"ours": ours.ear, "framework": framework.ear}
        for order in abba(("ours", "framework"), rounds):
            for name in order:
                found[name].append(await _heard_after(say[name], ears[name]))
    return list(zip(found["ours"], found["framework"], strict=True))


async def _heard_after(say: Callable[[], Awaitable[None]], ear: Ear) -> float | None:
    began = time.perf_counter()
    await say()
    await asyncio.sleep(_EVERY_SECONDS)
    onset = ear.onset_after(began, before=began + _WITHIN_SECONDS)
    return None if onset is None else onset - began


class _Speaker:
    """An agent's end with both kinds of source, each in a room of its own."""

    def __init__(self, tickets: Tickets, room: str) -> None:
        self._tickets, self._room = tickets, room
        self._rooms = {name: rtc.Room() for name in ("framework", "ours")}
        self._source = rtc.AudioSource(SAMPLE_RATE, 1, queue_size_ms=FRAMEWORK_QUEUE_MS)
        self._sink = CallSink(self._rooms["ours"], subscriber_seconds=0.1)

    async def __aenter__(self) -> _Speaker:
        for name, room in self._rooms.items():
            await room.connect(self._tickets.url, self._tickets.bot_token(f"{self._room}-{name}"))
        track = rtc.LocalAudioTrack.create_audio_track("framework", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self._rooms["framework"].local_participant.publish_track(track, options)
        await self._sink.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._sink.aclose()
        for room in self._rooms.values():
            await room.disconnect()
        await self._source.aclose()

    async def by_our_sink(self) -> None:
        for frame in _tone():
            await self._sink.capture_frame(frame)
        self._sink.flush()

    async def by_the_frameworks_source(self) -> None:
        for frame in _tone():
            await self._source.capture_frame(frame)


def _listener(tickets: Tickets, room: str, name: str) -> Line:
    return Line(tickets.ticket(f"{room}-{name}"))


def _tone() -> list[rtc.AudioFrame]:
    """A fifth of a second that is loud from its first sample on, as the framework cuts speech up."""
    tone = np.tile(click(), 20)
    pieces = (tone[begin : begin + _OUTPUT_FRAME] for begin in range(0, len(tone), _OUTPUT_FRAME))
    return [rtc.AudioFrame(piece.tobytes(), SAMPLE_RATE, 1, len(piece)) for piece in pieces]


# --- from the caller's mouth to the agent's ear ---


class _Delivered(Line):
    """Notes when a frame with the sound in it is handed over: before that nobody can act on it."""

    def __init__(self, tickets: Tickets, room: str, speaker: str, frame_ms: int) -> None:
        """`speaker`: identity of the participant to listen to."""
        super().__init__(tickets.ticket(room), frame_ms=frame_ms)
        self._speaker = speaker
        self.delivered: list[float] = []

    def _track_subscribed(self, track: rtc.Track, *told: Any) -> None:
        _publication, participant = told
        if participant.identity == self._speaker:
            super()._track_subscribed(track, *told)

    def _hear(self, samples: Samples, now: float) -> None:
        if _loud_at(samples, SAMPLE_RATE) is not None:
            self.delivered.append(now)

    def first_after(self, moment: float) -> float | None:
        return next((at - moment for at in self.delivered if moment <= at < moment + _WITHIN_SECONDS), None)


async def _input(rig: Rig, rounds: int) -> list[tuple[float | None, float | None]]:
    room, found = f"path-{secrets.token_urlsafe(6)}", []
    async with (
        Line(rig.tickets.ticket(room)) as caller,
        _Delivered(rig.tickets, room, caller.identity, OUR_INPUT_MS) as ours,
        _Delivered(rig.tickets, room, caller.identity, FRAMEWORK_INPUT_MS) as framework,
    ):
        if not await caller.until(lambda: ours.subscribed_at and framework.subscribed_at, 10):
            raise CallSetupError("the caller's microphone did not arrive at the listeners within 10 s")
        await asyncio.sleep(_SETTLE_SECONDS)
        for number in range(rounds):
            said = await caller.say(click())
            await asyncio.sleep(_EVERY_SECONDS + 0.007 * (number % 7))  # at every place within a frame
            found.append((ours.first_after(said.started_at), framework.first_after(said.started_at)))
    return found


# --- the silence that a voice begins with ---


async def _silence(rig: Rig, rounds: int) -> list[tuple[float | None, float | None]]:
    found = []
    async with aiohttp.ClientSession() as http:
        url = f"{rig.emulators.deepgram_url}/v1/speak"
        voice = deepgram.TTS(model=VOICE, api_key="path", base_url=url, http_session=http)
        try:
            await _first_sound(_spoken(voice))  # opens the connection
            for number in range(rounds):
                trimmed, whole = trim_leading_silence(_spoken(voice)), _spoken(voice)
                pair = (trimmed, whole) if number % 2 == 0 else (whole, trimmed)
                seconds = [await _first_sound(frames) for frames in pair]
                ours, framework = seconds if number % 2 == 0 else seconds[::-1]
                found.append((ours, framework))
        finally:
            await voice.aclose()
    return found


async def _spoken(voice: deepgram.TTS) -> AsyncGenerator[rtc.AudioFrame, None]:
    async with voice.stream() as stream:
        stream.push_text("Amber anchor apple arrow.")
        stream.end_input()
        async for piece in stream:
            yield piece.frame


async def _first_sound(frames: AsyncGenerator[rtc.AudioFrame, None]) -> float | None:
    """From the request to the first loud sample, if what comes is played as it comes."""
    began, before = time.perf_counter(), 0.0
    first_at: float | None = None
    try:
        async for frame in frames:
            first_at = first_at or time.perf_counter()
            loud = _loud_at(np.frombuffer(frame.data, np.int16), frame.sample_rate)
            if loud is not None:
                return first_at - began + before + loud
            before += frame.duration
    finally:
        await frames.aclose()
    return None


def _loud_at(samples: Samples, rate: int) -> float | None:
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > LOUD)
    return int(loud[0]) / rate if loud.size else None


# --- what came of it: pure ---

_TITLES = {
    "source": "from the agent's source to the caller's ear",
    "input": "from the caller's mouth to the agent's ear",
    "silence": "from text to the first sound of the voice",
}


def report(passages: Sequence[Passage], settings: dict[str, object]) -> Report:
    found = Report("path", settings, rounds=[asdict(passage) for passage in passages])
    for part, title in _TITLES.items():
        own = [passage for passage in passages if passage.part == part]
        pairs = Pairs.of([passage.ours for passage in own], [passage.framework for passage in own])
        ours, theirs = quantile(list(pairs.ours), 0.5), quantile(list(pairs.peers), 0.5)
        figure, their_figure = (f"{seconds * 1000:.0f} ms" for seconds in (ours, theirs))
        found.lines.append(ReportLine(f"{title}, p50", "framework", figure, their_figure, ratio(pairs), Goal(1.0)))
        found.notes.append(f"{title}: {(theirs - ours) * 1000:.0f} ms less than the framework's own, p50")
    return found
