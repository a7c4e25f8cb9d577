"""How long sound takes between the caller and this worker, from what the worker can know.

Its own side is measured: network and jitter buffer in the statistics of its connection (W3C webrtc-stats). Of the
caller's side the worker sees nothing there, as the SFU ends both connections; so it asks the caller's client by RPC
(method `vw.transit`). Every LiveKit client answers an unknown method with an error by itself, so the round trip is
measured with any of them; ours adds what it knows of its own jitter buffer, microphone and loudspeaker.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from livekit import rtc
from livekit.rtc._proto.stats_pb2 import RtcStats as StatsEntry

from voiceworker.policy.latency import Transit
from voiceworker.runtime.tasks import Tasks

METHOD = "vw.transit"
"""RPC that a caller's client may answer with `{"playout_ms": 45, "capture_ms": 0}`, both optional: from a packet's
arrival to the ear (jitter buffer and loudspeaker), and from the mouth to the encoder beyond a frame of 10 ms."""

EVERY_SECONDS = 1.0
"the jitter buffer moves by tens of milliseconds within seconds when a machine is busy; a look costs 0.5 ms"
_ANSWER_SECONDS = 1.5
_KEPT_ROUND_TRIPS = 5
_PATIENCE = 3
"a client that has not answered so often is asked seldom: telephone bridges know no RPC"
_SELDOM = 10
_CLAIM_LIMIT_SECONDS = 1.0
"a client's word for its own delays counts up to this"
IN_SECONDS = 0.0205
"""From a caller's sample to the worker besides network and jitter buffer, measured with the SDK at both ends: the wait
for the packet of 20 ms to be full, the look-ahead of Opus of 6.5 ms (RFC 6716, 2.1.4), the frame of 10 ms played. From
call to call it is 3 ms more or less, by the phase of the three clocks; what is more of it is less of OUT_SECONDS."""
OUT_SECONDS = 0.008
"""The same from the sink's moment to the caller, measured. It is less, as the sink counts a frame's first sample from
the moment at which all of the frame leaves, where a microphone has the whole frame only 10 ms later."""
_DEFAULT_JITTER_BUFFER_SECONDS = 0.030
"on a quiet network: NetEq keeps one packet of 20 ms, or half of another"
_OWN_UNCERTAINTY_SECONDS = 0.010
"frames of 10 ms at both ends, each met anywhere within"
_UNKNOWN_LEG_SECONDS = 0.050
"the caller's client answers no RPC: his network may be this much slower than ours"
_UNKNOWN_BUFFER_SECONDS = 0.020
"his client does not tell its jitter buffer: it may hold a packet more than ours"
_USUAL_BUFFER_SECONDS = 0.040
"""More than this is not assumed of it: ours grows with the gaps in a microphone's unbroken stream, and his was seen not
to follow, as the first sound after a silence meets an empty buffer."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look at the statistics says."""

    round_trip_seconds: float | None
    "worker - SFU - worker"
    buffered_seconds: float
    "inbound audio: time in the jitter buffer, summed over all samples; W3C jitterBufferDelay"
    emitted_samples: int
    "W3C jitterBufferEmittedCount"


@dataclass(frozen=True, slots=True)
class CallerSide:
    """What is known of the caller's side; None is not known."""

    round_trip_seconds: float | None = None
    "worker - SFU - caller - SFU - worker"
    playout_seconds: float | None = None
    capture_seconds: float | None = None


def read_stats(stats: rtc.RtcStats) -> Reading:
    """The entries of `Room.get_rtc_stats()` that matter, of both connections."""
    entries: list[StatsEntry] = [*stats.publisher_stats, *stats.subscriber_stats]
    round_trips = [
        entry.candidate_pair.candidate_pair.current_round_trip_time
        for entry in entries
        if entry.HasField("candidate_pair") and entry.candidate_pair.candidate_pair.nominated
    ]  # in whole milliseconds: 0 is either not measured yet or a short way
    inbound = [
        entry.inbound_rtp.inbound
        for entry in entries
        if entry.HasField("inbound_rtp") and entry.inbound_rtp.stream.kind == "audio"
    ]
    return Reading(
        round_trip_seconds=max((seconds for seconds in round_trips if seconds > 0), default=None),
        buffered_seconds=sum(stream.jitter_buffer_delay for stream in inbound),
        emitted_samples=sum(stream.jitter_buffer_emitted_count for stream in inbound),
    )


def jitter_buffer_seconds(earlier: Reading | None, later: Reading) -> float | None:
    """Mean time in the jitter buffer between two readings; None when nothing was played in between."""
    buffered, emitted = later.buffered_seconds, later.emitted_samples
    if earlier is not None and emitted > earlier.emitted_samples:
        buffered, emitted = buffered - earlier.buffered_seconds, emitted - earlier.emitted_samples
    return max(0.0, buffered / emitted) if emitted else None


