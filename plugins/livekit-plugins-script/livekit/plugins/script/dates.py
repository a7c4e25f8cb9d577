"""Days in a caller's words: `next tuesday`, `the fifth of december`, `12/03`, `in two weeks`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

import dateparser

from .numbers import cardinal_at, ordinal_at

DateOrder = Literal["DMY", "MDY"]
"""How `12/03` is read: the third of December (MDY) or the twelfth of March (DMY)."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_WEEKDAY_SHORT = {"mon": 0, "tue": 1, "tues": 1, "wed": 2, "weds": 2, "thu": 3, "thur": 3, "thurs": 3, "fri": 4}
# A day that is an ordinary word too counts only behind one of these.
_WEEKDAY_AMBIGUOUS = {"sat": 5, "sun": 6}
_BEFORE_WEEKDAY = frozenset({"on", "next", "this", "coming", "following", "not", "or"})
_MONTH_INDEX = {name: number for number, name in enumerate(MONTHS, 1)} | {
    name[:3]: number for number, name in enumerate(MONTHS, 1) if name != "may"
}
_HOLIDAYS: dict[tuple[str, ...], tuple[int, int]] = {
    ("christmas", "eve"): (12, 24),
    ("christmas", "day"): (12, 25),
    ("boxing", "day"): (12, 26),
    ("new", "year's", "eve"): (12, 31),
    ("new", "years", "eve"): (12, 31),
    ("new", "year's", "day"): (1, 1),
}
# A day of this year that lies so little back was meant as said; the tool then says that it is past.
_RECENT = timedelta(days=31)


@dataclass(frozen=True)
class FoundDate:
    """A day that somebody said, and where."""

    value: date
    start: int
    "Index of its first word."
    end: int
    "Index after its last word."


def find_dates(tokens: Sequence[str], today: date, order: DateOrder = "MDY") -> list[FoundDate]:
    """Every day named in `tokens`, in order, each as a whole date on or after `today` where the words leave a choice.

    `next tuesday` is the Tuesday of next week, `tuesday` the next one to come; `tuesday` on a Tuesday is a week later.
    """
    found: list[FoundDate] = []
    index = 0
    while index < len(tokens):
        for reader in _READERS:
            if (hit := reader(tokens, index, today)) is not None:
                break
        else:
            hit = _numeric(tokens, index, today, order)
        if hit is None or hit[1] <= index:
            index += 1
        else:
            found.append(FoundDate(hit[0], index, hit[1]))
            index = hit[1]
    return found


_Hit = tuple[date, int] | None


def _word(tokens: Sequence[str], index: int) -> str:
    return tokens[index] if 0 <= index < len(tokens) else ""


def weekday_at(tokens: Sequence[str], index: int) -> int | None:
    word = re.sub(r"'?s$", "", _word(tokens, index)) if _word(tokens, index) not in _WEEKDAY_SHORT else tokens[index]
    if word in WEEKDAYS:
        return WEEKDAYS.index(word)
    if word in _WEEKDAY_SHORT:
        return _WEEKDAY_SHORT[word]
    return _WEEKDAY_AMBIGUOUS.get(word) if _word(tokens, index - 1) in _BEFORE_WEEKDAY else None


def _coming(weekday: int, today: date) -> date:
    return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)


def _of_next_week(weekday: int, today: date) -> date:
    return today + timedelta(days=7 - today.weekday() + weekday)


def _relative_day(tokens: Sequence[str], index: int, today: date) -> _Hit:
    word = _word(tokens, index)
    if word in ("today", "tonight"):
        return today, index + 1
    if word == "this" and _word(tokens, index + 1) in ("morning", "afternoon", "evening"):
        return today, index + 1
    if word == "tomorrow":
        return today + timedelta(days=1), index + 1
    if word == "yesterday":
        return today - timedelta(days=1), index + 1
    if tuple(tokens[index : index + 3]) == ("day", "after", "tomorrow"):
        return today + timedelta(days=2), index + 3
    return None


