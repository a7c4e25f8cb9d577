"""A name that is heard wrong is spelled."""

from __future__ import annotations

import pytest
from livekit.agents import llm
from livekit.plugins.script import Script
from livekit.plugins.script.spelling import find_spelling, nearest_name, spelled
from livekit.plugins.script.words import split


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("b e double l", "bell"),
        ("it's M-O-R-G-A-N", "morgan"),
        ("a d a m s", "adams"),
        ("that's are e see k s oh n", "reckson"),
        ("R. E. E. D.", "reed"),
    ],
)
def test_letters_are_read(text: str, letters: str) -> None:
    found = find_spelling(split(text), ())
    assert found is not None
    assert found[0] == letters


@pytest.mark.parametrize("text", ["i am a person", "see you are there", "a b", "yes", ""])
def test_other_words_are_no_spelling(text: str) -> None:
    assert find_spelling(split(text), ()) is None


def test_letters_that_sound_alike_are_forgiven_if_a_name_is_near() -> None:
    names = {"morgan", "martin", "bell"}
    assert nearest_name("norgam", names, {"martin"}) == "morgan"
    assert nearest_name("zxyq", names, ()) == "zxyq"
    assert spelled("o'hara") == "o h a r a"


def say(script: Script, context: llm.ChatContext, text: str) -> str:
    context.add_message(role="user", content=text)
    plan = script.next_step(context.items, ("reserve",))
    if plan.text:
        context.add_message(role="assistant", content=plan.text)
    return plan.text


@pytest.mark.parametrize("refusal", [("no my name is anna bell",), ("no the name is wrong", "anna bell")])
def test_a_name_that_is_refused_and_heard_again_is_asked_for_by_its_letters(
    script: Script, refusal: tuple[str, ...]
) -> None:
    context = llm.ChatContext.empty()
    assert "Anna Bell" in say(script, context, "book a table for four on friday at seven thirty, my name is anna bell")
    answer = ""
    for text in refusal:
        answer = say(script, context, text)
    assert "spell the last name" in answer
    assert "for Anna Hall" in say(script, context, "h a double l") or "Anna Hall" in context.items[-1].model_dump_json()


def test_a_name_made_of_the_letters_that_is_refused_as_well_is_not_offered_again(script: Script) -> None:
    context = llm.ChatContext.empty()
    said = "book a table for four on friday at seven thirty, my name is anna barker"
    assert "Anna Barker" in say(script, context, said)
    assert "spell the last name" in say(script, context, "no my name is anna barker")
    assert "Anna Baker" in say(script, context, "b a r k e r")
    assert "spell the last name" in say(script, context, "no my name is anna barker")
    assert "Anna Parker" in say(script, context, "b a r k r")