def estimate(round_trip_seconds: float | None, jitter_buffer: float | None, caller: CallerSide) -> Transit:
    """One-way times from what is known: the worker's round trip to the SFU, its jitter buffer, the caller's side."""
    uncertainty = _OWN_UNCERTAINTY_SECONDS
    own = round_trip_seconds or 0.0
    buffer = _DEFAULT_JITTER_BUFFER_SECONDS if jitter_buffer is None else jitter_buffer
    if caller.round_trip_seconds is not None:
        one_way = max(own, caller.round_trip_seconds) / 2
    else:
        one_way = own  # the caller's leg taken as long as ours: half a round trip each
        uncertainty += _UNKNOWN_LEG_SECONDS
    playout = caller.playout_seconds
    if playout is None:
        playout = min(buffer, _USUAL_BUFFER_SECONDS)
        uncertainty += _UNKNOWN_BUFFER_SECONDS
    return Transit(
        in_seconds=IN_SECONDS + one_way + buffer + (caller.capture_seconds or 0.0),
        out_seconds=OUT_SECONDS + one_way + playout,
        uncertainty_seconds=uncertainty,
    )


class TransitAnswer:
    """The caller's side, for a client in Python: answers METHOD with its own jitter buffer.

    It answers with what it knew before, so that the round trip does not grow by the time that its own look takes.
    """

    def __init__(self, room: rtc.Room, tasks: Tasks) -> None:
        self._room = room
        self._tasks = tasks
        self._reading: Reading | None = None
        self._playout_seconds: float | None = None

    def register(self) -> None:
        self._room.local_participant.register_rpc_method(METHOD, self._answer)

    def _answer(self, _: rtc.RpcInvocationData) -> str:
        self._tasks.spawn(self._look(), "own jitter buffer")
        known = self._playout_seconds
        return json.dumps({} if known is None else {"playout_ms": round(known * 1000, 1)})

    async def _look(self) -> None:
        reading = await _read(self._room)
        if reading is not None:
            self._playout_seconds = jitter_buffer_seconds(self._reading, reading) or self._playout_seconds
            self._reading = reading


async def _read(room: rtc.Room) -> Reading | None:
    """None when the room is not connected just now, or too busy to say."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return read_stats(await room.get_rtc_stats())
    except (RuntimeError, TimeoutError):
        return None


class TransitMeter:
    """Looks every second, in a task of its owner. `transit` is the latest estimate, at any time."""

    def __init__(self, room: rtc.Room, caller_identity: Callable[[], str | None]) -> None:
        self._room = room
        self._caller_identity = caller_identity
        self._reading: Reading | None = None
        self._round_trip: float | None = None
        self._jitter_buffer: float | None = None
        self._round_trips: deque[float] = deque(maxlen=_KEPT_ROUND_TRIPS)
        self._asked_identity: str | None = None
        self._claim = CallerSide()
        self._asked = 0
        self._unanswered = 0

    def start(self, tasks: Tasks) -> None:
        tasks.spawn(self._run(), "transit")

    @property
    def transit(self) -> Transit:
        round_trip = min(self._round_trips, default=None)  # busy event loops at either end only add to it
        caller = CallerSide(round_trip, self._claim.playout_seconds, self._claim.capture_seconds)
        return estimate(self._round_trip, self._jitter_buffer, caller)

    async def look(self) -> None:
        """One look at both sides."""
        await self._look_at_stats()
        await self._ask_caller()

    async def _run(self) -> None:
        while True:
            if self._room.isconnected():
                await self.look()
            await asyncio.sleep(EVERY_SECONDS)

    async def _look_at_stats(self) -> None:
        reading = await _read(self._room)
        if reading is None:  # the last figures stand
            return
        if reading.round_trip_seconds is not None:
            self._round_trip = reading.round_trip_seconds
        self._jitter_buffer = jitter_buffer_seconds(self._reading, reading) or self._jitter_buffer
        self._reading = reading

    async def _ask_caller(self) -> None:
        identity = self._caller_identity()
        if identity != self._asked_identity:
            self._asked_identity, self._claim = identity, CallerSide()
            self._round_trips.clear()
            self._asked = self._unanswered = 0
        if identity is None:
            return
        self._asked += 1
        if self._unanswered >= _PATIENCE and self._asked % _SELDOM:
            return
        self._unanswered += 1
        answer, asked_at = "", time.perf_counter()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await self._room.local_participant.perform_rpc(
                    destination_identity=identity,
                    method=METHOD,
                    payload="",
                    response_timeout=_ANSWER_SECONDS,
                    max_round_trip_latency=_ANSWER_SECONDS,
                )
        except rtc.RpcError as error:
            if error.code not in _ANSWERED_BY_THE_CLIENT:
                return
        except TimeoutError:
            return
        self._unanswered = 0
        self._round_trips.append(time.perf_counter() - asked_at)
        self._claim = read_claim(answer)


_ANSWERED_BY_THE_CLIENT = (rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD, rtc.RpcError.ErrorCode.APPLICATION_ERROR)


def read_claim(answer: str) -> CallerSide:
    """What a client says of its own delays. It is not trusted: what is no number of milliseconds is not known."""
    try:
        body = json.loads(answer)
    except ValueError:
        return CallerSide()
    if not isinstance(body, dict):
        return CallerSide()
    return CallerSide(None, _seconds(body.get("playout_ms")), _seconds(body.get("capture_ms")))


def _seconds(milliseconds: object) -> float | None:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return None
    seconds = milliseconds / 1000
    return seconds if 0 <= seconds <= _CLAIM_LIMIT_SECONDS else None
