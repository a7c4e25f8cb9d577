"""Rows of (rules, call) and what they decide; every mistake with its place; then properties of splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.eagerness import Eagerness
from voiceworker.policy.routing import EAGERNESS, Decision, RouteError, changed_roles, parse_routes

OWN: dict[Any, Any] = {"stt": ["ears"], "llm": ["mind"], "tts": ["voice"]}
TUESDAY_NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ROUTES = [
    {"name": "free", "when": {"plan": "free"}, "llm": ["cheap", "script"]},
    {"name": "german", "when": {"language": "de"}, "stt": ["ohren"], "tts": ["stimme"], "language": "de"},
    {"name": "night", "when": {"hours": "18:00-08:00"}, "llm": "script", "eagerness": "patient"},
]


def choose(
    rules: list[dict[str, Any]], facts: Mapping[str, Any], now: datetime = TUESDAY_NOON, load: float = 0, key: str = "k"
) -> Decision:
    return parse_routes(rules, agent="desk", defaults=OWN).choose(facts, now, load, key)


def matches(condition: dict[str, Any], facts: Mapping[str, Any], now: datetime = TUESDAY_NOON, load: float = 0) -> bool:
    return choose([{"when": condition, "llm": ["x"]}], facts, now, load).models["llm"] == ("x",)


# --- what rules decide together ---


def test_without_a_rule_that_matches_the_agents_own_lists_stand() -> None:
    decision = choose(ROUTES, {"plan": "pro"})
    assert (decision.rule, decision.arm, decision.language, decision.eagerness) == ("default", "", None, None)
    assert decision.models == {"stt": ("ears",), "llm": ("mind",), "tts": ("voice",), "realtime": ()}


def test_a_rule_for_money_and_a_rule_for_the_language_both_serve_a_caller_of_both() -> None:
    decision = choose(ROUTES, {"plan": "free", "language": "de-AT"})
    assert decision.rule == "free + german"
    assert decision.models == {"stt": ("ohren",), "llm": ("cheap", "script"), "tts": ("stimme",), "realtime": ()}
    assert decision.language == "de"


def test_the_first_rule_that_names_a_role_decides_it() -> None:
    decision = choose(ROUTES, {"plan": "free"}, TUESDAY_NOON.replace(hour=23))
    assert (decision.models["llm"], decision.eagerness) == (("cheap", "script"), "patient")
    assert decision.by == {"llm": "free", "eagerness": "night"}


def test_each_rule_is_explained_in_its_order() -> None:
    said = [
        (one.rule, one.matched, one.text) for one in choose(ROUTES, {"plan": "free", "language": "fr"}).explanations
    ]
    assert said == [
        ("free", True, "matches: decides llm"),
        ("german", False, 'language is "fr"; wanted: "de"'),
        ("night", False, "it is 12:00 UTC; wanted: 18:00-08:00"),
    ]


def test_a_rule_that_comes_too_late_says_who_was_first() -> None:
    decision = choose([{"name": "a", "llm": ["x"]}, {"name": "b", "llm": ["y"]}], {})
    assert (decision.rule, decision.explanations[1].text) == ("a", "matches, too late: llm is decided by a")


def test_an_empty_realtime_list_leaves_the_call_to_the_other_three() -> None:
    routes = parse_routes([{"when": {"plan": "free"}, "realtime": []}], defaults={"realtime": ["openai/gpt-realtime"]})
    assert routes.choose({}, TUESDAY_NOON, 0, "").models["realtime"] == ("openai/gpt-realtime",)
    assert routes.choose({"plan": "free"}, TUESDAY_NOON, 0, "").models["realtime"] == ()


def test_an_intent_that_comes_up_in_the_call_changes_only_what_its_rule_names() -> None:
    rules = [{"when": {"intent": ["refund", "complaint"]}, "llm": ["strong"]}]
    before, after = choose(rules, {"plan": "free"}), choose(rules, {"plan": "free", "intent": "refund"})
    assert changed_roles(before, after) == {"llm": ("strong",)}
    assert changed_roles(after, after) == {}


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="timezone"):
        choose([], {}, datetime(2026, 11, 24))


# --- conditions ---


@pytest.mark.parametrize(
    ("condition", "facts", "holds"),
    [
        ({"plan": "free"}, {"plan": "free"}, True),
        ({"plan": "free"}, {"plan": "Free"}, False),
        ({"plan": "free"}, {}, False),
        ({"plan": ["free", "trial"]}, {"plan": "trial"}, True),
        ({"plan": None}, {}, True),
        ({"plan": None}, {"plan": None}, True),
        ({"plan": None}, {"plan": ""}, False),
        ({"plan": [None, "free"]}, {}, True),
        ({"plan": "!= free"}, {"plan": "pro"}, True),
        ({"plan": "!= free"}, {}, True),
        ({"plan": "!= free"}, {"plan": "free"}, False),
        ({"plan": "!= free, != trial"}, {"plan": "trial"}, False),
        ({"plan": "!= null"}, {"plan": "x"}, True),
        ({"plan": "!= null"}, {}, False),
        ({"vip": True}, {"vip": True}, True),
        ({"vip": True}, {"vip": "true"}, True),
        ({"vip": True}, {"vip": 1}, False),
        ({"tier": 1}, {"tier": True}, False),
        ({"tier": 3}, {"tier": 3.0}, True),
        ({"tier": 3}, {"tier": "3"}, True),
        ({"tier": "3"}, {"tier": 3}, True),
        ({"tier": "03"}, {"tier": "3"}, False),
        ({"tier": ">= 3"}, {"tier": 3}, True),
        ({"tier": ">= 3"}, {"tier": "12"}, True),
        ({"tier": ">= 3"}, {"tier": "twelve"}, False),
        ({"tier": ">= 3"}, {}, False),
        ({"tier": "> 3"}, {"tier": True}, False),
        ({"tier": ">= 3, < 10"}, {"tier": 10}, False),
        ({"tier": ["< 1", "> 9"]}, {"tier": 10}, True),
        ({"tier": "< 9007199254740993"}, {"tier": 9007199254740992}, True),
        ({"tier": ">3"}, {"tier": float("nan")}, False),
        ({"caller.tier": "gold"}, {"caller": {"tier": "gold"}}, True),
        ({"caller.tier": "gold"}, {"caller.tier": "gold"}, True),
        ({"caller.tier": "gold"}, {"caller": "gold"}, False),
        ({"caller": "gold"}, {"caller": {"tier": "gold"}}, False),
        ({"tags": "vip"}, {"tags": ["new", "vip"]}, True),
        ({"tags": "!= vip"}, {"tags": ["new", "vip"]}, False),
        ({"tags": None}, {"tags": []}, False),
        ({"language": "de"}, {"language": "de_CH"}, True),
        ({"language": "de-AT"}, {"language": "de"}, False),
        ({"language": "de"}, {"language": "den"}, False),
        ({"caller.language": "de"}, {"caller": {"language": "DE-at"}}, True),
        ({"country": "NO"}, {"country": "no"}, True),
        ({"load": ">= 0"}, {"load": "high"}, True),
        ({}, {}, True),
    ],
)
def test_a_condition_on_metadata(condition: dict[str, Any], facts: dict[str, Any], holds: bool) -> None:
    assert matches(condition, facts) is holds


@pytest.mark.parametrize(
    ("hours", "time", "holds"),
    [
        ("08:00-18:00", "08:00", True),
        ("08:00-18:00", "17:59", True),
        ("08:00-18:00", "18:00", False),
        ("18:00-08:00", "23:59", True),
        ("18:00-08:00", "00:00", True),
        ("18:00-08:00", "07:59", True),
        ("18:00-08:00", "08:00", False),
        ("9:00-24:00", "23:59", True),
        ("00:00-24:00", "00:00", True),
        (["08:00-12:00", "13:00-17:00"], "12:30", False),
        (["08:00-12:00", "13:00-17:00"], "13:00", True),
    ],
)
def test_hours_begin_with_their_first_minute_and_end_before_their_last(hours: Any, time: str, holds: bool) -> None:
    hour, minute = time.split(":")
    assert matches({"hours": hours}, {}, TUESDAY_NOON.replace(hour=int(hour), minute=int(minute))) is holds


def test_the_time_is_the_agents_own_also_where_its_clocks_are_put_back() -> None:
    routes = parse_routes([{"when": {"hours": "18:00-08:00"}, "llm": ["night"]}], timezone=ZoneInfo("America/New_York"))
    evening = datetime(2026, 10, 31, 22, 30, tzinfo=UTC)  # 18:30 in summer time, its last day
    assert routes.choose({}, evening, 0, "").rule != "default"
    assert routes.choose({}, evening + timedelta(days=1), 0, "").rule == "default"  # 17:30 in winter time


@pytest.mark.parametrize(
    ("days", "holds"),
    [
        ("tue", True),
        (["sat", "sun"], False),
        ("mon-fri", True),
        ("Saturday", False),
        ("sun-tue", True),
        ("wed-mon", False),
    ],
)
def test_weekdays_are_those_of_the_moment(days: Any, holds: bool) -> None:
    assert matches({"weekdays": days}, {}) is holds


def test_after_midnight_it_is_the_next_day_in_the_agents_zone() -> None:
    routes = parse_routes([{"when": {"weekdays": "wed"}, "llm": ["x"]}], timezone=timezone(timedelta(hours=13)))
    assert routes.choose({}, TUESDAY_NOON, 0, "").models["llm"] == ("x",)


@pytest.mark.parametrize(
    ("wanted", "load", "holds"), [("> 0.8", 0.8, False), ("> 0.8", 0.81, True), (">= 0.2, < 0.5", 0.3, True)]
)
def test_load(wanted: str, load: float, holds: bool) -> None:
    assert matches({"load": wanted}, {}, load=load) is holds


def test_what_is_said_of_the_metadata_is_short_and_cannot_write_to_a_terminal() -> None:
    hostile = {"plan": "\x1b[2J" + "x" * 500, "tags": [[["deep"]]], "caller": {"tier": 1}}
    rules = [{"when": {"plan": "free", "tags": "x", "caller": "y"}, "llm": ["z"]}]
    (explanation,) = choose(rules, hostile).explanations
    assert "\x1b" not in explanation.text
    assert len(explanation.text) < 300


# --- mistakes ---


@pytest.mark.parametrize(
    ("rules", "place", "said"),
    [
        ({"when": {}}, (), "must be a list of rules"),
        (["llm"], (0,), "must be a rule, as in"),
        (
            [{"llm": ["a"]}, {"whem": {}, "llm": ["a"]}],
            (1, "whem"),
            "did you mean when.*Allowed here: name, when, split",
        ),
        ([{"when": {"plan": "free"}}], (0,), "decides nothing; name at least one of stt, llm"),
        ([{"when": ["free"], "llm": "a"}], (0, "when"), "must be a mapping of conditions"),
        ([{"when": {"plan": []}, "llm": "a"}], (0, "when", "plan"), "empty list never holds"),
        ([{"when": {"plan": {"tier": 1}}, "llm": "a"}], (0, "when", "plan"), "written with dots, as in plan.KEY"),
        ([{"when": {"plan": ["free", ["a"]]}, "llm": "a"}], (0, "when", "plan", 1), "must be a text, a number"),
        ([{"when": {"day": TUESDAY_NOON.date()}, "llm": "a"}], (0, "when", "day"), "put dates in quotes"),
        ([{"when": {"country": False}, "llm": "a"}], (0, "when", "country"), 'in quotes, as in "NO"'),
        ([{"when": {"a.": 1}, "llm": "a"}], (0, "when", "a."), "must be a key of the metadata"),
        ([{"when": {"pl\nan": {}}, "llm": "a"}], (0, "when", "pl\nan"), "must be a key of the metadata"),
        ([{"when": {True: 1}, "llm": "a"}], (0, "when", "True"), "in quotes when YAML reads a number or yes"),
        ([{"when": {"tier": "> three"}, "llm": "a"}], (0, "when", "tier"), 'compares numbers, as in "> 3"'),
        ([{"when": {"tier": "=> 3"}, "llm": "a"}], (0, "when", "tier"), "a comparison by >=, >, <=, < or !="),
        ([{"when": {"tier": ">= 3, 4"}, "llm": "a"}], (0, "when", "tier"), "a comparison by"),
        ([{"when": {"tier": float("nan")}, "llm": "a"}], (0, "when", "tier"), "that can be compared"),
        ([{"when": {"plan": ["!= a", "!= b"]}, "llm": "a"}], (0, "when", "plan", 0), 'write "!= a, != b"'),
        ([{"when": {"hours": "18-8"}, "llm": "a"}], (0, "when", "hours"), "hours of the day in quotes"),
        ([{"when": {"hours": ["08:00-25:00"]}, "llm": "a"}], (0, "when", "hours", 0), "hours of the day"),
        ([{"when": {"hours": 1080}, "llm": "a"}], (0, "when", "hours"), "hours of the day in quotes"),
        ([{"when": {"hours": "08:00-08:00"}, "llm": "a"}], (0, "when", "hours"), 'whole day is "00:00-24:00"'),
        ([{"when": {"hour": ["08:00-09:00"]}, "llm": "a"}], (0, "when", "hour"), "that condition is called hours"),
        ([{"when": {"day": ["Sat"]}, "llm": "a"}], (0, "when", "day"), "that condition is called weekdays"),
        ([{"when": {"weekdays": ["sat", "sunn"]}, "llm": "a"}], (0, "when", "weekdays", 1), "there are: mon, tue"),
        ([{"when": {"weekdays": 6}, "llm": "a"}], (0, "when", "weekdays"), "must be days, as in"),
        ([{"when": {"load": "> 80"}, "llm": "a"}], (0, "when", "load"), "from 0"),
        ([{"when": {"load": 0.8}, "llm": "a"}], (0, "when", "load"), 'as in "> 0.8"'),
        ([{"llm": []}], (0, "llm"), "must name a model"),
        ([{"llm": {"a": 1}}], (0, "llm"), "must be a list of models"),
        ([{"llm": ["a", 3]}], (0, "llm", 1), "must be the name of a model"),
        ([{"llm": ["a", "a"]}], (0, "llm", 1), "stands here twice"),
        ([{"language": "german"}], (0, "language"), "as in de or en-GB"),
        ([{"language": False}], (0, "language"), "in quotes"),
        ([{"eagerness": "hasty"}], (0, "eagerness"), "one of patient, balanced, eager"),
        ([{"eagerness": ["eager"]}], (0, "eagerness"), "one of patient, balanced, eager"),
        ([{"name": "a+b", "llm": "a"}], (0, "name"), "letters, digits, spaces"),
        ([{"name": "default", "llm": "a"}], (0, "name"), "in use where no rule decides"),
        ([{"name": "x", "llm": "a"}, {"name": "x", "tts": "a"}], (1, "name"), "in use by another rule"),
        ([{"llm": "a", "sticky": "user"}], (0, "sticky"), "there is none"),
        ([{"split": {"a": {"llm": "a"}, "b": {}}, "sticky": 3}], (0, "sticky"), "must be a key"),
        ([{"split": {"a": {"llm": "a"}}}], (0, "split"), "two arms or more"),
        ([{"split": ["a", "b"]}], (0, "split"), "two arms or more"),
        ([{"split": {"a": {"llm": "a"}, "b": 3}}], (0, "split", "b"), "must be an arm"),
        ([{"split": {"a": {"llm": "a"}, "b": {"when": {}}}}], (0, "split", "b", "when"), "no such key"),
        ([{"split": {"a": {"llm": "a", "weight": -1}, "b": {}}}], (0, "split", "a", "weight"), "from 0.001"),
        ([{"split": {"a": {"llm": "a", "weight": True}, "b": {}}}], (0, "split", "a", "weight"), "from 0.001"),
        ([{"split": {"a": {"llm": "a", "weight": 0}, "b": {"weight": 0}}}], (0, "split"), "a weight above 0"),
        ([{"split": {True: {"llm": "a"}, "b": {}}}], (0, "split", "True"), "an arm's name"),
        ([{"split": {"a": {}, "b": {}}}], (0,), "decides nothing"),
    ],
)
def test_a_mistake_is_told_at_its_place_with_what_is_allowed(rules: Any, place: tuple[Any, ...], said: str) -> None:
    with pytest.raises(RouteError, match=said) as caught:
        parse_routes(rules)
    assert caught.value.place == place


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
_KEYS = st.sampled_from(["name", "when", "split", "sticky", "llm", "stt", "realtime", "language", "eagerness", "plan"])


@given(_JSON | st.lists(st.dictionaries(_KEYS, _JSON, max_size=4), max_size=3), st.dictionaries(st.text(), _JSON))
def test_whatever_stands_there_is_either_rules_that_decide_or_a_mistake_with_a_place(raw: Any, facts: Any) -> None:
    try:
        routes = parse_routes(raw, defaults=OWN)
    except RouteError:
        return
    decision = routes.choose(facts, TUESDAY_NOON, 0.5, "k")
    assert len(decision.explanations) == len(routes.rules)


def test_the_words_of_eagerness_are_those_of_its_policy() -> None:
    assert get_args(Eagerness) == EAGERNESS


# --- names ---


def test_a_rule_without_a_name_is_called_by_its_conditions_wherever_it_stands() -> None:
    rules: list[dict[str, Any]] = [{"when": {"plan": "free", "tier": [1, 2]}, "llm": "a"}, {"tts": "b"}, {"stt": "c"}]
    assert [rule.name for rule in parse_routes(rules).rules] == ["plan=free tier=[1, 2]", "everyone", "everyone #2"]


# --- splits ---

TRIAL: dict[str, Any] = {
    "name": "trial",
    "split": {"cheap": {"weight": 1, "llm": ["a"]}, "good": {"weight": 3, "llm": ["b"]}},
}


def arm_of(rules: list[dict[str, Any]], key: str, agent: str = "desk") -> str:
    return parse_routes(rules, agent=agent).choose({}, TUESDAY_NOON, 0, key).arm.rpartition(":")[2]


def test_the_arm_is_in_the_decision_and_its_lists_are_in_force() -> None:
    decision = choose([TRIAL], {}, key="caller 1")
    assert (decision.rule, decision.arm) in {("trial", "trial:cheap"), ("trial", "trial:good")}
    assert decision.models["llm"] == (("a",) if decision.arm == "trial:cheap" else ("b",))


def test_an_arm_that_decides_nothing_is_recorded_as_well_and_leaves_the_rest_to_later_rules() -> None:
    control = {"name": "trial", "split": {"usual": {"weight": 1}, "new": {"weight": 0, "llm": ["b"]}}}
    decision = choose([control, {"name": "free", "when": {"plan": "free"}, "llm": ["c"]}], {"plan": "free"})
    assert (decision.rule, decision.arm, decision.models["llm"]) == ("trial + free", "trial:usual", ("c",))


def test_a_split_that_can_change_nothing_any_more_is_no_trial() -> None:
    decision = choose([{"name": "first", "llm": ["x"]}, TRIAL], {})
    assert (decision.rule, decision.arm) == ("first", "")


def test_what_a_rule_decides_for_all_arms_an_arm_may_decide_otherwise() -> None:
    rule = {"tts": "voice", "llm": "a", "split": {"one": {"weight": 0}, "two": {"llm": "b"}}}
    models = choose([rule], {}).models
    assert (models["tts"], models["llm"]) == (("voice",), ("b",))


def test_a_split_is_sticky_by_the_key_of_the_metadata_that_it_names() -> None:
    rules = [TRIAL | {"sticky": "account.id"}]
    arms = {choose(rules, {"account": {"id": 42}}, key=f"session {n}").arm for n in range(100)}
    assert len(arms) == 1
    assert len({choose(rules, {"account": {"id": n}}, key="one session").arm for n in range(100)}) == 2
    assert len({choose(rules, {}, key=f"session {n}").arm for n in range(100)}) == 2


@pytest.mark.parametrize("weights", [(1, 3), (1, 1), (0.25, 0.75), (1, 2, 7), (0, 1, 1)])
def test_callers_are_split_within_one_percent_of_the_weights(weights: tuple[float, ...]) -> None:
    names = "abc"[: len(weights)]
    split = {name: {"weight": weight, "llm": [name]} for name, weight in zip(names, weights, strict=True)}
    (rule,) = parse_routes([{"name": "trial", "split": split}]).rules
    draws = 20_000
    arms = Counter(arm.name for n in range(draws) if (arm := rule.arm_of("desk", f"caller-{n}")))
    for name, weight in zip(names, weights, strict=True):
        assert arms[name] / draws == pytest.approx(weight / sum(weights), abs=0.01)


def test_one_split_says_nothing_about_the_arms_of_another() -> None:
    even = {"split": {"x": {"llm": ["a"]}, "y": {"llm": ["b"]}}}
    pairs = Counter(
        (arm_of([even | {"name": "one"}], str(n)), arm_of([even | {"name": "two"}], str(n))) for n in range(2000)
    )
    assert all(count == pytest.approx(500, abs=80) for count in pairs.values())
    assert len(pairs) == 4


@given(st.text(max_size=30), st.permutations(["a", "b", "c"]), st.integers(0, 5))
def test_a_caller_stays_in_his_arm_whatever_is_moved_about(key: str, order: list[str], others: int) -> None:
    weights = {"a": 1, "b": 2, "c": 3}

    def trial(names: list[str]) -> dict[str, Any]:
        return {"name": "trial", "split": {name: {"weight": weights[name], "llm": [name]} for name in names}}

    moved = [{"name": f"rule {n}", "tts": ["x"]} for n in range(others)] + [trial(order)]
    assert arm_of(moved, key) == arm_of([trial(["a", "b", "c"])], key)


@given(st.text(max_size=30), st.floats(0.01, 10), st.floats(0, 10))
def test_more_weight_takes_callers_into_that_arm_and_moves_nobody_else(key: str, weight: float, more: float) -> None:
    def arms(a: float) -> list[dict[str, Any]]:
        return [{"name": "t", "split": {"a": {"weight": a, "llm": "x"}, "b": {"llm": "y"}, "c": {"llm": "z"}}}]

    before, after = arm_of(arms(weight), key), arm_of(arms(weight + more), key)
    assert after in (before, "a")


def test_the_arms_of_known_callers_are_the_same_in_every_version() -> None:
    """A change of the hash would move callers of running trials: these were drawn by the first version."""
    assert "".join(arm_of([TRIAL], f"caller-{n}")[0] for n in range(16)) == "gggcggggcgggcgcg"


# --- for checks at load ---


def test_every_rule_and_arm_can_be_asked_for_its_models_and_where_they_stand() -> None:
    rules = [
        {"llm": ["a"], "tts": ["v"], "split": {"one": {"llm": ["b"]}, "two": {}}},
        {"language": "de", "stt": ["s"]},
    ]
    found = [(dict(outcome.terms), dict(outcome.places)) for outcome in parse_routes(rules).outcomes()]
    assert found == [
        ({"llm": ("b",), "tts": ("v",)}, {"llm": (0, "split", "one", "llm"), "tts": (0, "tts")}),
        ({"llm": ("a",), "tts": ("v",)}, {"llm": (0, "llm"), "tts": (0, "tts")}),
        ({"language": ("de",), "stt": ("s",)}, {"language": (1, "language"), "stt": (1, "stt")}),
    ]


def test_the_intents_that_could_change_a_role_are_known() -> None:
    rules = [
        {"when": {"intent": ["refund", "complaint"]}, "llm": ["a"]},
        {"when": {"intent": "!= refund", "plan": "pro"}, "split": {"x": {"llm": ["b"]}, "y": {}}},
        {"when": {"intent": "booking"}, "tts": ["c"]},
        {"when": {"intent": None}, "llm": ["d"]},
    ]
    routes = parse_routes(rules)
    assert routes.asked("intent", "llm") == ("refund", "complaint")
    assert routes.asked("intent", "tts") == ("booking",)
    assert routes.asked("plan", "llm") == ("pro",)
