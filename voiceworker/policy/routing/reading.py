"""Reads `routes:` of an agent's file. Every mistake is told with its place and with what is allowed; pure."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

from voiceworker.policy.routing.condition_reading import read_conditions
from voiceworker.policy.routing.conditions import Place, RouteError
from voiceworker.policy.routing.decisions import DEFAULT, EAGERNESS, ROLES, SUBJECTS, Arm, Role, Route, Routes, Subject

_RULE_KEYS = ("name", "when", "split", "sticky", *SUBJECTS)
_ARM_KEYS = ("weight", *SUBJECTS)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,39}")
_MODEL = re.compile(r"[^\s/]\S{0,199}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_LONGEST_MADE_NAME = 60


def parse_routes(
    raw: Any,
    *,
    agent: str = "",
    timezone: tzinfo = UTC,
    defaults: Mapping[Role, Sequence[str]] | None = None,
) -> Routes:
    """`raw` is plain data, as YAML or JSON gives it; None is no rules. `defaults`: the agent's own lists of models.

    Raises RouteError at the first mistake. Whether there is such a model, the registry knows: see `Routes.outcomes`.
    """
    if raw is None:
        raw = []
    if not isinstance(raw, list | tuple):
        raise RouteError((), "must be a list of rules, as in [{when: {plan: free}, llm: [script]}]")
    rules: list[Route] = []
    for index, item in enumerate(raw):
        rules.append(_rule(item, index, [rule.name for rule in rules]))
    own: dict[Subject, tuple[str, ...]] = {role: tuple(names) for role, names in (defaults or {}).items()}
    return Routes(tuple(rules), agent, timezone, own)


def _rule(raw: Any, index: int, taken: Sequence[str]) -> Route:
    place: Place = (index,)
    keys = _mapping(raw, place, _RULE_KEYS, "a rule, as in {when: {plan: free}, llm: [script]}")
    when = keys.get("when")
    conditions = read_conditions({} if when is None else when, (*place, "when"))
    terms = _terms(keys, place)
    arms = _arms(keys["split"], (*place, "split")) if "split" in keys else ()
    if not terms and not any(arm.terms for arm in arms):
        raise RouteError(place, f"decides nothing; name at least one of {', '.join(SUBJECTS)}, or a split")
    sticky = keys.get("sticky", "")
    if "sticky" in keys and not arms:
        raise RouteError((*place, "sticky"), "is for the arms of a split, and there is none")
    if not isinstance(sticky, str) or ("sticky" in keys and not sticky):
        raise RouteError((*place, "sticky"), "must be a key of the metadata, as in account.id")
    if "name" in keys:
        name = _name(keys["name"], (*place, "name"), "a rule")
        if name in taken or name == DEFAULT:
            other = "where no rule decides" if name == DEFAULT else "by another rule"
            raise RouteError((*place, "name"), f"{name!r} is in use {other}; choose another")
    else:
        name = _made_name(when or {}, taken)
    return Route(name, conditions, terms, arms, sticky)


def _arms(raw: Any, place: Place) -> tuple[Arm, ...]:
    if not isinstance(raw, Mapping) or len(raw) < 2:
        raise RouteError(
            place, "must have two arms or more, as in {cheap: {weight: 1, llm: [script]}, usual: {weight: 3}}"
        )
    arms = []
    for key, value in raw.items():
        name = _name(key, (*place, str(key)), "an arm")
        keys = _mapping({} if value is None else value, (*place, name), _ARM_KEYS, "an arm, as in {weight: 1}")
        arms.append(Arm(name, _weight(keys.get("weight", 1), (*place, name, "weight")), _terms(keys, (*place, name))))
    if not any(arm.weight for arm in arms):
        raise RouteError(place, "one arm needs a weight above 0")
    return tuple(arms)


def _weight(raw: Any, place: Place) -> float:
    number = isinstance(raw, int | float) and not isinstance(raw, bool)
    if not number or not 0 <= raw <= 1_000_000 or not (raw == 0 or raw >= 0.001):
        raise RouteError(place, "must be a number from 0.001 to 1000000, or 0: nobody")
    return float(raw)


def _terms(keys: Mapping[str, Any], place: Place) -> dict[Subject, tuple[str, ...]]:
    terms: dict[Subject, tuple[str, ...]] = {
        role: _models(keys[role], role, (*place, role)) for role in ROLES if role in keys
    }
    if "language" in keys:
        language = keys["language"]
        if isinstance(language, bool):
            raise RouteError((*place, "language"), 'YAML reads this word as yes or no; put it in quotes, as in "no"')
        if not isinstance(language, str) or not _LANGUAGE.fullmatch(language):
            raise RouteError((*place, "language"), "must be a language, as in de or en-GB")
        terms["language"] = (language,)
    if "eagerness" in keys:
        if keys["eagerness"] not in EAGERNESS:
            raise RouteError((*place, "eagerness"), f"must be one of {', '.join(EAGERNESS)}")
        terms["eagerness"] = (keys["eagerness"],)
    return terms


def _models(raw: Any, role: Role, place: Place) -> tuple[str, ...]:
    names = [raw] if isinstance(raw, str) else raw
    if not isinstance(names, list | tuple):
        raise RouteError(place, "must be a list of models, the best first")
    if not names and role != "realtime":
        raise RouteError(place, "must name a model; leave the key out for the agent's own list")
    for index, name in enumerate(names):
        if not isinstance(name, str) or not _MODEL.fullmatch(name):
            raise RouteError((*place, index), "must be the name of a model, as in deepgram/nova-3")
        if name in names[:index]:
            raise RouteError((*place, index), f"{name!r} stands here twice")
    return tuple(names)


def _mapping(raw: Any, place: Place, allowed: Collection[str], wanted: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise RouteError(place, f"must be {wanted}")
    for key in raw:
        if key not in allowed:
            close = difflib.get_close_matches(str(key), allowed, n=1)
            guess = f"did you mean {close[0]}? " if close else ""
            raise RouteError((*place, str(key)), f"no such key; {guess}Allowed here: {', '.join(allowed)}")
    return raw


def _name(raw: Any, place: Place, kind: str) -> str:
    if not isinstance(raw, str) or not _NAME.fullmatch(raw):
        raise RouteError(place, f"{kind}'s name has letters, digits, spaces and . _ - only, 40 characters at most")
    return raw


def _made_name(when: Mapping[str, Any], taken: Collection[str]) -> str:
    """Of the conditions, not of the place in the list: callers stay in their arms when rules are moved about."""
    conditions = [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in when.items()]
    name = re.sub(r"[^\w .,:;=<>!/\[\]*-]", "", " ".join(conditions))[:_LONGEST_MADE_NAME].strip() or "everyone"
    if name not in taken and name != DEFAULT:
        return name
    return next(f"{name} #{count}" for count in range(2, len(taken) + 3) if f"{name} #{count}" not in taken)
