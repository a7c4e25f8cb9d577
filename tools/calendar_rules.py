"""When a business is open, what it does and how long that takes; which times of a day are free. Pure."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _clock_time(value: object) -> object:
    """YAML 1.1 reads an unquoted 9:30 as 570, the minutes since midnight."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return time(value // 60, value % 60)
    return value


ClockTime = Annotated[time, BeforeValidator(_clock_time)]


class CalendarSettings(BaseModel):
    """`tool_settings.calendar` of an agent's definition.

    Raises pydantic.ValidationError whose `loc` is the path of the wrong key below `tool_settings.calendar`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hours: dict[Weekday, tuple[ClockTime, ClockTime]]
    """Opening and closing time; a day that is left out is closed."""
    services: dict[str, Annotated[int, Field(ge=5, le=600)]] = Field(min_length=1)
    """Service to its length in minutes."""
    step_minutes: Annotated[int, Field(ge=5, le=240)] = 15
    """Appointments begin at multiples of this after the opening."""
    days_ahead: Annotated[int, Field(ge=1, le=730)] = 180
    """How far ahead an appointment may lie."""

    @model_validator(mode="after")
    def _open_before_closing(self) -> Self:
        for weekday, (opens, closes) in self.hours.items():
            if opens >= closes:
                raise ValueError(f"hours.{weekday}: opens at {opens:%H:%M}, which is not before {closes:%H:%M}")
        return self

    def length(self, service: str) -> timedelta:
        return timedelta(minutes=self.services[service])


@dataclass(frozen=True)
class Appointment:
    """One line of the calendar."""

    id: int
    name: str
    "Whom it is for, as it was said."
    phone: str | None
    service: str
    starts_at: datetime
    "Aware, in the business's timezone."
    status: Literal["booked", "cancelled"] = "booked"

    def as_dict(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "service": self.service, "starts_at": self.starts_at.isoformat()}


@dataclass(frozen=True)
class Busy:
    """Time that is taken."""

    starts_at: datetime
    ends_at: datetime


def day_times(settings: CalendarSettings, service: str, day: date, timezone: ZoneInfo) -> list[datetime]:
    """Every time of a day at which the service could begin, if nothing else was booked."""
    hours = settings.hours.get(WEEKDAYS[day.weekday()])
    if hours is None:
        return []
    begin = datetime.combine(day, hours[0], timezone)
    end = datetime.combine(day, hours[1], timezone)
    step = timedelta(minutes=settings.step_minutes)
    length = settings.length(service)
    times: list[datetime] = []
    while begin + length <= end:
        times.append(begin)
        begin += step
    return times


def free_of(candidates: Sequence[datetime], length: timedelta, busy: Sequence[Busy], now: datetime) -> list[datetime]:
    """The candidates that lie ahead and overlap nothing."""
    return [
        begin
        for begin in candidates
        if begin > now and not any(begin < taken.ends_at and taken.starts_at < begin + length for taken in busy)
    ]


def nearest(times: Sequence[datetime], wanted: datetime, most: int = 3) -> list[datetime]:
    """The times nearest to the wanted one, earliest first."""
    return sorted(sorted(times, key=lambda begin: (abs(begin - wanted), begin))[:most])


def read_zone(name: str) -> ZoneInfo:
    """Raises ValueError for a timezone that does not exist."""
    try:
        return ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"no such timezone: {name!r}; write it like Europe/London") from None


def read_settings(mapping: Mapping[str, Any]) -> CalendarSettings:
    """Settings from the agent's definition. Raises pydantic.ValidationError."""
    return CalendarSettings.model_validate(mapping)
