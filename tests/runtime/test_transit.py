"""The statistics as the SDK gives them, in its own messages; the caller's client as an RPC that answers or does not."""

from __future__ import annotations

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


def test_before_the_first_look_the_floor_is_assumed() -> None:
    transit = estimate(None, None, CallerSide())
    assert 0.03 < transit.out_seconds < transit.in_seconds < 0.05


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
