"""Values among a caller's words: names, phone numbers, numbers, choices."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from livekit.plugins.script.names import NameSlot
from livekit.plugins.script.slots import Context, Mention, Slot
from livekit.plugins.script.words import split

CONTEXT = Context(date(2026, 11, 23))
NAMES = NameSlot(frozenset({"anna", "tom", "mary", "peter"}), frozenset({"bell", "hall", "jones", "martin"}))


def find(slot: Slot, text: str, *, asked: bool = False) -> list[Mention]:
    context = Context(CONTEXT.today, asked=slot.name if asked else None)
    return slot.find(split(text), set(), context)


def values(slot: Slot, text: str, *, asked: bool = False) -> list[object]:
    return [mention.value for mention in find(slot, text, asked=asked) if mention.certain or asked]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("my name is anna bell", "Anna Bell"),
        ("my name's Tom Hall, thanks", "Tom Hall"),
        ("the name is peter jones", "Peter Jones"),
        ("my name is his peter jones", "Peter Jones"),
        ("a table on friday for mary martin", "Mary Martin"),
        ("anna bell", "Anna Bell"),
        ("it's under tom hall", "Tom Hall"),
        ("My name is Zebulon O'Hara", "Zebulon O'Hara"),
    ],
)
def test_a_name_is_found_without_being_asked_for(text: str, name: str) -> None:
    assert values(Slot("name", "name", names=NAMES), text) == [name]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("anna", "Anna"),
        ("it's anna bell please", "Anna Bell"),
        ("uh zebulon smith", "Zebulon Smith"),
        ("ANNA BELL", "Anna Bell"),
        ("McDonald", "McDonald"),
        ("that would be peter martin", "Peter Martin"),
    ],
)
def test_a_name_is_found_in_an_answer(text: str, name: str) -> None:
    assert values(Slot("name", "name", names=NAMES), text, asked=True) == [name]


@pytest.mark.parametrize(
    "text", ["on friday", "next week", "i don't know", "for tomorrow", "i'm calling about my hair today please"]
)
def test_other_words_are_no_name(text: str) -> None:
    assert values(Slot("name", "name", names=NAMES), text) == []


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("oh seven seven double nine one two three", "077991" + "23"),
        ("my number is 07700 900123", "07700900123"),
        ("five five five twelve thirty four", "5551234"),
    ],
)
def test_a_phone_number_is_read_digit_by_digit(text: str, digits: str) -> None:
    assert values(Slot("phone", "phone"), text) == [digits]


def test_a_few_digits_are_no_phone_number() -> None:
    assert values(Slot("phone", "phone"), "at two thirty") == []


def test_a_number_counts_within_its_bounds_and_only_when_it_was_asked_for() -> None:
    slot = Slot("guests", "number", least=1, most=12)
    assert values(slot, "there are twelve of us", asked=True) == [12]
    assert values(slot, "there are 40 of us", asked=True) == []
    assert values(slot, "there are twelve of us") == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a hair cut", "haircut"),
        ("two haircuts", "haircut"),
        ("a hiarcut please", "haircut"),
        ("just a beard trim", "beard trim"),
    ],
)
def test_a_choice_is_found_by_any_of_its_wordings_and_through_a_slip_of_the_pen(text: str, value: str) -> None:
    slot = Slot("service", "choice", options={"haircut": ("trim",), "beard trim": ("beard",)})
    assert values(slot, text) == [value]


def test_the_same_day_and_time_are_those_of_what_was_spoken_of() -> None:
    context = Context(CONTEXT.today, that_moment=datetime(2026, 12, 4, 10, 30))
    words = split("the same day at the same time")
    assert [str(mention.value) for mention in Slot("date", "date").find(words, set(), context)] == ["2026-12-04"]
    assert [str(mention.value) for mention in Slot("time", "time").find(words, set(), context)] == ["10:30:00"]


def test_free_text_is_the_whole_answer_if_it_was_asked_for() -> None:
    slot = Slot("message", "text")
    assert values(slot, "Tell Bob it works.", asked=True) == ["Tell Bob it works"]
    assert find(slot, "Tell Bob it works.") == []
