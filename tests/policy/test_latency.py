"""Turns as rows of moments and what they must add up to; then any order of moments."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.latency import PARTS, Transit, TurnClock, TurnLatency

TRANSIT = Transit(in_seconds=0.036, out_seconds=0.040, uncertainty_seconds=0.012)
Row = tuple[float, Callable[[TurnClock, float], object]]

committed: Callable[[TurnClock, float], None] = lambda c, now: c.committed(now)  # noqa: E731
typed: Callable[[TurnClock, float], None] = lambda c, now: c.typed(now)  # noqa: E731
dismissed: Callable[[TurnClock, float], None] = lambda c, _now: c.dismissed()  # noqa: E731
final: Callable[[TurnClock, float], None] = lambda c, now: c.transcribed(now)  # noqa: E731
token: Callable[[TurnClock, float], None] = lambda c, now: c.first_token(now)  # noqa: E731
audio: Callable[[TurnClock, float], None] = lambda c, now: c.first_audio(now)  # noqa: E731
audible: Callable[[TurnClock, float], object] = lambda c, at: c.audible(at, TRANSIT)  # noqa: E731


def silent(last_loud_at: float) -> Callable[[TurnClock, float], None]:
    return lambda clock, now: clock.speech_ended(now, last_loud_at)


def called(name: str) -> Callable[[TurnClock, float], None]:
    return lambda clock, now: clock.tool_called(now, name)


def returned(name: str) -> Callable[[TurnClock, float], None]:
    return lambda clock, now: clock.tool_returned(now, name)


def play(*rows: Row) -> TurnLatency | None:
    """What the last row gives."""
    clock, told = TurnClock(), None
    for now, step in rows:
        told = step(clock, now)
    assert told is None or isinstance(told, TurnLatency)
    return told


def spent(latency: TurnLatency | None) -> dict[str, int]:
    """The parts that cost anything, checked against the total."""
    assert latency is not None
    assert tuple(latency.parts) == PARTS
    assert sum(latency.parts.values()) == latency.total_ms
    return {name: milliseconds for name, milliseconds in latency.parts.items() if milliseconds}


def test_a_turn_one_step_after_the_other() -> None:
    latency = play(
        (1.3, silent(1.0)), (1.35, final), (1.4, committed), (1.6, token), (1.7, audio), (1.9, audible)
    )  # fmt: skip
    assert spent(latency) == {
        "end_of_speech": 300,
        "transcript": 50,
        "commit": 50,
        "first_token": 200,
        "first_audio": 100,
        "playout": 200,
        "transit": 76,
    }
    assert latency is not None
    assert (latency.total_ms, latency.uncertainty_ms) == (976, 12)


def test_what_was_prepared_before_the_commit_costs_nothing() -> None:
    latency = play(
        (0.9, token), (1.0, audio), (1.2, final), (1.3, silent(1.0)), (1.4, committed), (1.42, audible)
    )  # fmt: skip
    assert spent(latency) == {"end_of_speech": 300, "commit": 100, "playout": 20, "transit": 76}


def test_a_speculation_thrown_away_does_not_count() -> None:
    latency = play(
        (0.9, token), (1.0, audio), (1.3, silent(1.0)), (1.4, committed), (1.6, token), (1.7, audio), (1.7, audible)
    )  # fmt: skip
    assert spent(latency) == {
        "end_of_speech": 300, "commit": 100, "first_token": 200, "first_audio": 100, "transit": 76
    }  # fmt: skip


def test_a_turn_committed_before_the_detectors_verdict() -> None:
    early = play((1.2, silent(1.0)), (1.2, committed), (1.4, token), (1.5, audio), (1.5, audible))
    late = play((1.2, committed), (1.25, silent(1.0)), (1.4, token), (1.5, audio), (1.5, audible))
    assert early is not None
    assert late is not None
    assert late.total_ms == early.total_ms == 576
    assert late.parts == early.parts


def test_the_end_of_speech_may_come_with_the_commit() -> None:
    latency = play((1.2, lambda clock, now: clock.committed(now, last_loud_at=1.0)), (1.5, audible))
    assert spent(latency) == {"commit": 200, "playout": 300, "transit": 76}


def test_a_pause_within_the_turn_is_not_its_end() -> None:
    latency = play((1.3, silent(1.0)), (1.4, final), (2.3, silent(2.0)), (2.4, final), (2.5, committed), (2.7, audible))
    assert spent(latency) == {"end_of_speech": 300, "transcript": 100, "commit": 100, "playout": 200, "transit": 76}


def test_a_caller_who_resumes_before_the_reply_is_counted_from_his_last_word() -> None:
    latency = play(
        (1.3, silent(1.0)), (1.4, committed), (1.5, token),
        (2.6, silent(2.3)), (2.7, committed), (2.9, token), (3.0, audible),
    )  # fmt: skip
    assert spent(latency) == {"end_of_speech": 300, "commit": 100, "first_token": 200, "playout": 100, "transit": 76}


def test_the_time_of_tools_is_their_own() -> None:
    latency = play(
        (1.2, silent(1.0)), (1.2, committed), (1.4, token), (1.5, called("a")), (1.6, called("b")),
        (1.8, returned("a")), (2.1, returned("b")), (2.3, token), (2.4, audio), (2.4, audible),
    )  # fmt: skip
    assert spent(latency) == {
        "end_of_speech": 200, "tools": 600, "first_token": 500, "first_audio": 100, "transit": 76
    }  # fmt: skip


def test_a_tool_that_works_on_while_the_agent_speaks_costs_until_the_speech() -> None:
    latency = play((1.2, silent(1.0)), (1.2, committed), (1.3, called("a")), (1.5, token), (1.6, audible))
    assert spent(latency) == {"end_of_speech": 200, "tools": 200, "first_token": 100, "playout": 100, "transit": 76}


def test_a_typed_turn_counts_from_its_arrival() -> None:
    assert spent(play((5.0, typed), (5.2, token), (5.3, audio), (5.31, audible))) == {
        "first_token": 200, "first_audio": 100, "playout": 10, "transit": 40
    }  # fmt: skip


def test_speech_after_a_typed_text_does_not_move_it() -> None:
    assert spent(play((5.0, typed), (5.1, silent(4.9)), (5.2, audible))) == {"playout": 200, "transit": 40}


def test_a_greeting_answers_nothing() -> None:
    assert play((1.0, token), (1.1, audio), (1.2, audible)) is None


def test_speech_that_began_before_the_commit_is_no_answer_and_the_turn_stays_open() -> None:
    rows: list[Row] = [(1.3, silent(1.0)), (1.4, committed), (1.35, audible)]
    assert play(*rows) is None
    assert spent(play(*rows, (1.6, audible)))["playout"] == 200


def test_a_second_sentence_is_no_second_answer() -> None:
    rows: list[Row] = [(1.3, silent(1.0)), (1.4, committed), (1.6, token), (1.7, audible), (2.0, audible)]
    assert play(*rows) is None


def test_a_turn_that_is_dismissed_has_no_latency() -> None:
    assert play((1.3, silent(1.0)), (1.4, committed), (1.4, dismissed), (20.0, audible)) is None


def test_a_turn_whose_end_nobody_heard_is_not_measured_by_a_guess() -> None:
    assert play((1.35, final), (1.4, committed), (1.6, token), (1.9, audible)) is None


def test_the_first_sound_of_the_last_reply_is_not_the_next_ones() -> None:
    latency = play(
        (1.2, silent(1.0)), (1.2, committed), (1.4, token), (1.5, audio), (1.5, audible), (1.6, audio),
        (4.2, silent(4.0)), (4.2, committed), (4.4, token), (4.5, audio), (4.6, audible),
    )  # fmt: skip
    assert spent(latency) == {
        "end_of_speech": 200, "first_token": 200, "first_audio": 100, "playout": 100, "transit": 76
    }  # fmt: skip


moments = st.floats(0, 10)
steps = st.one_of(
    st.sampled_from([committed, typed, dismissed, final, token, audio, audible, called("a"), returned("a")]),
    st.sampled_from([called("b"), returned("b"), returned("never called")]),
    moments.map(silent),
    moments.map(lambda at: lambda clock, now: clock.committed(now, last_loud_at=at)),
)


@given(
    st.lists(st.tuples(moments, steps), max_size=40),
    st.builds(Transit, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
)
def test_whatever_comes_in_whatever_order_the_parts_are_the_whole(
    rows: list[tuple[float, Callable[[TurnClock, float], object]]], transit: Transit
) -> None:
    clock = TurnClock()
    for now, step in [*rows, (10.0, committed), (11.0, lambda c, at: c.audible(at, transit))]:
        latency = step(clock, now)
        if latency is not None:
            assert isinstance(latency, TurnLatency)
            assert tuple(latency.parts) == PARTS
            assert min(latency.parts.values()) >= 0
            assert sum(latency.parts.values()) == latency.total_ms


@given(st.permutations([(1.31, final), (1.3, silent(1.0)), (1.1, token), (1.2, audio)]), st.floats(1.4, 3))
def test_the_total_does_not_depend_on_who_was_first(order: list[Row], audible_at: float) -> None:
    latency = play(*order, (1.4, committed), (audible_at, audible))
    assert latency is not None
    assert latency.total_ms == pytest.approx((audible_at - 1.0 + 0.076) * 1000, abs=1)
