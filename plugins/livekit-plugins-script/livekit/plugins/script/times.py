"""Times of day in a caller's words: `half past two`, `two thirty`, `3:30pm`, `ten in the morning`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from typing import Literal

from .numbers import MISHEARD, cardinal_at

DayPart = Literal["morning", "afternoon", "evening"]

_BEFORE_HOUR = frozenset(
    {"at", "around", "about", "by", "it", "for", "to", "say", "like", "till", "until", "after", "or", "not"}
)
_CERTAIN_BEFORE_HOUR = frozenset({"at", "around", "about", "by"})
# `the first one` and `that one` are no times.
_BEFORE_ONE = frozenset(
    {"first", "second", "third", "last", "earlier", "later", "that", "this", "which", "another", "other", "any", "no"}
)
_MINUTE_WORDS = frozenset({5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55})
# The shop's hours decide between four and sixteen; without them, these: one to seven is afternoon.
USUAL_HOURS = (time(7, 30), time(19, 0))


@dataclass(frozen=True)
class FoundTime:
    """A time of day that somebody said, and where."""

    value: time
    start: int
    end: int
    certain: bool
    "False for a bare number (`three`), which is a time only where one is expected."


def find_day_part(tokens: Sequence[str]) -> DayPart | None:
    """`morning`, `afternoon` or `evening`, unless it is part of a greeting."""
    for index, word in enumerate(tokens):
        part = "evening" if word in ("tonight", "night") else word
        if part in ("morning", "afternoon", "evening") and not (index and tokens[index - 1] == "good"):
            return part  # type: ignore[return-value]
    return None


def find_times(
    tokens: Sequence[str], *, asked: bool = False, hours: tuple[time, time] = USUAL_HOURS, part: DayPart | None = None
) -> list[FoundTime]:
    """Every time of day in `tokens`, in order.

    `asked`: a time was asked for, so a bare number is one, and `for` may be a misheard `four`. `hours` settles
    whether `three` is in the morning or in the afternoon; `part` is a part of the day known from elsewhere.
    """
    part = find_day_part(tokens) or part
    found: list[FoundTime] = []
    index = 0
    while index < len(tokens):
        hit = _exact(tokens, index, hours, part) or _past_or_to(tokens, index, hours, part, asked)
        hit = hit or _hour_first(tokens, index, hours, part, asked)
        if hit is None:
            index += 1
        else:
            found.append(hit)
            index = hit.end
    return found


def _word(tokens: Sequence[str], index: int) -> str:
    return tokens[index] if 0 <= index < len(tokens) else ""


def resolve(hour: int, minute: int, hours: tuple[time, time], part: str | None) -> time | None:
    """One time of day for an hour on the clock's face."""
    if not (0 <= hour <= 23 and 0 <= minute <= 59):
        return None
    if hour == 0 or hour > 12:
        return time(hour, minute)
    morning, afternoon = time(hour % 12, minute), time(hour % 12 + 12, minute)
    if part in ("am", "morning"):
        return morning
    if part in ("pm", "afternoon", "evening"):
        return afternoon
    for candidate in (morning, afternoon):
        if hours[0] <= candidate < hours[1]:
            return candidate
    return morning if 8 <= hour <= 11 else afternoon


def _exact(tokens: Sequence[str], index: int, hours: tuple[time, time], part: str | None) -> FoundTime | None:
    word = _word(tokens, index)
    if word in ("noon", "midday", "lunchtime"):
        return FoundTime(time(12, 0), index, index + 1, certain=True)
    if word == "midnight":
        return FoundTime(time(0, 0), index, index + 1, certain=True)
    match = re.fullmatch(r"(\d{1,2})[:.](\d{2})", word)
    if match is None:
        return None
    suffix = _word(tokens, index + 1) if _word(tokens, index + 1) in ("am", "pm") else None
    hour = int(match[1])
    value = resolve(hour, int(match[2]), hours, suffix or part)
    end = index + (2 if suffix else 1)
    return FoundTime(value, index, end, certain=True) if value else None


def _hour_at(tokens: Sequence[str], index: int, misheard: bool) -> tuple[int, int] | None:
    hour = cardinal_at(tokens, index, most=23)
    if hour is None and misheard and _word(tokens, index) in MISHEARD:
        return MISHEARD[tokens[index]], index + 1
    # `ten thirty` must not be read as one number, nor `twenty to three` as an hour
    return hour