def _weekday(tokens: Sequence[str], index: int, today: date) -> _Hit:
    """`tuesday`, `next tuesday`, `tuesday week`, `tuesday next week`, `tuesday the first [of december]`."""
    start = index
    qualifier = ""
    if _word(tokens, index) in ("next", "this", "coming", "following"):
        qualifier, index = tokens[index], index + 1
    weekday = weekday_at(tokens, index)
    if weekday is None:
        return None
    index += 1
    after = index + 1 if _word(tokens, index) in ("the", "of") else index
    for reader in (_day_and_month, _month_and_day):
        if (hit := reader(tokens, after, today)) is not None:
            return hit
    if (ordinal := ordinal_at(tokens, after)) is not None and (day := _day_of_month(ordinal[0], today)):
        return day, ordinal[1]
    if _word(tokens, index) == "week":
        return _coming(weekday, today) + timedelta(days=7), index + 1
    if tuple(tokens[index : index + 2]) == ("next", "week") or tuple(tokens[index : index + 3]) == (
        "of",
        "next",
        "week",
    ):
        return _of_next_week(weekday, today), index + (2 if tokens[index] == "next" else 3)
    if tuple(tokens[index : index + 2]) == ("this", "week"):
        return _coming(weekday, today), index + 2
    before = tokens[max(0, start - 3) : start]
    if (
        qualifier in ("next", "following")
        or tuple(before[-2:]) == ("next", "week")
        or tuple(before) == ("next", "week", "on")
    ):
        return _of_next_week(weekday, today), index
    if tuple(before[-2:]) == ("week", "on"):
        return _coming(weekday, today) + timedelta(days=7), index
    return _coming(weekday, today), index


def _absolute(day: int, month: int, year: int | None, today: date) -> date | None:
    """A day by its parts, through dateparser, which knows the calendar; the year is the one that lies ahead."""
    for candidate in (year,) if year else (today.year, today.year + 1, today.year + 2, today.year + 3, today.year + 4):
        parsed = dateparser.parse(
            f"{day} {MONTHS[month - 1]} {candidate}", languages=["en"], settings={"STRICT_PARSING": True}
        )
        found: date | None = parsed.date() if parsed else None
        if found is not None and (year or found >= today - _RECENT):
            return found
    return None


def _year_at(tokens: Sequence[str], index: int) -> tuple[int | None, int]:
    word = _word(tokens, index)
    if re.fullmatch(r"20\d\d", word):
        return int(word), index + 1
    if word == "twenty" and (rest := cardinal_at(tokens, index + 1, most=99)) is not None and rest[0] >= 20:
        return 2000 + rest[0], rest[1]
    return None, index


def _day_and_month(tokens: Sequence[str], index: int, today: date) -> _Hit:
    """`fifth of december`, `5th december 2026`, `5 december`."""
    day = ordinal_at(tokens, index) or cardinal_at(tokens, index, most=31)
    if day is None or not 1 <= day[0] <= 31:
        return None
    at_month = day[1] + 1 if _word(tokens, day[1]) in ("of", "in") else day[1]
    month = _MONTH_INDEX.get(_word(tokens, at_month))
    if month is None:
        return None
    year, end = _year_at(tokens, at_month + 1)
    value = _absolute(day[0], month, year, today)
    return (value, end) if value else None


def _month_and_day(tokens: Sequence[str], index: int, today: date) -> _Hit:
    """`december third`, `december the third`, `dec 3`."""
    month = _MONTH_INDEX.get(_word(tokens, index))
    if month is None:
        return None
    at_day = index + 1 if _word(tokens, index + 1) != "the" else index + 2
    day = ordinal_at(tokens, at_day) or cardinal_at(tokens, at_day, most=31)
    if day is None or not 1 <= day[0] <= 31:
        return None
    year, end = _year_at(tokens, day[1])
    value = _absolute(day[0], month, year, today)
    return (value, end) if value else None


