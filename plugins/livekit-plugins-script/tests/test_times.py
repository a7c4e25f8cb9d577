"""Times of day as people say them, and as a recogniser writes them."""

from __future__ import annotations

from datetime import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.plugins.script.spoken import say_time
from livekit.plugins.script.times import find_day_part, find_times
from livekit.plugins.script.words import split


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("half past two", "14:30"),
        ("half two", "14:30"),
        ("quarter to three", "14:45"),
        ("a quarter past eleven", "11:15"),
        ("quarter after four", "16:15"),
        ("twenty five to five", "16:35"),
        ("ten minutes past nine", "09:10"),
        ("two thirty", "14:30"),
        ("at two fifteen", "14:15"),
        ("ten forty five", "10:45"),
        ("three p m", "15:00"),
        ("3pm", "15:00"),
        ("3:30pm", "15:30"),
        ("3.30 p.m.", "15:30"),
        ("15:45", "15:45"),
        ("9:00", "09:00"),
        ("at ten in the morning", "10:00"),
        ("seven in the evening", "19:00"),
        ("three o'clock", "15:00"),
        ("three o clock", "15:00"),
        ("at eight", "08:00"),
        ("at noon", "12:00"),
        ("midday", "12:00"),
        ("twelve o'clock", "12:00"),
        ("at one oh five", "13:05"),
        ("make it four", "16:00"),
        ("around eleven", "11:00"),
        ("at for", "16:00"),
        ("half past for", "16:30"),
        ("quarter two three", "14:45"),
        ("at won thirty", "13:30"),
    ],
)
def test_a_time_is_understood(text: str, expected: str) -> None:
    assert [hit.value for hit in find_times(split(text).tokens)] == [time.fromisoformat(expected)]


@pytest.mark.parametrize(
    ("text", "expected"), [("three", "15:00"), ("for", "16:00"), ("to thirty", "14:30"), ("four please", "16:00")]
)
def test_a_bare_number_is_a_time_when_one_was_asked_for(text: str, expected: str) -> None:
    assert find_times(split(text).tokens) == [] or not find_times(split(text).tokens)[0].certain
    assert [hit.value for hit in find_times(split(text).tokens, asked=True)] == [time.fromisoformat(expected)]


@pytest.mark.parametrize(
    "text", ["", "the first one", "one moment", "i have two children", "that one", "25:70", "9999"]
)
def test_other_words_are_no_time(text: str) -> None:
    assert find_times(split(text).tokens) == []


def test_the_part_of_the_day_and_the_opening_hours_settle_what_the_clock_leaves_open() -> None:
    assert find_times(["at", "eight"], part="evening")[0].value == time(20)
    assert find_times(["at", "six"], hours=(time(6), time(14)))[0].value == time(6)
    assert find_times(split("tomorrow morning at seven").tokens)[0].value == time(7)


def test_a_greeting_is_no_part_of_the_day() -> None:
    assert find_day_part(split("good morning").tokens) is None
    assert find_day_part(split("in the afternoon").tokens) == "afternoon"


@settings(deadline=None)
@given(st.times().filter(lambda value: value.hour > 0))
def test_every_time_that_is_said_in_words_is_understood_as_itself(value: time) -> None:
    value = value.replace(minute=value.minute - value.minute % 5, second=0, microsecond=0)
    found = find_times(split(say_time(value)).tokens, asked=True)
    assert len(found) == 1
    assert (found[0].value.hour % 12, found[0].value.minute) == (value.hour % 12, value.minute)


@settings(deadline=None)
@given(st.text(), st.booleans())
def test_no_text_is_too_odd(text: str, asked: bool) -> None:
    find_times(split(text).tokens, asked=asked)
