"""Conversations with the front desk, as a caller would hold them."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.agents import llm
from livekit.plugins.script import Script

from voiceworker.lab.persona import Scenario, normalise, read_scenarios

if TYPE_CHECKING:
    from .conftest import FrontDesk

SCENARIOS = read_scenarios(Path(__file__).parent.parent / "scenarios" / "bookings.yaml")
SMALL_WORDS = ("a", "the", "to", "at", "please", "for", "on", "i", "it", "an", "of", "and")
MISHEARD = {
    "for": "four",
    "to": "two",
    "one": "won",
    "four": "for",
    "an": "and",
    "then": "than",
    "a": "the",
    "is": "his",
}


def noisy(text: str, chance: random.Random) -> str:
    """What a recogniser makes of a sentence: small words lost, or taken for their likes; never a word that matters."""
    words: list[str] = []
    for word in normalise(text).split():
        roll = chance.random()
        if word in SMALL_WORDS and roll < 0.25:
            continue
        words.append(MISHEARD[word] if word in MISHEARD and roll > 0.75 else word)
    return " ".join(words)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
async def test_twelve_callers_get_what_they_want(front_desk: FrontDesk, scenario: Scenario) -> None:
    transcript = await front_desk.play(scenario)
    assert front_desk.rows() == [dict(row) for row in scenario.rows], "\n".join(transcript)
    assert "goodbye" in transcript[-1].lower()


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 6))])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
async def test_they_get_it_though_small_words_are_misheard(
    front_desk: FrontDesk, scenario: Scenario, seed: int
) -> None:
    chance = random.Random(seed)
    transcript = await front_desk.play(scenario, lambda text: noisy(text, chance))
    assert front_desk.rows() == [dict(row) for row in scenario.rows], "\n".join(transcript)


async def test_goodbye_hangs_up_and_a_no_to_anything_else_is_a_goodbye(front_desk: FrontDesk) -> None:
    async with front_desk.call() as call:
        await call.say("where can i park")
        assert not call.hung_up
        await call.say("thank you")
        assert "Goodbye" in await call.say("no")
        assert call.hung_up


async def test_eight_turns_with_a_receptionist(front_desk: FrontDesk) -> None:
    async with front_desk.call() as call:
        said = await call.say_all(
            "hi are you a real person",
            "okay how much is a haircut",
            "good do you have anything on friday morning",
            "half past ten sounds good",
            "a haircut",
            "emma reed",
            "no wait make that eleven o'clock",
            "yes please",
        )
        assert "not a person" in said[0]
        assert "thirty two pounds" in said[1]
        assert "Friday the twenty seventh of November" in said[2]
        assert "What would you like to have done?" in said[3]
        assert "name" in said[4]
        assert "half past ten" in said[5]
        assert "Emma Reed" in said[5]
        assert "eleven o'clock" in said[6]
        assert "booked" in said[7]
    assert front_desk.rows() == [
        {"name": "Emma Reed", "service": "haircut", "starts_at": "2026-11-27T11:00:00+00:00", "status": "booked"}
    ]


async def test_two_things_in_one_call_share_the_name(front_desk: FrontDesk) -> None:
    async with front_desk.call() as call:
        await call.say_all("a haircut for anna bell tomorrow at ten", "yes")
        assert "Anna Bell" in await call.say("i also need a beard trim on the same day at eleven")
        await call.say("yes")
        said = await call.say("could you move the beard trim to thursday at the same time")
        assert "Thursday the twenty sixth of November at eleven o'clock" in said
        await call.say("yes that's fine")
        assert "cancel" in await call.say("and please cancel my haircut")
        await call.say("cancel it")
    assert [(row["service"], row["starts_at"][:16], row["status"]) for row in front_desk.rows()] == [
        ("haircut", "2026-11-24T10:00", "cancelled"),
        ("beard trim", "2026-11-26T11:00", "booked"),
    ]


async def test_cancel_it_at_the_read_back_of_a_booking_books_nothing(front_desk: FrontDesk) -> None:
    async with front_desk.call() as call:
        await call.say("a haircut for anna bell tomorrow at ten")
        await call.say("cancel it")
        await call.say("yes")
    assert front_desk.rows() == []


async def test_what_is_not_understood_is_answered_in_other_words_each_time_and_books_nothing(
    front_desk: FrontDesk,
) -> None:
    async with front_desk.call() as call:
        said = await call.say_all("mumble", "mumble mumble", "bananas are yellow", "yes", "the moon is far away")
        assert len(set(said)) == len(said)
        await call.say("book me a haircut tomorrow at ten for anna bell")
        said = await call.say_all("bananas", "green bananas", "bananas are yellow", "more bananas")
        assert len(set(said)) == len(said)
        assert all("haircut" in answer for answer in said)
    assert front_desk.rows() == []


async def test_several_appointments_are_told_apart(front_desk: FrontDesk) -> None:
    front_desk.write(
        [
            {"name": "Anna Bell", "service": "haircut", "starts_at": "2026-11-25T10:00:00+00:00", "status": "booked"},
            {"name": "Anna Bell", "service": "colour", "starts_at": "2026-11-27T10:00:00+00:00", "status": "booked"},
        ]
    )
    async with front_desk.call() as call:
        await call.say("i'd like to cancel an appointment")
        said = await call.say("anna bell")
        assert "the haircut on Wednesday the twenty fifth" in said
        assert "your colour on Friday" in await call.say("the one on friday")
        await call.say("yes")
    assert [row["status"] for row in front_desk.rows()] == ["booked", "cancelled"]


async def test_a_caller_in_the_middle_of_a_booking_may_ask_what_is_free(front_desk: FrontDesk) -> None:
    async with front_desk.call() as call:
        await call.say_all("i want to book a blow dry", "on thursday")
        said = await call.say("what times do you have free in the afternoon")
        assert "Which would you like?" in said
        await call.say_all("the last one", "tom hall")
        assert "booked" in await call.say("yes") or front_desk.rows()
    assert front_desk.rows()[0]["starts_at"] == "2026-11-26T16:45:00+00:00"


async def test_a_new_time_alone_means_the_same_day(front_desk: FrontDesk) -> None:
    async with front_desk.call() as call:
        await call.say_all("a haircut for anna bell tomorrow at half past three", "yes")
        said = await call.say("Actually, could you change that to 4pm?")
        assert said.endswith(
            "move your haircut to Tuesday the twenty fourth of November at four o'clock. Is that right?"
        )
        await call.say("yes")
    assert front_desk.rows()[0]["starts_at"] == "2026-11-24T16:00:00+00:00"


async def test_a_closed_day_is_told_at_once_with_the_nearest_open_ones(front_desk: FrontDesk) -> None:
    async with front_desk.call() as call:
        said = await call.say("can i get a haircut on sunday")
        assert "closed on Sundays" in said
        assert "Saturday the twenty eighth" in said
        assert "Monday the thirtieth of November at nine o'clock" in said
        assert "name" in await call.say("monday at nine then")


async def test_typing_is_understood_like_speech(front_desk: FrontDesk) -> None:
    async with front_desk.call() as call:
        await call.say_all("Hi! I'd like a hiarcut on 04/12 @ 3:30pm, please.", "John O'Neil", "Yes!")
    assert front_desk.rows() == [
        {"name": "John O'Neil", "service": "haircut", "starts_at": "2026-12-04T15:30:00+00:00", "status": "booked"}
    ]


async def test_what_it_cannot_do_it_says(front_desk: FrontDesk) -> None:
    async with front_desk.call() as call:
        assert "can't take payments" in await call.say("can i pay over the phone")
        assert "can't put you through" in await call.say("let me speak to the manager")
        assert "can" in await call.say("what's the weather like in paris")


WORDS = [
    *("yes", "no", "okay", "right", "not", "haircut", "beard", "trim", "tomorrow", "friday", "three", "half", "past"),
    *("anna", "bell", "book", "cancel", "move", "it", "that", "appointment", "please", "what", "free", "the", "for"),
]
ANSWERS = {
    "free_times": '{"day": "2026-11-24", "free_times": ["2026-11-24T10:00", "2026-11-24T15:00", "2026-11-27T15:00"]}',
    "find_appointment": '{"appointments": [{"id": 1, "service": "haircut", "starts_at": "2026-12-01T10:00:00+00:00"}]}',
}
ACTS = {"book_appointment", "move_appointment", "cancel_appointment"}


@settings(max_examples=15, deadline=None)
@given(lines=st.lists(st.lists(st.sampled_from(WORDS), max_size=7).map(" ".join), max_size=8))
def test_whatever_is_said_nothing_is_done_without_a_yes_to_a_read_back(
    front_desk_script: Script, lines: list[str]
) -> None:
    context = llm.ChatContext.empty()
    last = ""
    for line in ["i want to book a haircut tomorrow at ten for anna bell", *lines]:
        context.add_message(role="user", content=line)
        plan = front_desk_script.next_step(context.items, [*ANSWERS, *ACTS, "end_call"])
        said = [plan.text]
        while plan.call is not None and plan.call.tool in ANSWERS:
            context.items.append(llm.FunctionCall(call_id=str(len(said)), name=plan.call.tool, arguments="{}"))
            output = ANSWERS[plan.call.tool]
            context.items.append(
                llm.FunctionCallOutput(call_id=str(len(said)), name=plan.call.tool, output=output, is_error=False)
            )
            plan = front_desk_script.next_step(context.items, [*ANSWERS, *ACTS, "end_call"])
            said.append(plan.text)
        if plan.call is not None and plan.call.tool in ACTS:
            assert re.search(r"Shall I|Is that right|So I|That's your", last), (last, line)
            assert set(line.split()) & {"yes", "okay", "right", "book", "move", "cancel", "it", "that"}, line
            assert not {"no", "not"} & set(line.split()), line
        if spoken := " ".join(text for text in said if text):
            context.add_message(role="assistant", content=spoken)
            last = spoken
