from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceworker.policy.history import KEPT_SHARE, Item, Kind, kept

LETTERS: dict[str, Kind] = {"i": "instructions", "c": "caller", "a": "agent", "o": "other"}


def conversation(text: str) -> list[Item]:
    """A letter an item: instructions, caller, agent, other; a digit calls a tool, and at the second time is its
    output."""
    seen: set[str] = set()
    items = []
    for letter in text.replace(" ", ""):
        if letter.isdigit():
            items.append(Item("output" if letter in seen else "call", letter))
            seen.add(letter)
        else:
            items.append(Item(LETTERS[letter]))
    return items


def left_of(text: str, limit: int) -> str:
    plain = text.replace(" ", "")
    return "".join(plain[place] for place in kept(conversation(text), limit))


@pytest.mark.parametrize(
    ("before", "limit", "after"),
    [
        ("i ca ca ca", 8, "icacaca"),
        ("i ca ca ca ca", 8, "icaca"),  # room for five: from the first message of the caller's within
        ("ii ca ca ca ca", 8, "iicaca"),
        ("i o ca ca ca ca", 8, "icaca"),  # a change of settings is not pinned
        ("i a ca ca c11a", 8, "ic11a"),  # the tool's call stays with its output
        ("i ca c1a c1a ca", 8, "icaca"),  # its output came a turn later: without the call it goes
        ("ca ca ca ca ca", 8, "cacaca"),  # nobody has been instructed
        ("i ca c 11 22 33 44 a", 8, "ic44a"),  # one turn fills it: its question stays
        ("i a a a a a a a a a", 8, "iaaaaa"),  # the caller has not spoken
        ("i ca ca ca ca ca 1", 8, "icaca1"),  # the tool is still at work
        ("i ca ca ca ca i", 8, "icacai"),  # instructions for this reply alone are no beginning
    ],
)
def test_what_is_left(before: str, limit: int, after: str) -> None:
    assert left_of(before, limit) == after


def test_a_long_call_is_cut_once_in_a_quarter_of_its_limit() -> None:
    items, cuts = conversation("i"), 0
    for _ in range(1000):
        items += conversation("ca")
        places = kept(items, 100)
        cuts += len(places) < len(items)
        items = [items[place] for place in places]
    assert cuts == pytest.approx(2000 / (100 * (1 - KEPT_SHARE)), abs=6)


# --- whatever was said ---


@st.composite
def conversations(draw: st.DrawFn) -> list[Item]:
    """Turns with tools, some of them answered late or never, and things said in between."""
    items: list[Item] = [Item("instructions")] * draw(st.integers(0, 3))
    running: list[str] = []
    for number in range(draw(st.integers(0, 60))):
        event = draw(st.sampled_from(["caller", "agent", "agent", "call", "output", "other", "instructions"]))
        if event == "call":
            running.append(f"call {number}")
            items.append(Item("call", running[-1]))
        elif event == "output" and running:
            items.append(Item("output", running.pop(draw(st.integers(0, len(running) - 1)))))
        elif event != "output":
            items.append(Item(event))  # type: ignore[arg-type]
    return items


def cut(items: Sequence[Item], limit: int) -> list[Item]:
    return [items[place] for place in kept(items, limit)]


LIMITS = st.integers(10, 40)


@given(conversations(), LIMITS)
def test_it_never_holds_more_than_its_limit_and_keeps_the_order(items: list[Item], limit: int) -> None:
    places = kept(items, limit)
    assert len(places) <= limit
    assert places == sorted(set(places))


@given(conversations(), LIMITS)
def test_no_tools_call_is_parted_from_its_output(items: list[Item], limit: int) -> None:
    left = cut(items, limit)
    outputs = {item.call for item in left if item.kind == "output"}
    answered = {item.call for item in items if item.kind == "output"}
    calls = [item.call for item in left if item.kind == "call"]
    assert outputs <= set(calls)
    assert {call for call in calls if call in answered} <= outputs


@given(conversations(), LIMITS)
def test_instructions_stay_and_then_the_caller_speaks_if_he_ever_did(items: list[Item], limit: int) -> None:
    begun = next((place for place, item in enumerate(items) if item.kind not in ("instructions", "other")), len(items))
    instructions = [item for item in items[:begun] if item.kind == "instructions"]
    left = cut(items, limit)
    assert [item for item in left if item.kind != "other"][: len(instructions)] == instructions
    if len(items) > limit and any(item.kind == "caller" for item in items):
        assert left[len(instructions)].kind == "caller"


@given(conversations(), LIMITS)
def test_the_callers_last_words_stay(items: list[Item], limit: int) -> None:
    callers = [place for place, item in enumerate(items) if item.kind == "caller"]
    assert not callers or callers[-1] in kept(items, limit)


@given(conversations(), LIMITS)
def test_a_cut_makes_room_and_is_not_repeated(items: list[Item], limit: int) -> None:
    left = cut(items, limit)
    if len(items) > limit:
        assert len(left) <= int(limit * KEPT_SHARE)
    assert cut(left, limit) == left


@settings(max_examples=30)
@given(conversations(), LIMITS)
def test_growing_item_by_item_it_stays_within_and_ends_with_the_latest(items: list[Item], limit: int) -> None:
    held: list[Item] = []
    for item in items:
        held = cut([*held, item], limit)
        assert len(held) <= limit
        if item.kind in ("caller", "agent"):
            assert held[-1] == item
