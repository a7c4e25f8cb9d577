"""Rows of (time, what happened) and the commands that must come; then properties over any order of events."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.attendance import (
    AskStillThere,
    Attendance,
    AttendanceSettings,
    Command,
    EndCall,
    SayGoodbye,
)

SETTINGS = AttendanceSettings(
    first_join_seconds=120, return_seconds=15, silence_seconds=10, longest_sound_seconds=30, max_seconds=600
)
Step = tuple[float, Callable[[Attendance, float], None]]

joined: Callable[[Attendance, float], None] = lambda a, now: a.caller_joined(now)  # noqa: E731
left: Callable[[Attendance, float], None] = lambda a, now: a.caller_left(now)  # noqa: E731
words: Callable[[Attendance, float], None] = lambda a, now: a.caller_words(now)  # noqa: E731
sound: Callable[[Attendance, float], None] = lambda a, now: a.caller_sound(now, started=True)  # noqa: E731
hush: Callable[[Attendance, float], None] = lambda a, now: a.caller_sound(now, started=False)  # noqa: E731
busy: Callable[[Attendance, float], None] = lambda a, now: a.agent_busy(now, busy=True)  # noqa: E731
idle: Callable[[Attendance, float], None] = lambda a, now: a.agent_busy(now, busy=False)  # noqa: E731
said: Callable[[Attendance, float], None] = lambda a, now: a.farewell_said(now)  # noqa: E731


def play(steps: list[Step], until: float) -> list[tuple[float, Command]]:
    """What a driver does: tells each step at its time, asks `due` at each deadline; the commands with their times."""
    attendance, told, now = Attendance(SETTINGS, 0.0), [], 0.0
    for at, step in [*steps, (until, lambda _a, _now: None)]:
        while (deadline := attendance.deadline()) is not None and deadline <= at:
            now = max(now, deadline)
            told += [(now, command) for command in attendance.due(now)]
            if isinstance(told[-1][1], EndCall):
                return told
        now = at
        step(attendance, now)
        told += [(now, command) for command in attendance.due(now)]
        if told and isinstance(told[-1][1], EndCall):
            return told
    return told


def test_a_caller_who_never_joins_is_given_two_minutes() -> None:
    assert play([], until=200) == [(120, EndCall("caller_never_joined"))]


def test_a_silent_caller_is_asked_once_then_told_goodbye() -> None:
    steps: list[Step] = [(1, joined), (2, busy), (5, idle), (15.5, busy), (16, idle), (27, said)]
    assert play(steps, until=60) == [
        (15, AskStillThere()),
        (26, SayGoodbye("caller_silent")),
        (27, EndCall("caller_silent")),
    ]


def test_a_word_after_the_question_keeps_the_call() -> None:
    steps: list[Step] = [(1, joined), (2, idle), (12, busy), (13, idle), (14, words), (15, words)]
    assert play(steps, until=24) == [(11, AskStillThere())]


def test_the_agents_own_speech_is_no_silence() -> None:
    assert play([(1, joined), (2, busy)], until=100) == []


def test_a_caller_who_comes_back_within_the_grace_stays() -> None:
    steps: list[Step] = [(1, joined), (2, busy), (3, left), (17, joined)]
    assert play(steps, until=26) == []


def test_a_caller_who_stays_away_is_gone() -> None:
    assert play([(1, joined), (3, left)], until=60) == [(18, EndCall("caller_left"))]


def test_noise_without_words_does_not_hold_the_call_for_ever() -> None:
    told = play([(1, joined), (2, idle), (3, sound)], until=50)
    assert told[0] == (33, AskStillThere())


def test_noise_that_comes_and_goes_does_not_hold_the_call_either() -> None:
    steps: list[Step] = [(1, joined), (2, idle)]
    for second in range(3, 90, 6):
        steps += [(second, sound), (second + 3, hush)]
    told = play(steps, until=60)
    assert told[0][1] == AskStillThere()
    assert told[0][0] <= 2 + 30 + 10 + 3


def test_a_farewell_that_is_never_finished_does_not_hold_the_room() -> None:
    told = play([(1, joined), (2, busy)], until=700)
    assert told == [(601, SayGoodbye("time_limit")), (626, EndCall("time_limit"))]


def test_a_long_sentence_that_is_not_transcribed_yet_is_not_interrupted_by_the_question() -> None:
    assert play([(1, joined), (2, sound), (14, words), (14, hush)], until=23) == []


def test_the_time_limit_is_said_and_then_kept() -> None:
    steps: list[Step] = [(1, joined), (2, busy), (603, said)]
    assert play(steps, until=700) == [(601, SayGoodbye("time_limit")), (603, EndCall("time_limit"))]


def test_a_caller_who_hangs_up_during_the_farewell_ends_it_for_its_reason() -> None:
    told = play([(1, joined), (2, busy), (602, left)], until=700)
    assert told[-1] == (602, EndCall("time_limit"))


def test_the_first_reason_stands() -> None:
    attendance = Attendance(SETTINGS, 0)
    attendance.caller_joined(1)
    attendance.end("agent_hung_up", 2)
    attendance.end("room_closed", 3)
    attendance.caller_left(4)
    assert attendance.due(5) == [EndCall("agent_hung_up")]


@given(st.lists(st.tuples(st.floats(0, 40), st.sampled_from([joined, left, words, sound, hush, busy, idle, said]))))
def test_whatever_happens_no_deadline_lies_in_the_past_and_the_end_comes(
    steps: list[tuple[float, Callable[[Attendance, float], None]]],
) -> None:
    attendance, now, asked_in_a_row = Attendance(SETTINGS, 0.0), 0.0, 0
    for wait, step in steps:
        now += wait
        commands = attendance.due(now)
        asked_in_a_row = asked_in_a_row + 1 if AskStillThere() in commands else asked_in_a_row
        if step is words:
            asked_in_a_row = 0
        assert asked_in_a_row <= 1 or step in (joined, left)
        if step is joined:
            asked_in_a_row = 0
        step(attendance, now)
        attendance.due(now)
        deadline = attendance.deadline()
        assert deadline is None or deadline > now
    attendance.agent_busy(now, busy=False)
    attendance.caller_left(now)
    for _ in range(10):
        deadline = attendance.deadline()
        if deadline is None:
            break
        now = deadline
        attendance.due(now)
    attendance.farewell_said(now)
    assert [type(command) for command in attendance.due(now)] == [EndCall]


@pytest.mark.parametrize("seconds", [10, 60])
def test_the_longest_duration_counts_from_the_join(seconds: float) -> None:
    attendance = Attendance(AttendanceSettings(max_seconds=seconds), 0)
    attendance.caller_joined(100)
    attendance.agent_busy(101, busy=True)
    assert attendance.deadline() == 100 + seconds


def test_who_is_dismissed_is_told_goodbye_first() -> None:
    dismissed: Step = (5, lambda a, now: a.dismiss("budget_spent", now))
    assert play([(1, joined), dismissed, (6, words), (9, said)], until=60) == [
        (5, SayGoodbye("budget_spent")),
        (9, EndCall("budget_spent")),
    ]


def test_who_is_dismissed_while_nobody_is_there_hears_no_goodbye() -> None:
    dismissed: Step = (5, lambda a, now: a.dismiss("budget_spent", now))
    assert play([dismissed], until=60) == [(5, EndCall("budget_spent"))]
    assert play([(1, joined), (2, left), dismissed], until=60) == [(5, EndCall("budget_spent"))]


def test_a_farewell_that_is_being_said_is_the_last_one() -> None:
    dismissed: Step = (601.5, lambda a, now: a.dismiss("budget_spent", now))
    steps: list[Step] = [(1, joined), (2, busy), dismissed, (603, said)]
    assert play(steps, until=700) == [(601, SayGoodbye("time_limit")), (603, EndCall("time_limit"))]
