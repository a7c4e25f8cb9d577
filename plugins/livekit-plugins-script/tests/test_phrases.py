"""Phrases are read, matched and written as JSGF."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.plugins.script import Script, ScriptError
from livekit.plugins.script.matching import THRESHOLD
from livekit.plugins.script.phrases import Phrase, parse
from livekit.plugins.script.slots import Context
from livekit.plugins.script.words import split

CONTEXT = Context(date(2026, 11, 23))


def test_a_phrase_stands_for_all_its_readings() -> None:
    phrase: Phrase = parse("[please] (book|make) an appointment [for {date}]", ("x",))
    assert sorted(" ".join(words) for words in phrase.expansions()) == [
        "book an appointment",
        "book an appointment for",
        "make an appointment",
        "make an appointment for",
        "please book an appointment",
        "please book an appointment for",
        "please make an appointment",
        "please make an appointment for",
    ]
    assert list(phrase.slots()) == ["date"]
    assert phrase.jsgf(lambda name: f"slot_{name}") == "[please] (book | make) an appointment [for <slot_date>]"


@pytest.mark.parametrize("text", ["(a", "a)", "a | b", "[a)", "", "()", "a {date"])
def test_brackets_that_do_not_match_are_an_error(text: str) -> None:
    with pytest.raises(ScriptError):
        parse(text, ("x",))


@settings(deadline=None)
@given(st.text(alphabet="ab[]()|{} ", max_size=20))
def test_any_phrase_is_read_or_refused(text: str) -> None:
    try:
        phrase = parse(text, ("x",))
    except ScriptError:
        return
    assert phrase.expansions()


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("book a table", "table"),
        ("Hello! I'd like to reserve a table for tomorrow, please.", "table"),
        ("could i get table friday", "table"),
        ("please drop my booking", "drop"),
        ("i have to cancel my table", "drop"),
        ("when do you open", "open"),
        ("what are your opening hours", "open"),
        ("opening ours", None),
        ("what is the capital of france", None),
        ("my dog ate the table cloth on friday", None),
        ("", None),
    ],
)
def test_an_intent_is_recognised_by_its_words_in_any_order_and_nothing_else_is(
    script: Script, text: str, intent: str | None
) -> None:
    best = script.understand(text, CONTEXT).matches[0]
    assert (best.intent.name if best.score >= THRESHOLD else None) == intent


def test_not_this_but_that_takes_that(script: Script) -> None:
    mentions = script.understand("not tuesday but thursday, instead of friday", CONTEXT).values_of("date")
    assert [(mention.value.day, mention.negated) for mention in mentions if isinstance(mention.value, date)] == [
        (24, True),
        (26, False),
        (27, True),
    ]


def test_typing_and_speech_are_the_same_words() -> None:
    assert split("It\u2019s 3:30PM, o.k.?").tokens == ("it's", "3:30", "pm", "okay")
    assert split("half past 2 o'clock").tokens == ("half", "past", "2", "o'clock")


def test_the_grammar_defines_every_rule_it_uses_and_has_a_public_rule_for_every_intent_and_answer(
    script: Script,
) -> None:
    grammar = script.jsgf()
    assert grammar.startswith("#JSGF V1.0;\ngrammar script;\n")
    defined = set(re.findall(r"<([\w]+)> =", grammar))
    assert set(re.findall(r"<([\w]+)>", grammar)) <= defined | {"VOID", "NULL"}
    public = set(re.findall(r"public <([\w]+)>", grammar))
    assert {
        "wish_table",
        "whole_table",
        "wish_open",
        "answer_date",
        "answer_time",
        "answer_name",
        "says_yes",
        "says_no",
    } <= public
    assert "(anna | tom)" in grammar
    assert len(grammar) < 60_000
