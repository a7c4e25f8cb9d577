"""Every mistake in a script is named by its key, with what is allowed."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.plugins.script import ScriptError
from livekit.plugins.script.schema import read_definition

Mistake = tuple[tuple[str | int, ...], Any, tuple[str | int, ...], str]

MISTAKES: list[Mistake] = [
    (("help",), None, ("script", "help"), "a text is needed"),
    (("intnets",), {}, ("script", "intnets"), "did you mean 'intents'?"),
    (("intents",), {}, ("script",), "at least one"),
    (("date_order",), "YMD", ("script", "date_order"), "DMY, MDY"),
    (("slots", "date", "type"), "dat", ("script", "slots", "date", "type"), "did you mean 'date'?"),
    (("slots", "date", "asks"), "x", ("script", "slots", "date", "asks"), "did you mean 'ask'?"),
    (("slots", "room", "options"), None, ("script", "slots", "room"), "a choice needs options"),
    (("slots", "room", "options"), ["garden"], ("script", "slots", "room", "options"), "must be a mapping"),
    (("slots", "time", "between"), ["25:00", "26:00"], ("script", "slots", "time", "between"), "time of day"),
    (("slots", "phone", "optional"), "yes please", ("script", "slots", "phone", "optional"), "true or false"),
    (("slots", "guests", "min"), "one", ("script", "slots", "guests", "min"), "whole number"),
    (("intents", "table"), "book", ("script", "intents", "table"), "must be a mapping"),
    (
        ("intents", "open", "slots"),
        {"date": {"ask": []}},
        ("script", "intents", "open", "slots", "date"),
        "`ask` is needed",
    ),
    (("intents", "table", "slots"), {"dat": {"ask": "x"}}, ("script", "intents", "table", "slots", "dat"), "type"),
    (("intents", "table", "phrases"), None, ("script", "intents", "table"), "phrases"),
    (("intents", "table", "phrases"), ["a (table"], ("script", "intents", "table", "phrases", 0), "without its ')'"),
    (
        ("intents", "table", "phrases"),
        ["ok", "a table]"],
        ("script", "intents", "table", "phrases", 1),
        "without its beginning",
    ),
    (
        ("intents", "table", "phrases"),
        ["for {guest}"],
        ("script", "intents", "table", "phrases", 0),
        "did you mean 'guests'?",
    ),
    (("intents", "table", "phrases"), [{"a": 1}], ("script", "intents", "table", "phrases", 0), "need quotes"),
    (("intents", "table", "confirm"), "On {day}?", ("script", "intents", "table", "confirm"), "{day}"),
    (("intents", "table", "confirm"), "On {date|day}?", ("script", "intents", "table", "confirm"), "unknown filter"),
    (
        ("intents", "table", "call", "tool"),
        "reserv",
        ("script", "intents", "table", "call", "tool"),
        "did you mean 'reserve'?",
    ),
    (
        ("intents", "table", "call", "arguments"),
        {"a": "{b}"},
        ("script", "intents", "table", "call", "arguments", "a"),
        "{b}",
    ),
    (("intents", "table", "call"), None, ("script", "intents", "table"), "needs `say`"),
    (("intents", "table", "forget"), ["tim"], ("script", "intents", "table", "forget", 0), "did you mean 'time'?"),
    (("intents", "table", "then"), "tabel", ("script", "intents", "table", "then"), "did you mean 'table'?"),
    (("intents", "open", "confirm"), "Sure?", ("script", "intents", "open", "confirm"), "nothing to confirm"),
    (("intents", "drop", "lookups"), {}, ("script", "intents", "drop", "lookups"), "must be a list"),
    (
        ("intents", "drop", "lookups", 0, "needs"),
        ["nam"],
        ("script", "intents", "drop", "lookups", 0, "needs", 0),
        "'name'",
    ),
    (
        ("intents", "drop", "lookups", 0, "into"),
        "",
        ("script", "intents", "drop", "lookups", 0, "into"),
        "text is needed",
    ),
    (("wording",), {"unclea": "x"}, ("script", "wording", "unclea"), "did you mean 'unclear'?"),
    (("wording",), {"unclear": "{foo}"}, ("script", "wording", "unclear"), "{foo}"),
    (("goodbye",), {"says": "x"}, ("script", "goodbye", "says"), "did you mean 'say'?"),
]


def spoil(mapping: dict[str, Any], keys: tuple[str | int, ...], value: Any) -> None:
    node: Any = mapping
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = value


@pytest.mark.parametrize(("keys", "value", "path", "message"), MISTAKES)
def test_a_mistake_is_named_with_its_place_and_the_remedy(
    mapping: dict[str, Any], keys: tuple[str | int, ...], value: Any, path: tuple[str | int, ...], message: str
) -> None:
    spoil(mapping, keys, value)
    with pytest.raises(ScriptError) as caught:
        read_definition(mapping, ("reserve", "find", "drop"))
    assert caught.value.path == path
    assert message in caught.value.message


def test_without_a_list_of_tools_any_tool_may_be_called(mapping: dict[str, Any]) -> None:
    mapping["intents"]["table"]["call"]["tool"] = "anything"
    assert read_definition(mapping).intent("table")


@pytest.mark.parametrize("value", [None, 3, "text", [], {"help": "x", "intents": []}, {1: 2}])
def test_what_is_no_script_at_all_is_refused(value: Any) -> None:
    with pytest.raises(ScriptError):
        read_definition(value)


def test_an_intents_slot_takes_over_what_it_does_not_say_itself(mapping: dict[str, Any]) -> None:
    mapping["intents"]["table"] = {"phrases": ["table"], "say": "Yes.", "slots": {"date": {"ask": "When?"}}}
    intent = read_definition(mapping).intent("table")
    assert intent is not None
    slot = intent.slot("date")
    assert slot is not None
    assert (slot.kind, slot.ask) == ("date", ("When?",))