def _suffix_at(tokens: Sequence[str], index: int) -> tuple[str | None, int]:
    """`am`, `pm`, `in the morning`, `in the afternoon` behind a time."""
    word = _word(tokens, index)
    if word in ("am", "pm"):
        return word, index + 1
    if word == "in" and _word(tokens, index + 1) in ("the", "morning", "afternoon", "evening"):
        at_part = index + 2 if tokens[index + 1] == "the" else index + 1
        if _word(tokens, at_part) in ("morning", "afternoon", "evening"):
            return tokens[at_part], at_part + 1
    return None, index


def _past_or_to(
    tokens: Sequence[str], index: int, hours: tuple[time, time], part: str | None, asked: bool
) -> FoundTime | None:
    """`half past two`, `half two`, `a quarter to three`, `twenty five past four`, `ten minutes to five`."""
    word = _word(tokens, index)
    if word == "half":
        minutes, at = 30, index + 1
    elif word == "quarter":
        minutes, at = 15, index + 1
    elif (count := cardinal_at(tokens, index, most=59)) is not None and count[0] in _MINUTE_WORDS:
        minutes, at = count
        at = at + 1 if _word(tokens, at) in ("minutes", "minute") else at
    else:
        return None
    link = _word(tokens, at)
    if link in ("past", "after", "passed"):
        sign, at = 1, at + 1
    elif link in ("to", "till", "before", "two") and word != "half":
        sign, at = -1, at + 1
    elif word == "half":
        sign = 1
    else:
        return None
    hour = _hour_at(tokens, at, misheard=link in ("past", "passed") or word == "quarter")
    if hour is None or not 1 <= hour[0] <= 12:
        return None
    suffix, end = _suffix_at(tokens, hour[1] + 1 if _word(tokens, hour[1]) == "o'clock" else hour[1])
    face = hour[0] if sign > 0 else (hour[0] - 1) or 12
    value = resolve(face, minutes if sign > 0 else 60 - minutes, hours, suffix or part)
    # `at ten to three` may be two people's ten; a unit of minutes or a word like `past` makes it certain
    return FoundTime(value, index, end, certain=True) if value else None


def _minutes_at(tokens: Sequence[str], index: int) -> tuple[int, int] | None:
    """The minutes behind an hour: `thirty`, `forty five`, `oh five`."""
    if _word(tokens, index) in ("oh", "o", "zero") and (unit := cardinal_at(tokens, index + 1, most=9)) is not None:
        return unit
    minutes = cardinal_at(tokens, index, most=59)
    return minutes if minutes is not None and minutes[0] >= 10 else None


def _hour_first(
    tokens: Sequence[str], index: int, hours: tuple[time, time], part: str | None, asked: bool
) -> FoundTime | None:
    """`three`, `three pm`, `three o'clock`, `two thirty`, `ten in the morning`."""
    before = _word(tokens, index - 1)
    if _word(tokens, index) == "one" and before in _BEFORE_ONE:
        return None
    misheard = (asked and _number_like(tokens, index)) or before == "at"
    hour = _hour_at(tokens, index, misheard)
    if hour is not None and hour[0] > 12 and _word(tokens, index) in ("twenty", "thirty"):
        hour = None
    if hour is None:
        return None
    minute, end, certain = 0, hour[1], False
    spoken_minutes = _minutes_at(tokens, end)
    if spoken_minutes is not None and _word(tokens, spoken_minutes[1]) not in ("past", "to", "minutes"):
        minute, end = spoken_minutes
        certain = minute in _MINUTE_WORDS and _word(tokens, index) not in MISHEARD
    if _word(tokens, end) == "o'clock":
        end, certain = end + 1, True
    suffix, after_suffix = _suffix_at(tokens, end)
    certain = certain or suffix is not None or before in _CERTAIN_BEFORE_HOUR
    value = resolve(hour[0], minute, hours, suffix or part)
    if value is None or not (certain or asked or before in _BEFORE_HOUR):
        return None
    return FoundTime(value, index, after_suffix, certain)


def _number_like(tokens: Sequence[str], index: int) -> bool:
    """Whether a `to` or a `for` stands where only a number can: last, or before `o'clock`, `thirty`, `pm`."""
    after = _word(tokens, index + 1)
    return after in ("", "o'clock", "pm", "am", "thirty", "fifteen", "forty", "please")
