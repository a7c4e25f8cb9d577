"""Reads `when:` of a rule; pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from voiceworker.policy.routing.conditions import (
    OPERATORS,
    WEEKDAYS,
    Bound,
    Condition,
    FactCondition,
    HoursCondition,
    LoadCondition,
    Place,
    RouteError,
    Scalar,
    WeekdaysCondition,
    number_in,
)

_CLOCK = r"([01]?[0-9]|2[0-3]):([0-5][0-9])"
_SPAN = re.compile(rf"{_CLOCK}\s*-\s*(?:{_CLOCK}|(24:00))")
_COMPARISON = re.compile(rf"({'|'.join(OPERATORS)})\s*(\S.*)")
_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_YES_OR_NO = 'YAML reads this word as yes or no; put it in quotes, as in "NO"'


def read_conditions(raw: Any, place: Place) -> tuple[Condition, ...]:
    """Raises RouteError."""
    if not isinstance(raw, Mapping):
        raise RouteError(place, 'must be a mapping of conditions, as in {plan: free, hours: "18:00-08:00"}')
    return tuple(_condition(key, value, (*place, str(key))) for key, value in raw.items())


def _condition(key: Any, raw: Any, place: Place) -> Condition:
    match key:
        case "hours":
            return HoursCondition(tuple(_span(text, at) for text, at in _each(raw, place)))
        case "weekdays":
            return WeekdaysCondition(frozenset(day for text, at in _each(raw, place) for day in _days(text, at)))
        case "load":
            return LoadCondition(_load(raw, place))
        case str() if key.isprintable() and all(key.split(".")):
            _refuse_lookalikes(key, raw, place)
            return FactCondition(key, _alternatives(raw, place, key.rpartition(".")[2]))
    raise RouteError(
        place, "must be a key of the metadata, as in plan or caller.tier; in quotes when YAML reads a number or yes"
    )


def _refuse_lookalikes(key: str, raw: Any, place: Place) -> None:
    """A condition on the time that is misspelt would be one on metadata that nobody sends, and never hold."""
    texts = [value.strip().lower() for value, _ in _each(raw, place) if isinstance(value, str)]
    if texts and all(_SPAN.fullmatch(text) for text in texts):
        raise RouteError(place, "looks like hours of the day; that condition is called hours")
    if key in ("weekday", "day", "days") and any(text in (*WEEKDAYS, *_DAY_NAMES) for text in texts):
        raise RouteError(place, "looks like days; that condition is called weekdays")


def _each(raw: Any, place: Place) -> list[tuple[Any, Place]]:
    """One, or a list of them, each with its place."""
    if not isinstance(raw, list | tuple):
        return [(raw, place)]
    if not raw:
        raise RouteError(place, "an empty list never holds; name at least one value, or leave the condition out")
    return [(value, (*place, index)) for index, value in enumerate(raw)]


def _alternatives(raw: Any, place: Place, subject: str) -> tuple[tuple[Bound, ...], ...]:
    alternatives = []
    for value, at in _each(raw, place):
        bounds = _bounds(value, at, subject)
        if isinstance(raw, list | tuple) and any(bound.operator == "!=" for bound in bounds):
            raise RouteError(at, 'stands in a list of which one is enough; for neither of two write "!= a, != b"')
        alternatives.append(bounds)
    return tuple(alternatives)


def _bounds(raw: Any, place: Place, subject: str) -> tuple[Bound, ...]:
    if isinstance(raw, str) and raw.lstrip().startswith((*OPERATORS, "=")):
        return tuple(_comparison(part.strip(), place) for part in raw.split(","))
    if isinstance(raw, Mapping):
        raise RouteError(place, f"nested keys are written with dots, as in {subject}.KEY: VALUE")
    if isinstance(raw, bool) and subject in ("language", "country"):
        raise RouteError(place, _YES_OR_NO)
    if isinstance(raw, float) and not math.isfinite(raw):
        raise RouteError(place, "must be a number that can be compared")
    if raw is not None and not isinstance(raw, str | int | float):
        raise RouteError(place, "must be a text, a number, true, false, null, or a list of them; put dates in quotes")
    return (Bound("=", raw),)


def _comparison(text: str, place: Place) -> Bound:
    found = _COMPARISON.fullmatch(text)
    if not found:
        raise RouteError(place, 'must be a comparison by >=, >, <=, < or !=, as in ">= 3" or ">= 3, < 10"')
    operator, operand = found.groups()
    if operator == "!=":
        return Bound(operator, _literal(operand))
    number = number_in(operand)
    if number is None:
        raise RouteError(place, f'{operator} compares numbers, as in "{operator} 3"')
    return Bound(operator, number)


def _literal(text: str) -> Scalar:
    """What stands behind `!=`, read as YAML reads it."""
    words: dict[str, Scalar] = {"null": None, "true": True, "false": False}
    if text in words:
        return words[text]
    number = number_in(text)
    return text if number is None else number


def _load(raw: Any, place: Place) -> tuple[Bound, ...]:
    allowed = 'must be a comparison with a load from 0 (no call) to 1 (full), as in "> 0.8"'
    if not isinstance(raw, str):
        raise RouteError(place, allowed)
    bounds = tuple(_comparison(part.strip(), place) for part in raw.split(","))
    for bound in bounds:
        if bound.operator == "!=" or not isinstance(bound.wanted, int | float) or not 0 <= bound.wanted <= 1:
            raise RouteError(place, allowed)
    return bounds


def _span(raw: Any, place: Place) -> tuple[int, int]:
    found = _SPAN.fullmatch(raw.strip()) if isinstance(raw, str) else None
    if not found:
        raise RouteError(place, 'must be hours of the day in quotes, as in "18:00-08:00" or "08:00-24:00"')
    hour, minute, end_hour, end_minute, midnight = found.groups()
    start = int(hour) * 60 + int(minute)
    end = 1440 if midnight else int(end_hour) * 60 + int(end_minute)
    if start == end:
        raise RouteError(place, 'begin and end are one; the whole day is "00:00-24:00"')
    return start, end


def _days(raw: Any, place: Place) -> list[int]:
    ends = [_day(text.strip(), place) for text in raw.split("-", 1)] if isinstance(raw, str) else []
    if not ends:
        raise RouteError(place, f"must be days, as in [sat, sun] or mon-fri; there are: {', '.join(WEEKDAYS)}")
    first, last = ends[0], ends[-1]
    return [day % 7 for day in range(first, (last if last >= first else last + 7) + 1)]


def _day(text: str, place: Place) -> int:
    for names in (WEEKDAYS, _DAY_NAMES):
        if text.lower() in names:
            return names.index(text.lower())
    raise RouteError(place, f"no such day; there are: {', '.join(WEEKDAYS)}")
