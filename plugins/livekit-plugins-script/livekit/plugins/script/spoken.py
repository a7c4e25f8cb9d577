"""Values in words that a voice says well: `Tuesday the first of December at half past two`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time

from .dates import MONTHS, WEEKDAYS
from .numbers import say_cardinal, say_ordinal

ISO_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?")
"""RFC 3339, seconds and offset optional: how tools write a moment."""
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_ISO_TIME = re.compile(r"\d{2}:\d{2}(?::\d{2})?")


def say_date(value: date, today: date | None = None) -> str:
    """`Tuesday the first of December`; with `today`, a year that could be taken for another is said."""
    words = f"{WEEKDAYS[value.weekday()].title()} the {say_ordinal(value.day)} of {MONTHS[value.month - 1].title()}"
    if today is not None and value.year != today.year and abs((value - today).days) > 180:
        words += f" {say_year(value.year)}"
    return words


def say_year(year: int) -> str:
    """`2027` as `twenty twenty seven`."""
    century, rest = divmod(year, 100)
    if rest < 10:
        return say_cardinal(year)
    return f"{say_cardinal(century)} {say_cardinal(rest)}"


def say_time(value: time) -> str:
    """`half past two`, `quarter to eleven`, `ten o'clock`, `twenty past nine`, `midday`."""
    if (value.hour, value.minute) == (12, 0):
        return "midday"
    if (value.hour, value.minute) == (0, 0):
        return "midnight"
    hour = value.hour % 12 or 12
    following = hour % 12 + 1
    if value.minute == 0:
        words = f"{say_cardinal(hour)} o'clock"
    elif value.minute == 30:
        words = f"half past {say_cardinal(hour)}"
    elif value.minute in (15, 45):
        words = f"quarter past {say_cardinal(hour)}" if value.minute == 15 else f"quarter to {say_cardinal(following)}"
    elif value.minute % 5 == 0:
        past = value.minute < 30
        minutes = value.minute if past else 60 - value.minute
        words = f"{say_cardinal(minutes)} {'past' if past else 'to'} {say_cardinal(hour if past else following)}"
    else:
        words = f"{say_cardinal(hour)} {'oh ' if value.minute < 10 else ''}{say_cardinal(value.minute)}"
    if value.hour < 7:
        return f"{words} in the morning"
    return f"{words} in the evening" if value.hour >= 19 else words


def say_moment(value: datetime, today: date | None = None) -> str:
    return f"{say_date(value.date(), today)} at {say_time(value.time())}"


def say_digits(digits: str) -> str:
    """`07700` as `oh seven, seven oh oh`, in groups that can be followed."""
    words = [
        "oh" if digit == "0" else say_cardinal(int(digit)) for digit in digits if digit.isascii() and digit.isdigit()
    ]
    groups = [words[start : start + 3] for start in range(0, len(words), 3)]
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return ", ".join(" ".join(group) for group in groups)


def say_list(items: Sequence[str], link: str = "and") -> str:
    """`a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {link} {items[-1]}"


def parse_moment(text: str) -> datetime | None:
    """A moment as tools write it, or None. The offset is dropped: a business speaks its own time."""
    if not ISO_MOMENT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).replace(tzinfo=None)
    except ValueError:
        return None


def say_text(text: str, today: date | None = None) -> str:
    """`text` with every date and time of a tool's notation put in words."""

    def moment(match: re.Match[str]) -> str:
        parsed = parse_moment(match[0])
        return say_moment(parsed, today) if parsed else match[0]

    def day(match: re.Match[str]) -> str:
        try:
            return say_date(date.fromisoformat(match[0]), today)
        except ValueError:
            return match[0]

    def clock(match: re.Match[str]) -> str:
        try:
            return say_time(time.fromisoformat(match[0]))
        except ValueError:
            return match[0]

    return _ISO_TIME.sub(clock, _ISO_DATE.sub(day, ISO_MOMENT.sub(moment, text)))


def say_moments(moments: Sequence[datetime], today: date | None = None, link: str = "and") -> str:
    """Several moments; a day they share is said by the sentence around, so only their times are listed."""
    if len({moment.date() for moment in moments}) <= 1:
        return say_list([say_time(moment.time()) for moment in moments], link)
    parts: list[str] = []
    last_day: date | None = None
    for moment in moments:
        words = say_time(moment.time())
        parts.append(words if moment.date() == last_day else f"{say_date(moment.date(), today)} at {words}")
        last_day = moment.date()
    return say_list(parts, link)
