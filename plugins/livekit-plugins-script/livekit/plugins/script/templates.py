"""Templates: `{date}`, `{appointment.starts_at|time}`, `{result.times|some}`.

In what the agent says, values are put in words; in a tool's arguments they are written as ISO 8601.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from .errors import Path, ScriptError
from .numbers import say_cardinal
from .reading import suggest
from .results import spread
from .slots import Slot, Value
from .spoken import (
    ISO_MOMENT,
    parse_moment,
    say_date,
    say_list,
    say_moment,
    say_moments,
    say_text,
    say_time,
)

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ISO_CLOCK = re.compile(r"\d{2}:\d{2}")
DESCRIBING = ("service", "title", "what", "starts_at", "when")
"""The keys by which things that tools find are told apart."""
FILTERS = ("date", "time", "some", "count", "first", "or")


class Missing(Exception):
    """A template needs a value that is not there."""


@dataclass(frozen=True)
class Values:
    """What a template may name."""

    slots: Mapping[str, Slot]
    filled: Mapping[str, Value]
    others: Mapping[str, Any]
    "Results of tools and words of the moment, by name."
    today: date


def names_in(template: str) -> list[str]:
    """Root names of a template's placeholders: `{appointment.service}` names `appointment`."""
    return [inner.split("|")[0].split(".")[0].strip() for inner in _PLACEHOLDER.findall(template)]


def check(template: str, known: set[str], path: Path) -> None:
    """Raises ScriptError for a name or a filter that does not exist."""
    for inner in _PLACEHOLDER.findall(template):
        root, *filters = (part.strip() for part in inner.split("|"))
        if root.split(".")[0] not in known:
            raise ScriptError(path, f"{{{inner}}}: nothing has this name; {suggest(root.split('.')[0], known)}")
        for name in filters:
            if name not in FILTERS:
                raise ScriptError(path, f"{{{inner}}}: unknown filter; {suggest(name, FILTERS)}")


def speak(template: str, values: Values) -> str:
    """The template in words for a voice. Raises Missing."""

    def put(match: re.Match[str]) -> str:
        root, *filters = (part.strip() for part in match[1].split("|"))
        if root in values.filled and root in values.slots:
            return values.slots[root].say(values.filled[root], values.today)
        return _said(_filtered(_value(root, values), filters), values.today, "or" if "or" in filters else "and")

    return _tidy(_PLACEHOLDER.sub(put, template))


def write(template: str, values: Values) -> str:
    """The template as a tool's argument. Raises Missing."""

    def put(match: re.Match[str]) -> str:
        root = match[1].strip()
        if root in values.filled and root in values.slots:
            return values.slots[root].plain(values.filled[root])
        return str(_value(root, values))

    return _PLACEHOLDER.sub(put, template)


def _value(dotted: str, values: Values) -> Any:
    root, *keys = dotted.split(".")
    value: Any = values.filled.get(root, values.others.get(root))
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    if value is None or value == "" or value == []:
        raise Missing(dotted)
    return value


def _filtered(value: Any, filters: Sequence[str]) -> Any:
    for name in filters:
        value = _FILTERS[name](value)
    return value


def _date_only(value: Any) -> Any:
    return str(value)[:10] if isinstance(value, str) and ISO_MOMENT.fullmatch(value) else value


def _time_only(value: Any) -> Any:
    return str(value)[11:16] if isinstance(value, str) and ISO_MOMENT.fullmatch(value) else value


_FILTERS: Mapping[str, Callable[[Any], Any]] = {
    "date": _date_only,
    "time": _time_only,
    "some": lambda value: spread(value) if isinstance(value, list) else value,
    "count": lambda value: len(value) if isinstance(value, list) else 1,
    "first": lambda value: value[0] if isinstance(value, list) else value,
    "or": lambda value: value,
}


def _said(value: Any, today: date, link: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return say_cardinal(value)
    if isinstance(value, datetime):
        return say_moment(value, today)
    if isinstance(value, date):
        return say_date(value, today)
    if isinstance(value, time):
        return say_time(value)
    if isinstance(value, list):
        moments = [parse_moment(item) if isinstance(item, str) else None for item in value]
        if all(moment is not None for moment in moments):
            return say_moments([moment for moment in moments if moment is not None], today, link)
        return say_list([_said(item, today, link) for item in value], link)
    if isinstance(value, Mapping):
        return describe(value, today)
    return say_text(str(value), today)


def describe(thing: Mapping[str, Any], today: date) -> str:
    """Something that a tool found, in words: `haircut on Tuesday the first of December at ten o'clock`."""
    parts = [str(thing[key]) for key in DESCRIBING if thing.get(key)]
    return " on ".join(say_text(part, today) for part in parts)


def _tidy(text: str) -> str:
    return re.sub(r"\s+([,.!?])", r"\1", re.sub(r"\s+", " ", text)).strip()
