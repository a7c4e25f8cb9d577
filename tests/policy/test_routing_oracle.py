"""Ten thousand random calls are routed as a second implementation says, which shares nothing with the first.

The second one reads the plain data of the rules itself, asks for each subject by itself which rule decides it, counts
the minutes of a day one by one, and draws arms by the largest u ** (1 / weight).
"""

from __future__ import annotations

import functools
import hashlib
import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from voiceworker.policy.routing import parse_routes

SETS, CALLS_OF_A_SET = 250, 40
ZONES = ("UTC", "Europe/London", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")
SUBJECTS = ("stt", "llm", "tts", "realtime", "language", "eagerness")
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


# --- the second implementation ---


def oracle(rules: list[Any], own: dict[str, Any], zone: str, agent: str, call: dict[str, Any]) -> dict[str, Any]:
    """`call`: facts, now, load, key. Who decides each subject, and what; which arms count."""
    live = [(index, rule) for index, rule in enumerate(rules) if all_hold(rule.get("when") or {}, call, zone)]
    arms = {index: drawn_arm(rule, agent, call) for index, rule in live if "split" in rule}
    result: dict[str, Any] = {"by": {}}
    for subject in SUBJECTS:
        result[subject] = listed(own.get(subject)) if subject in ("stt", "llm", "tts", "realtime") else None
        for index, rule in live:
            arm = rule["split"][arms[index]] or {} if index in arms else {}
            if subject in arm or subject in rule:
                value = arm.get(subject, rule.get(subject))
                result[subject] = value if subject in ("language", "eagerness") else listed(value)
                result["by"][subject] = index
                break
    result["arms"] = {}
    for index, rule in live:
        could = set(rule) | {key for arm in rule.get("split", {}).values() for key in arm or {}}
        earlier = {subject for subject, by in result["by"].items() if by < index}
        if index in arms and could & set(SUBJECTS) - earlier:
            result["arms"][index] = arms[index]
    return result


def listed(value: Any) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


def all_hold(when: dict[str, Any], call: dict[str, Any], zone: str) -> bool:
    return not [key for key, wanted in when.items() if not holds(key, wanted, call, zone)]


def holds(key: str, wanted: Any, call: dict[str, Any], zone: str) -> bool:
    if isinstance(wanted, list):
        return any(holds(key, one, call, zone) for one in wanted)
    there = call["now"].astimezone(ZoneInfo(zone))
    if key == "hours":
        return there.strftime("%H:%M") in minutes(wanted)
    if key == "weekdays":
        first, _, last = wanted.partition("-")
        day = DAYS.index(first)
        span = {DAYS[day]}
        while last and DAYS[day % 7] != last:
            day += 1
            span.add(DAYS[day % 7])
        return there.strftime("%a").lower() in span
    if key == "load":
        return compares(wanted, call["load"])
    value = dug(call["facts"], key)
    if isinstance(wanted, str) and wanted[:1] in "<>!" and wanted:
        parts = [part.strip() for part in wanted.split(",")]
        return all(
            not same(key, yaml_word(part[2:].strip()), value) if part.startswith("!=") else compares(part, value)
            for part in parts
        )
    return same(key, wanted, value)


@functools.cache
def minutes(span: str) -> set[str]:
    start, end = (datetime.strptime(text.replace("24:00", "00:00"), "%H:%M") for text in span.split("-"))
    found = {start.strftime("%H:%M")}
    while (start := start + timedelta(minutes=1)).strftime("%H:%M") != end.strftime("%H:%M"):
        found.add(start.strftime("%H:%M"))
    return found


def dug(facts: dict[str, Any], key: str) -> Any:
    if key in facts:
        return facts[key]
    head, _, rest = key.partition(".")
    inner = facts.get(head)
    return dug_exactly(inner, rest) if rest and isinstance(inner, dict) else None


def dug_exactly(facts: dict[str, Any], key: str) -> Any:
    head, _, rest = key.partition(".")
    inner = facts.get(head)
    if not rest:
        return inner
    return dug_exactly(inner, rest) if isinstance(inner, dict) else None


def yaml_word(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def amount(value: Any) -> Decimal | None:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return Decimal(str(value))
        except InvalidOperation:
            return None
    return None


def compares(text: str, value: Any) -> bool:
    """Every part of `>= 3, < 10`, for one of the values when they are several."""
    verdicts = []
    for part in text.split(","):
        sign = part.strip().rstrip("0123456789. ")
        limit = Decimal(part.strip().removeprefix(sign).strip())
        numbers = [
            number for one in (value if isinstance(value, list) else [value]) if (number := amount(one)) is not None
        ]
        verdicts.append(
            any({">": n > limit, "<": n < limit, ">=": n >= limit, "<=": n <= limit}[sign] for n in numbers)
        )
    return all(verdicts)


def same(key: str, wanted: Any, value: Any) -> bool:
    if isinstance(value, list):
        return wanted is not None and any(same(key, wanted, one) for one in value if not isinstance(one, list))
    if wanted is None or value is None:
        return (wanted, value) == (None, None)
    texts = [one if isinstance(one, str) else json.dumps(one) for one in (wanted, value)]
    if isinstance(wanted, str) and isinstance(value, str):
        if key.endswith("country"):
            return texts[0].lower() == texts[1].lower()
        if key.endswith("language"):
            ranges = [text.lower().replace("_", "-").split("-") for text in texts]
            return ranges[1][: len(ranges[0])] == ranges[0]
        return texts[0] == texts[1]
    if "true" in texts or "false" in texts:
        return texts[0] == texts[1]
    numbers = [amount(one) for one in (wanted, value)]
    return None not in numbers and numbers[0] == numbers[1]


def drawn_arm(rule: dict[str, Any], agent: str, call: dict[str, Any]) -> str:
    key = call["key"]
    value = dug(call["facts"], rule.get("sticky", ""))
    if isinstance(value, str | int | float):
        key = value if isinstance(value, str) else json.dumps(value)
    scores: dict[str, float] = {}
    for arm, what in rule["split"].items():
        weight = (what or {}).get("weight", 1)
        digest = hashlib.sha256(json.dumps([agent, rule["name"], key, arm]).encode()).hexdigest()
        drawn = (int(digest[:13], 16) + 0.5) / 16**13
        scores[arm] = drawn ** (1 / weight) if weight else -1
    return max(scores, key=lambda arm: scores[arm])


# --- random rules and calls ---


def random_value(key: str, dice: random.Random) -> Any:
    """What the metadata may say under the key; often what a rule asks for."""
    match key:
        case "language" | "caller.language":
            return dice.choice(["de", "de-AT", "DE_ch", "en", "en-GB", "den", "fr", ""])
        case "country":
            return dice.choice(["DE", "de", "AT", "NO", "no", "GB"])
        case "tier" | "order.total":
            return dice.choice([0, 1, 2, 3, 3.5, 10, "1", "3", "3.5", "ten", True, [1, 3], [], "-2"])
        case "vip":
            return dice.choice([True, False, "true", "false", 1, 0, "yes"])
        case "tags":
            return dice.choice([["new"], ["vip", "new"], [], "vip", [None, True, 3], [["vip"]]])
        case _:
            return dice.choice(["free", "pro", "trial", "Free", "", None, 3, {"of": "free"}])


FACTS = (
    "plan",
    "language",
    "country",
    "intent",
    "tier",
    "vip",
    "tags",
    "order.total",
    "caller.language",
    "caller.plan",
)


def random_facts(dice: random.Random) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for key in dice.sample(FACTS, dice.randint(0, len(FACTS))):
        value = None if dice.random() < 0.1 else random_value(key, dice)
        head, _, rest = key.partition(".")
        if rest and dice.random() < 0.8:
            facts.setdefault(head, {})[rest] = value
        else:
            facts[key] = value
    return facts


def random_wanted(key: str, dice: random.Random) -> Any:
    numbers = [">= 3", "> 0", "< 2", ">= 1, < 3.5", "<= 3", "!= 3", "!= 3, != 1"]
    scalars = [value for _ in range(6) if not isinstance(value := random_value(key, dice), list | dict)]
    if key in ("tier", "order.total") and dice.random() < 0.6:
        return dice.choice(numbers)
    if dice.random() < 0.2:
        return f"!= {dice.choice(['free', 'de', 'null', 'true', 'no'])}"
    if scalars and dice.random() < 0.5:
        return scalars
    return scalars[0] if scalars else "vip"


def random_when(dice: random.Random) -> dict[str, Any]:
    when = {key: random_wanted(key, dice) for key in dice.sample(FACTS, dice.choice([0, 1, 1, 1, 2]))}
    if dice.random() < 0.2:
        spans = ["18:00-08:00", "08:00-18:00", "12:30-13:00", "20:00-24:00", "00:00-24:00", "23:59-00:01"]
        when["hours"] = dice.choice([dice.choice(spans), dice.sample(spans, 2)])
    if dice.random() < 0.2:
        when["weekdays"] = dice.choice(["mon", ["sat", "sun"], "mon-fri", "fri-mon", ["tue-wed", "sun"]])
    if dice.random() < 0.2:
        when["load"] = dice.choice(["> 0.8", ">= 0.5", "< 0.3", ">= 0.2, < 0.6"])
    return when


def random_terms(dice: random.Random, least: int) -> dict[str, Any]:
    terms: dict[str, Any] = {}
    for subject in dice.sample(SUBJECTS, dice.randint(least, 3)):
        if subject == "language":
            terms[subject] = dice.choice(["de", "en-GB"])
        elif subject == "eagerness":
            terms[subject] = dice.choice(["patient", "balanced", "eager"])
        else:
            terms[subject] = dice.choice([[f"m{dice.randint(1, 9)}", "last"], f"m{dice.randint(1, 9)}"])
    return terms


def random_rules(dice: random.Random) -> list[dict[str, Any]]:
    rules = []
    for index in range(dice.randint(1, 6)):
        rule = {"name": f"rule {index}", "when": random_when(dice), **random_terms(dice, 1)}
        if dice.random() < 0.4:
            rule["split"] = {
                arm: None if dice.random() < 0.1 else {"weight": dice.choice([1, 2, 0.5]), **random_terms(dice, 0)}
                for arm in "abc"[: dice.randint(2, 3)]
            }
            if dice.random() < 0.5:
                rule["sticky"] = dice.choice(["plan", "caller", "order.total"])
        rules.append(rule)
    return rules


def random_time(dice: random.Random) -> datetime:
    """Of one year; half of them on an edge of the hours that rules ask for, or a second before one."""
    half_hours, seconds = dice.randrange(366 * 48), dice.choice([0, -1, dice.randrange(1800), dice.randrange(1800)])
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=30 * half_hours, seconds=seconds)


def test_ten_thousand_random_calls_are_routed_as_the_second_implementation_says() -> None:
    dice, seen = random.Random(20261121), Counter[str]()
    for _ in range(SETS):
        rules, zone = random_rules(dice), dice.choice(ZONES)
        own = {"stt": ["ears"], "llm": ["mind", "script"], "tts": ["voice"], "realtime": dice.choice([[], ["both"]])}
        routes = parse_routes(rules, agent="desk", timezone=ZoneInfo(zone), defaults=own)  # type: ignore[arg-type]
        names = [rule["name"] for rule in rules]
        for _ in range(CALLS_OF_A_SET):
            now = random_time(dice)
            call: dict[str, Any] = {
                "facts": random_facts(dice),
                "now": now,
                "load": dice.random(),
                "key": str(dice.randrange(1000)),
            }
            expected = oracle(rules, own, zone, "desk", call)
            decision = routes.choose(call["facts"], now, call["load"], call["key"])
            found: dict[str, Any] = {
                **{str(role): names_of for role, names_of in decision.models.items()},
                "language": decision.language,
                "eagerness": decision.eagerness,
                "by": {subject: names.index(name) for subject, name in decision.by.items()},
                "arms": {names.index(one.rule): one.arm for one in decision.explanations if one.arm},
            }
            assert found == expected, (rules, call)
            seen.update(["some rule" if decision.by else "none"], sets=1)
            seen.update({"arm": bool(decision.arm), "several rules": len(set(decision.by.values())) > 1})
    assert seen["sets"] == 10_000
    assert min(seen[kind] for kind in ("some rule", "none", "arm", "several rules")) > 500, seen
