"""Values in words that a voice says well."""

from __future__ import annotations

from datetime import date, datetime, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.plugins.script.numbers import cardinal_at, say_cardinal
from livekit.plugins.script.spoken import say_date, say_digits, say_list, say_moment, say_moments, say_text, say_time

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (time(14, 30), "half past two"),
        (time(10, 45), "quarter to eleven"),
        (time(12, 45), "quarter to one"),
        (time(10, 15), "quarter past ten"),
        (time(9, 0), "nine o'clock"),
        (time(12, 0), "midday"),
        (time(9, 20), "twenty past nine"),
        (time(9, 35), "twenty five to ten"),
        (time(9, 7), "nine oh seven"),
        (time(19, 30), "half past seven in the evening"),
        (time(6, 0), "six o'clock in the morning"),
    ],
)
def test_a_time_is_said_as_people_say_it(value: time, words: str) -> None:
    assert say_time(value) == words


def test_a_day_is_said_with_its_year_only_when_that_is_in_doubt() -> None:
    assert say_date(date(2026, 12, 1), TODAY) == "Tuesday the first of December"
    assert say_date(date(2027, 1, 4), TODAY) == "Monday the fourth of January"
    assert say_date(date(2027, 9, 22), TODAY).endswith("the twenty second of September twenty twenty seven")
    assert say_moment(datetime(2026, 12, 1, 14, 30)) == "Tuesday the first of December at half past two"


def test_a_list_of_moments_names_a_day_they_share_not_at_all_and_others_once() -> None:
    one, two, other = datetime(2026, 12, 1, 10), datetime(2026, 12, 1, 11, 30), datetime(2026, 12, 2, 9)
    assert say_moments([one, two], link="or") == "ten o'clock or half past eleven"
    assert say_moments([two, other]) == (
        "Tuesday the first of December at half past eleven and Wednesday the second of December at nine o'clock"
    )
    assert say_list(["a", "b", "c"]) == "a, b and c"
    assert say_list([]) == ""


def test_a_tools_notation_in_a_text_is_put_in_words() -> None:
    text = "Open 09:00 to 17:30; taken on 2026-12-01T14:30:00+00:00; closed on 2026-12-25."
    assert say_text(text) == (
        "Open nine o'clock to half past five; taken on Tuesday the first of December at half past two; "
        "closed on Friday the twenty fifth of December."
    )
    assert say_text("see 2026-99-99 and 77:77") == "see 2026-99-99 and 77:77"


def test_digits_are_said_in_groups() -> None:
    assert say_digits("07700900123") == "oh seven seven, oh oh nine, oh oh one, two three"


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=9999))
def test_every_number_that_is_said_is_understood_as_itself(value: int) -> None:
    words = say_cardinal(value).split()
    found = cardinal_at(words, 0)
    assert found is not None
    if value < 1000:
        assert found == (value, len(words))
