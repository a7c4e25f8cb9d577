"""Which of several offered or found things a caller means. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, TypeVar

from .acts import Act
from .results import moments_in, spread
from .slots import Value
from .understanding import Understanding

T = TypeVar("T")


def same_face(offered: time, said: time) -> bool:
    """Whether two times look alike on a clock's face: whoever was offered three means it by `three`."""
    return (offered.hour % 12, offered.minute) == (said.hour % 12, said.minute)


def picked(said: Understanding, things: Sequence[T]) -> T | None:
    """`the first one`, `the last`."""
    if said.pick is None or not -len(things) <= said.pick < len(things):
        return None
    return things[said.pick]


def choose_moment(said: Understanding, offers: Sequence[datetime]) -> datetime | None:
    """Which of the offered moments the caller took, by its time, its day, its place in the list, or by agreeing."""
    values = [mention.value for mention in said.mentions if not mention.negated]
    times = [value for value in values if isinstance(value, time)]
    days = [value for value in values if type(value) is date]
    if times:
        on_day = [offer for offer in offers if not days or offer.date() in days]
        return next((offer for offer in on_day if any(same_face(offer.time(), value) for value in times)), None)
    if days:
        of_day = [offer for offer in offers if offer.date() in days]
        return of_day[0] if len(of_day) == 1 else None
    if (moment := picked(said, spread(offers))) is not None:
        return moment
    agreed = len(offers) == 1 and Act.YES in said.acts and Act.NO not in said.acts
    return offers[0] if offers and (agreed or Act.ANY in said.acts) else None


def choose_thing(said: Understanding, things: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Which of several things that a tool found is meant."""
    by_place = picked(said, things)
    return by_place or the_one(things, [mention.value for mention in said.mentions if not mention.negated])


def the_one(things: Sequence[Mapping[str, Any]], values: Sequence[Value]) -> Mapping[str, Any] | None:
    """The only thing that one of the values fits, if there is just one."""
    fitting = [thing for thing in things if _fits(thing, values)]
    return fitting[0] if len(fitting) == 1 else None


def _fits(thing: Mapping[str, Any], values: Sequence[Value]) -> bool:
    moments = [moment for value in thing.values() for moment in moments_in(str(value))]
    texts = {str(value).lower() for value in thing.values()}
    for value in values:
        if type(value) is date and any(moment.date() == value for moment in moments):
            return True
        if isinstance(value, time) and any(same_face(moment.time(), value) for moment in moments):
            return True
        if isinstance(value, str) and value.lower() in texts:
            return True
    return False
