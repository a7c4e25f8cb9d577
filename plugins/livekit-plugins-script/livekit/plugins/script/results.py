"""Reads what tools answer: JSON, or plain words with moments in them."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from .spoken import ISO_MOMENT, parse_moment
from .times import DayPart

T = TypeVar("T")


def read_output(output: str) -> Any:
    """A tool's answer as data: JSON, a Python literal (how the framework prints a dict), else the text itself."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(output)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return output


def moments_in(text: str) -> list[datetime]:
    """Every RFC 3339 moment in a text, in order: what an error offers instead."""
    found = [parse_moment(match[0]) for match in ISO_MOMENT.finditer(text)]
    return [moment for moment in found if moment is not None]


def without_moments(text: str) -> str:
    """A tool's message up to the sentence in which it lists moments."""
    match = ISO_MOMENT.search(text)
    if match is None:
        return text.strip()
    before = text[: match.start()]
    end = max(before.rfind(". "), before.rfind("! "), before.rfind("? "))
    return before[: end + 1].strip()


def as_moments(items: object, day: date | None) -> list[datetime]:
    """A list of moments, or of times of `day`, as tools give free times."""
    if not isinstance(items, list):
        return []
    moments: list[datetime] = []
    for item in items:
        text = str(item)
        moment = parse_moment(text)
        if moment is None and day is not None and len(text) == 5:
            moment = parse_moment(f"{day.isoformat()}T{text}")
        if moment is not None:
            moments.append(moment)
    return moments


def nearest(moments: Sequence[datetime], wanted: datetime, most: int = 3) -> list[datetime]:
    """The moments nearest to the wanted one, in the order of time."""
    closest = sorted(moments, key=lambda moment: (abs(moment - wanted), moment))[:most]
    return sorted(closest)


def of_part(moments: list[datetime], part: DayPart | None) -> list[datetime]:
    """Those of a part of the day; all of them, if none is."""
    begin, end = {"morning": (0, 12), "afternoon": (12, 17), "evening": (16, 24)}.get(part or "", (0, 24))
    return [moment for moment in moments if begin <= moment.hour < end] or moments


def spread(items: Sequence[T], most: int = 4) -> list[T]:
    """Up to `most` of a list, spread over it: more cannot be kept in mind."""
    if len(items) <= most:
        return list(items)
    return [items[round(index * (len(items) - 1) / (most - 1))] for index in range(most)]


def within(moments: Sequence[datetime], wanted: datetime) -> bool:
    return any(abs(moment - wanted) < timedelta(minutes=1) for moment in moments)