def _day_of_month(day: int, today: date) -> date | None:
    """The next such day: on the twenty third, `the fifth` is next month's."""
    for months_ahead in range(12):
        year, month = divmod(today.year * 12 + today.month - 1 + months_ahead, 12)
        try:
            value = date(year, month + 1, day)
        except ValueError:
            continue
        if value >= today:
            return value
    return None


def _bare_ordinal(tokens: Sequence[str], index: int, today: date) -> _Hit:
    """`the fifth`, not followed by a noun that it counts (`the first one`, `the second time`)."""
    if _word(tokens, index) != "the" or (ordinal := ordinal_at(tokens, index + 1)) is None:
        return None
    if _word(tokens, ordinal[1]) in ("one", "time", "of", "option", "appointment", "slot", "two", "please"):
        return None
    # `the first` alone is more often a choice from a list than a day of the month.
    if ordinal[0] <= 3 and _word(tokens, index - 1) not in ("on", "for", "to", "about", "till"):
        return None
    day = _day_of_month(ordinal[0], today)
    return (day, ordinal[1]) if day else None


def _in_some_time(tokens: Sequence[str], index: int, today: date) -> _Hit:
    """`in two weeks`, `in a fortnight`, `three days from now`, `a week from tuesday`, `a week today`."""
    at_count = index + 1 if _word(tokens, index) == "in" else index
    count: tuple[int, int] | None
    if _word(tokens, at_count) in ("a", "one"):
        count = 1, at_count + 1
        if tuple(tokens[at_count : at_count + 2]) == ("a", "couple"):
            count = 2, at_count + (3 if _word(tokens, at_count + 2) == "of" else 2)
    else:
        count = cardinal_at(tokens, at_count, most=60)
    if count is None:
        return None
    days = {"day": 1, "days": 1, "week": 7, "weeks": 7, "fortnight": 14}.get(_word(tokens, count[1]))
    if days is None:
        return None
    end = count[1] + 1
    delta = timedelta(days=days * count[0])
    if tuple(tokens[end : end + 2]) == ("from", "now"):
        return today + delta, end + 2
    base = end + 1 if _word(tokens, end) in ("from", "on") else end
    for reader in (_relative_day, _weekday):
        # The words before are cut off, so that `a week on` is not counted twice.
        if days != 1 and (hit := reader(tokens[base:], 0, today)) is not None:
            return hit[0] + delta, base + hit[1]
    return (today + delta, end) if at_count > index else None


def _holiday(tokens: Sequence[str], index: int, today: date) -> _Hit:
    for words, (month, day) in _HOLIDAYS.items():
        if tuple(tokens[index : index + len(words)]) == words and (value := _absolute(day, month, None, today)):
            return value, index + len(words)
    return None


def _numeric(tokens: Sequence[str], index: int, today: date, order: DateOrder) -> _Hit:
    """Typed dates: `12/03`, `12/03/2026`, `2026-12-03`, read by dateparser in the script's order."""
    word = _word(tokens, index)
    if not re.fullmatch(r"\d{1,4}[/-]\d{1,2}([/-]\d{1,4})?", word):
        return None
    iso = re.match(r"\d{4}-", word)
    parsed = dateparser.parse(
        word,
        languages=["en"],
        settings={
            "DATE_ORDER": "YMD" if iso else order,
            "PREFER_DATES_FROM": "future",
            "RELATIVE_BASE": datetime.combine(today, time(0)),
        },
    )
    return (parsed.date(), index + 1) if parsed else None


_READERS: tuple[Callable[[Sequence[str], int, date], _Hit], ...] = (
    _relative_day,
    _in_some_time,
    _weekday,
    _day_and_month,
    _month_and_day,
    _holiday,
    _bare_ordinal,
)
