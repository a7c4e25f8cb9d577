"""What `when:` of a rule may ask of a call: the session's metadata, the time where the agent is, the load; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

Place = tuple[str | int, ...]
Scalar = str | int | float | bool | None

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OPERATORS = (">=", "<=", "!=", ">", "<")
"the longer ones first: one begins with the other"

_LONGEST_SHOWN_CHARACTERS = 60
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?")
_WHOLE_NUMBER = re.compile(r"-?[0-9]+")


class RouteError(Exception):
    """A mistake in the rules; the text says what is allowed. `place` counts from the list: (0, "when", "plan")."""

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(reason)
        self.place = place
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Moment:
    """What the conditions look at."""

    facts: Mapping[str, Any]
    "the session's metadata, as JSON has it, and what the call has found out since: `intent`"
    local: datetime
    "now, in the agent's timezone"
    load: float
    "0 when no call is held, 1 when no further one can be"


class Condition(Protocol):
    def denial(self, moment: Moment) -> str | None:
        """Why it does not hold, for a person; None when it holds. Tells values of the metadata: not for a log."""


@dataclass(frozen=True, slots=True)
class Bound:
    operator: str
    "`=` or one of OPERATORS"
    wanted: Scalar

    def __str__(self) -> str:
        return shown(self.wanted) if self.operator == "=" else f"{self.operator} {shown(self.wanted)}"


@dataclass(frozen=True, slots=True)
class FactCondition:
    key: str
    any_of: tuple[tuple[Bound, ...], ...]
    "one of these has to hold; each of them as a whole"

    def denial(self, moment: Moment) -> str | None:
        value = look_up(moment.facts, self.key)
        if any(all(_holds(bound, value, self.key) for bound in bounds) for bounds in self.any_of):
            return None
        wanted = " or ".join(", ".join(str(bound) for bound in bounds) for bounds in self.any_of)
        return f"{self.key} is {shown(value)}; wanted: {wanted}"

    def texts(self) -> list[str]:
        """The texts that it names, those to be avoided as well."""
        return [bound.wanted for bounds in self.any_of for bound in bounds if isinstance(bound.wanted, str)]


@dataclass(frozen=True, slots=True)
class HoursCondition:
    spans: tuple[tuple[int, int], ...]
    "minutes of the day; the second is the first that is outside. From 1080 to 480: over midnight"

    def denial(self, moment: Moment) -> str | None:
        minute = moment.local.hour * 60 + moment.local.minute
        if any(_within(minute, start, end) for start, end in self.spans):
            return None
        wanted = " or ".join(f"{_clock(start)}-{_clock(end)}" for start, end in self.spans)
        return f"it is {_clock(minute)} {moment.local.tzname()}; wanted: {wanted}"


@dataclass(frozen=True, slots=True)
class WeekdaysCondition:
    days: frozenset[int]
    "0 is Monday"

    def denial(self, moment: Moment) -> str | None:
        today = moment.local.weekday()
        if today in self.days:
            return None
        return f"it is {WEEKDAYS[today]}; wanted: {' or '.join(WEEKDAYS[day] for day in sorted(self.days))}"


@dataclass(frozen=True, slots=True)
class LoadCondition:
    bounds: tuple[Bound, ...]

    def denial(self, moment: Moment) -> str | None:
        if all(_holds(bound, moment.load, "load") for bound in self.bounds):
            return None
        return f"load is {moment.load:.2f}; wanted: {', '.join(str(bound) for bound in self.bounds)}"


def look_up(facts: Mapping[str, Any], key: str) -> Any:
    """The value under `key`, or under the nested keys that its dots part; None when there is none, or it is null."""
    if key in facts:
        return facts[key]
    found: Any = facts
    for step in key.split("."):
        if not isinstance(found, Mapping) or step not in found:
            return None
        found = found[step]
    return found


def number_in(value: Any) -> int | float | None:
    """Numbers as they are, and the number that a text consists of: headers and query strings have texts only."""
    if isinstance(value, int | float):
        return None if isinstance(value, bool) else value
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return None
    return int(value) if _WHOLE_NUMBER.fullmatch(value) else float(value)


def shown(value: Any) -> str:
    """A value in a sentence for a person, on one line; short, and without what would move a terminal's cursor."""
    if value is None:
        return "absent"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        parts = [shown(entry) for entry in value[:3]] if not any(isinstance(v, list | tuple) for v in value) else []
        return f"[{', '.join(parts)}{', ...' if len(parts) < len(value) else ''}]"
    if not isinstance(value, str):
        return json.dumps(value)
    text = value if len(value) <= _LONGEST_SHOWN_CHARACTERS else value[:_LONGEST_SHOWN_CHARACTERS] + "..."
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _holds(bound: Bound, value: Any, key: str) -> bool:
    """Of a list in the metadata (`tags`), one entry is enough; `!=` asks that no entry is the one."""
    if bound.wanted is None or value is None:
        same = bound.wanted is value
        return same if bound.operator == "=" else not same and bound.operator == "!="
    entries = value if isinstance(value, list | tuple) else [value]
    if bound.operator == "=":
        return any(_equal(bound.wanted, entry, key) for entry in entries)
    if bound.operator == "!=":
        return not any(_equal(bound.wanted, entry, key) for entry in entries)
    return any(_compare(bound.operator, number_in(entry), number_in(bound.wanted)) for entry in entries)


def _equal(wanted: Scalar, value: Any, key: str) -> bool:
    if isinstance(wanted, str) and isinstance(value, str):
        return _same_text(wanted, value, key.rpartition(".")[2])
    if isinstance(wanted, bool) or isinstance(value, bool):
        return _yes_or_no(wanted) is not None and _yes_or_no(wanted) == _yes_or_no(value)
    number = number_in(wanted)
    return number is not None and number == number_in(value)


def _same_text(wanted: str, value: str, key: str) -> bool:
    """A language is matched as a range (RFC 4647, basic filtering): `de` is `de-AT`, too."""
    if key == "language":
        wanted, value = (text.casefold().replace("_", "-") for text in (wanted, value))
        return value == wanted or value.startswith(f"{wanted}-")
    if key == "country":
        return wanted.casefold() == value.casefold()
    return wanted == value


def _yes_or_no(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value)
    return value if isinstance(value, bool) else None


def _compare(operator: str, value: int | float | None, limit: int | float | None) -> bool:
    if value is None or limit is None:
        return False
    match operator:
        case ">=":
            return value >= limit
        case "<=":
            return value <= limit
        case ">":
            return value > limit
        case _:
            return value < limit


def _within(minute: int, start: int, end: int) -> bool:
    return start <= minute < end if start < end else minute >= start or minute < end


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
