"""Days as people say them, on Monday the twenty third of November 2026."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.plugins.script.dates import DateOrder, find_dates
from livekit.plugins.script.spoken import say_date
from livekit.plugins.script.words import split

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("today", (11, 23)),
        ("this afternoon", (11, 23)),
        ("tomorrow", (11, 24)),
        ("tomorrow afternoon", (11, 24)),
        ("the day after tomorrow", (11, 25)),
        ("tuesday", (11, 24)),
        ("on tuesdays", (11, 24)),
        ("this tuesday", (11, 24)),
        ("next tuesday", (12, 1)),
        ("monday", (11, 30)),
        ("next monday", (11, 30)),
        ("tuesday next week", (12, 1)),
        ("next week on friday", (12, 4)),
        ("next week friday", (12, 4)),
        ("tuesday week", (12, 1)),
        ("a week on monday", (12, 7)),
        ("a week from thursday", (12, 3)),
        ("two weeks from tuesday", (12, 8)),
        ("in two weeks", (12, 7)),
        ("in a fortnight", (12, 7)),
        ("in a couple of days", (11, 25)),
        ("three days from now", (11, 26)),
        ("a week today", (11, 30)),
        ("the fifth of december", (12, 5)),
        ("fifth of december", (12, 5)),
        ("december third", (12, 3)),
        ("december the third", (12, 3)),
        ("the third of december twenty twenty six", (12, 3)),
        ("december 3rd", (12, 3)),
        ("dec 3", (12, 3)),
        ("5 december", (12, 5)),
        ("the twenty fourth of november", (11, 24)),
        ("on the fifth", (12, 5)),
        ("for the thirtieth", (11, 30)),
        ("the 28th", (11, 28)),
        ("tuesday the first", (12, 1)),
        ("tuesday the first of december", (12, 1)),
        ("christmas eve", (12, 24)),
        ("12/03", (12, 3)),
        ("2026-12-03", (12, 3)),
        ("12/03/2026", (12, 3)),
        ("thurs", (11, 26)),
        ("on sat", (11, 28)),
    ],
)
def test_a_day_is_understood(text: str, expected: tuple[int, int]) -> None:
    found = find_dates(split(text).tokens, TODAY)
    assert [hit.value for hit in found] == [date(2026, *expected)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "the first one",
        "the second time",
        "next week",
        "the sun is out",
        "may i come in",
        "two people",
        "in a while",
        "99/99",
    ],
)
def test_other_words_are_no_day(text: str) -> None:
    assert find_dates(split(text).tokens, TODAY) == []


def test_the_order_of_day_and_month_is_the_scripts() -> None:
    orders: tuple[DateOrder, DateOrder] = ("DMY", "MDY")
    found = [find_dates(["12/03"], TODAY, order)[0].value for order in orders]
    assert found == [date(2027, 3, 12), date(2026, 12, 3)]


def test_a_day_just_past_stays_past_and_an_older_one_is_next_years() -> None:
    assert find_dates(split("november twentieth").tokens, TODAY)[0].value == date(2026, 11, 20)
    assert find_dates(split("the third of march").tokens, TODAY)[0].value == date(2027, 3, 3)
    assert find_dates(["yesterday"], TODAY)[0].value == date(2026, 11, 22)


def test_several_days_are_found_in_order() -> None:
    found = find_dates(split("not tuesday thursday").tokens, TODAY)
    assert [hit.value.day for hit in found] == [24, 26]


@settings(deadline=None)
@given(st.dates(min_value=TODAY, max_value=date(2027, 5, 20)))
def test_every_day_that_is_said_in_words_is_understood_as_itself(day: date) -> None:
    assert [hit.value for hit in find_dates(split(say_date(day, TODAY)).tokens, TODAY)] == [day]


@settings(deadline=None)
@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    find_dates(split(text).tokens, TODAY)
