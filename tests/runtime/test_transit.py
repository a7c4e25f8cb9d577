"""The statistics as the SDK gives them, in its own messages; the caller's client as an RPC that answers or does not."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit import rtc
from livekit.rtc._proto.stats_pb2 import RtcStats as Entry

from voiceworker.runtime.transit import (
    IN_SECONDS,
    OUT_SECONDS,
    CallerSide,
    Reading,
    TransitMeter,
    estimate,
    jitter_buffer_seconds,
    read_claim,
    read_stats,
)


def pair(round_trip: float, *, nominated: bool = True) -> Entry:
    entry = Entry()
    entry.candidate_pair.candidate_pair.nominated = nominated
    entry.candidate_pair.candidate_pair.current_round_trip_time = round_trip
    return entry


def inbound(kind: str, delay: float, emitted: int) -> Entry:
    entry = Entry()
    entry.inbound_rtp.stream.kind = kind
    entry.inbound_rtp.inbound.jitter_buffer_delay = delay
    entry.inbound_rtp.inbound.jitter_buffer_emitted_count = emitted
    return entry


def test_the_entries_that_matter_are_picked_of_both_connections() -> None:
    stats = rtc.RtcStats(
        publisher_stats=[pair(0.02), pair(0.5, nominated=False)],
        subscriber_stats=[pair(0.03), inbound("audio", 960.0, 48_000), inbound("video", 5.0, 10)],
    )
    assert read_stats(stats) == Reading(0.03, 960.0, 48_000)


def test_statistics_without_a_connection_or_audio_say_nothing() -> None:
    reading = read_stats(rtc.RtcStats(publisher_stats=[Entry(), pair(0.0)], subscriber_stats=[]))
    assert reading == Reading(None, 0.0, 0)
    assert jitter_buffer_seconds(None, reading) is None


def test_the_jitter_buffer_is_that_of_the_last_interval() -> None:
    earlier, later = Reading(None, 960.0, 48_000), Reading(None, 960.0 + 48_000 * 0.06, 96_000)
    assert jitter_buffer_seconds(None, earlier) == pytest.approx(0.02)
    assert jitter_buffer_seconds(earlier, later) == pytest.approx(0.06)


def test_a_track_that_is_replaced_begins_its_counters_anew() -> None:
    assert jitter_buffer_seconds(Reading(None, 960.0, 48_000), Reading(None, 24.0, 480)) == pytest.approx(0.05)


def test_the_round_trip_to_the_caller_is_halved() -> None:
    transit = estimate(0.02, 0.04, CallerSide(round_trip_seconds=0.1, playout_seconds=0.06, capture_seconds=0.003))
    assert transit.in_seconds == pytest.approx(IN_SECONDS + 0.05 + 0.04 + 0.003)
    assert transit.out_seconds == pytest.approx(OUT_SECONDS + 0.05 + 0.06)


def test_a_caller_of_whom_nothing_is_known_is_taken_to_be_like_ourselves_and_less_certain() -> None:
    known = estimate(0.02, 0.04, CallerSide(round_trip_seconds=0.04, playout_seconds=0.04))
    unknown = estimate(0.02, 0.04, CallerSide())
    assert (unknown.in_seconds, unknown.out_seconds) == pytest.approx((known.in_seconds, known.out_seconds))
    assert unknown.uncertainty_seconds > known.uncertainty_seconds


def test_our_own_long_jitter_buffer_is_not_assumed_of_the_caller() -> None:
    usual, long = estimate(0.02, 0.04, CallerSide()), estimate(0.02, 0.2, CallerSide())
    assert long.in_seconds == pytest.approx(usual.in_seconds + 0.16)
    assert long.out_seconds == pytest.approx(usual.out_seconds)


def test_before_the_first_look_the_floor_is_assumed() -> None:
    transit = estimate(None, None, CallerSide())
    assert 0.07 < transit.in_seconds + transit.out_seconds < 0.1


def test_a_client_may_tell_its_own_delays() -> None:
    assert read_claim('{"playout_ms": 45, "capture_ms": 5.5}') == CallerSide(None, 0.045, 0.0055)
    assert read_claim('{"playout_ms": 45}') == CallerSide(None, 0.045, None)


@pytest.mark.parametrize("answer", ["", "45", "[]", '{"playout_ms": "45"}', '{"playout_ms": -1, "capture_ms": true}'])
@pytest.mark.parametrize("more", ["", '{"playout_ms": 1e9}', '{"playout_ms": NaN}', '{"capture_ms": Infinity}'])
def test_a_claim_that_cannot_be_is_not_believed(answer: str, more: str) -> None:
    assert read_claim(more or answer) == CallerSide()


@given(st.text())
def test_no_answer_of_a_client_breaks_the_reading(answer: str) -> None:
    read_claim(answer)
    read_claim(f'{{"playout_ms": {answer}}}')


seconds = st.none() | st.floats(0, 5)


@given(seconds, seconds, seconds, seconds, seconds)
def test_an_estimate_is_never_below_what_codecs_take(
    own: float | None, buffer: float | None, trip: float | None, playout: float | None, capture: float | None
) -> None:
    transit = estimate(own, buffer, CallerSide(trip, playout, capture))
    assert transit.in_seconds >= IN_SECONDS
    assert transit.out_seconds >= OUT_SECONDS
    assert transit.uncertainty_seconds > 0


class Line:
    """A room with a caller: each look finds the jitter buffer at `buffered` seconds; the client answers or does not."""

    def __init__(self, answer: str | rtc.RpcError) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.buffered = 0.02
        self._stats = (0.0, 0)

    @property
    def local_participant(self) -> Line:
        return self

    async def get_rtc_stats(self) -> rtc.RtcStats:
        delay, emitted = self._stats
        self._stats = delay + 48_000 * self.buffered, emitted + 48_000
        return rtc.RtcStats(publisher_stats=[pair(0.01)], subscriber_stats=[inbound("audio", *self._stats)])

    async def perform_rpc(self, *, destination_identity: str, **_: object) -> str:
        self.asked.append(destination_identity)
        if isinstance(self.answer, rtc.RpcError):
            raise self.answer
        return self.answer


NO_SUCH_METHOD = rtc.RpcError(rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD, "")
NOBODY_THERE = rtc.RpcError(rtc.RpcError.ErrorCode.CONNECTION_TIMEOUT, "")


def meter_of(line: Line, callers: list[str | None] | None = None) -> TransitMeter:
    """Each look finds the next of `callers`, the last of them for ever."""
    left = callers or ["anna"]
    return TransitMeter(cast("rtc.Room", line), lambda: left.pop(0) if len(left) > 1 else left[0])


async def test_a_client_without_the_method_is_measured_all_the_same() -> None:
    meter = meter_of(Line(NO_SUCH_METHOD))
    before = meter.transit.uncertainty_seconds
    await meter.look()
    assert meter.transit.uncertainty_seconds < before


async def test_the_jitter_buffer_of_the_last_second_is_what_counts() -> None:
    line = Line('{"playout_ms": 25}')
    meter = meter_of(line)
    await meter.look()
    line.buffered = 0.12
    await meter.look()
    assert meter.transit.in_seconds == pytest.approx(0.005 + IN_SECONDS + 0.12, abs=0.005)
    assert meter.transit.out_seconds == pytest.approx(0.005 + OUT_SECONDS + 0.025, abs=0.005)


async def test_a_client_that_never_answers_is_asked_seldom() -> None:
    line = Line(NOBODY_THERE)
    meter = meter_of(line)
    for _ in range(43):
        await meter.look()
    assert len(line.asked) == 3 + 4


async def test_a_new_caller_is_asked_anew_and_what_the_last_one_said_is_forgotten() -> None:
    line = Line('{"playout_ms": 500}')
    meter = meter_of(line, ["anna", "anna", None, "bob"])
    await meter.look()
    await meter.look()
    assert meter.transit.out_seconds > 0.5
    await meter.look()
    assert meter.transit.out_seconds < 0.5
    line.answer = NOBODY_THERE
    await meter.look()
    assert line.asked == ["anna", "anna", "bob"]
    assert meter.transit.out_seconds < 0.5
