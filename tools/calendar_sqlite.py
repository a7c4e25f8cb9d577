"""A calendar in one SQLite file. The database itself refuses two appointments that overlap."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from tools.calendar_rules import Appointment, Busy, CalendarSettings, day_times, free_of, nearest

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS appointments (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    phone TEXT,
    service TEXT NOT NULL,
    starts_at TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'booked' CHECK (status IN ('booked', 'cancelled'))
);
CREATE INDEX IF NOT EXISTS appointments_starts_at ON appointments (starts_at);
CREATE TABLE IF NOT EXISTS service_minutes (service TEXT PRIMARY KEY, minutes INTEGER NOT NULL);
"""

# A unique index cannot see that two spans overlap; a trigger can, and every writer of the file meets it.
_OVERLAP = """
CREATE TRIGGER IF NOT EXISTS appointments_overlap_{event} BEFORE {event} ON appointments WHEN NEW.status = 'booked'
BEGIN
    SELECT RAISE(ABORT, 'overlap') WHERE EXISTS (
        SELECT 1 FROM appointments AS other
        WHERE other.status = 'booked' AND other.id IS NOT NEW.id
          AND strftime('%s', other.starts_at) + 0
              < strftime('%s', NEW.starts_at)
                + 60 * coalesce((SELECT minutes FROM service_minutes WHERE service = NEW.service), 30)
          AND strftime('%s', NEW.starts_at) + 0
              < strftime('%s', other.starts_at)
                + 60 * coalesce((SELECT minutes FROM service_minutes WHERE service = other.service), 30)
    );
END;
"""
_UNKNOWN_SERVICE = timedelta(minutes=30)


class CalendarError(Exception):
    """Why it cannot be done, in words that a caller can be told, and what is free instead."""

    def __init__(self, message: str, offers: list[datetime] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offers = offers or []


class SqliteCalendar:
    """The front desk's calendar. Every method opens the file for itself, in a thread of its own, so any number of
    processes may share one file.
    """

    def __init__(
        self, path: str | Path, settings: CalendarSettings, timezone: ZoneInfo, clock: Callable[[], datetime]
    ) -> None:
        """`clock` gives aware datetimes. The file and its folder are made here. Raises sqlite3.Error, OSError."""
        self._path = Path(path)
        self._settings = settings
        self._timezone = timezone
        self._clock = clock
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._connection() as connection:
            connection.executescript(_SCHEMA + "".join(_OVERLAP.format(event=event) for event in ("INSERT", "UPDATE")))
            connection.executemany(
                "INSERT INTO service_minutes VALUES (?, ?) "
                "ON CONFLICT (service) DO UPDATE SET minutes = excluded.minutes",
                list(settings.services.items()),
            )

    async def free_times(self, day: date, service: str | None = None, moving: int | None = None) -> list[datetime]:
        """Times of a day at which a service (the shortest, if none is named) can begin. Raises CalendarError.

        `moving`: an appointment whose own time counts as free, because it is about to be moved.
        """
        return await self._run(lambda connection: self._free_times(connection, day, service, moving))

    async def book(self, name: str, service: str, starts_at: datetime, phone: str | None = None) -> Appointment:
        """Books; the same data again gives the same appointment. Raises CalendarError."""
        return await self._run(lambda connection: self._book(connection, name, service, starts_at, phone))

    async def find(self, name: str) -> list[Appointment]:
        """Appointments to come under a name, or under a part of it, earliest first."""
        return await self._run(lambda connection: self._find(connection, name))

    async def move(self, appointment_id: int, starts_at: datetime) -> Appointment:
        """Moves an appointment; it keeps its id. Raises CalendarError."""
        return await self._run(lambda connection: self._move(connection, appointment_id, starts_at))

    async def cancel(self, appointment_id: int) -> Appointment:
        """Cancels an appointment; once more changes nothing. Raises CalendarError."""
        return await self._run(lambda connection: self._cancel(connection, appointment_id))

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def in_thread() -> T:
            with self._connection() as connection:
                connection.execute("BEGIN IMMEDIATE")
                return work(connection)

        return await asyncio.to_thread(in_thread)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end, rolled back by an exception."""
        connection = sqlite3.connect(self._path, timeout=5.0, isolation_level=None)
        connection.row_factory = sqlite3.Row
        try:
            yield connection
            if connection.in_transaction:
                connection.execute("COMMIT")
        finally:
            connection.close()

    def _appointment(self, row: sqlite3.Row) -> Appointment:
        starts_at = datetime.fromisoformat(row["starts_at"]).astimezone(self._timezone)
        return Appointment(row["id"], row["name"], row["phone"], row["service"], starts_at, row["status"])

    def _by_id(self, connection: sqlite3.Connection, appointment_id: int) -> Appointment:
        row = connection.execute("SELECT * FROM appointments WHERE id = ?", (appointment_id,)).fetchone()
        if row is None:
            raise CalendarError("There is no such appointment.")
        return self._appointment(row)

    def _busy(self, connection: sqlite3.Connection, day: date, *, but: int | None = None) -> list[Busy]:
        """What is taken on a day, of appointments other than `but`."""
        midnight = datetime.combine(day, time(0), self._timezone)
        rows = connection.execute(
            "SELECT * FROM appointments WHERE status = 'booked' AND id IS NOT ? "
            "AND strftime('%s', starts_at) + 0 BETWEEN ? AND ?",
            (but, midnight.timestamp() - 12 * 3600, midnight.timestamp() + 36 * 3600),
        )
        taken = [self._appointment(row) for row in rows]
        return [Busy(item.starts_at, item.starts_at + self._length(item.service)) for item in taken]

    def _length(self, service: str) -> timedelta:
        return self._settings.length(service) if service in self._settings.services else _UNKNOWN_SERVICE

    def _free(
        self, connection: sqlite3.Connection, day: date, service: str, *, but: int | None = None
    ) -> list[datetime]:
        candidates = day_times(self._settings, service, day, self._timezone)
        return free_of(candidates, self._length(service), self._busy(connection, day, but=but), self._clock())

    def _free_times(
        self, connection: sqlite3.Connection, day: date, service: str | None, moving: int | None
    ) -> list[datetime]:
        chosen = service or min(self._settings.services, key=lambda name: self._settings.services[name])
        self._check_service(chosen)
        self._check_day(connection, datetime.combine(day, time(12), self._timezone), chosen)
        return self._free(connection, day, chosen, but=moving)

    def _check_service(self, service: str) -> None:
        if service not in self._settings.services:
            raise CalendarError(f"That is not one of our services, which are: {', '.join(self._settings.services)}.")

    def _check_day(self, connection: sqlite3.Connection, wanted: datetime, service: str) -> None:
        today = self._clock().astimezone(self._timezone).date()
        if wanted.date() < today:
            raise CalendarError("That day is already past.")
        if wanted.date() > today + timedelta(days=self._settings.days_ahead):
            raise CalendarError(f"We only take appointments for the next {self._settings.days_ahead} days.")
        if not day_times(self._settings, service, wanted.date(), self._timezone):
            weekday = wanted.strftime("%A")
            raise CalendarError(f"We are closed on {weekday}s.", self._near(connection, wanted, service))

    def _near(
        self, connection: sqlite3.Connection, wanted: datetime, service: str, *, but: int | None = None
    ) -> list[datetime]:
        """The nearest free times: three of that day, else one of the nearest day before and after it."""
        free = self._free(connection, wanted.date(), service, but=but)
        if free:
            return nearest(free, wanted)
        offers: list[datetime] = []
        for direction in (-1, 1):
            for distance in range(1, 8):
                day = wanted.date() + timedelta(days=direction * distance)
                if free := self._free(connection, day, service, but=but):
                    offers += nearest(free, wanted, most=1)
                    break
        return offers

    def _check(
        self, connection: sqlite3.Connection, service: str, starts_at: datetime, *, but: int | None = None
    ) -> datetime:
        """The wanted begin in the business's timezone. Raises CalendarError if it cannot be had."""
        self._check_service(service)
        wanted = starts_at.replace(tzinfo=self._timezone) if starts_at.tzinfo is None else starts_at
        wanted = wanted.astimezone(self._timezone).replace(second=0, microsecond=0)
        self._check_day(connection, wanted, service)
        if wanted <= self._clock():
            raise CalendarError("That time is already past.", self._near(connection, wanted, service, but=but))
        if wanted in self._free(connection, wanted.date(), service, but=but):
            return wanted
        possible = day_times(self._settings, service, wanted.date(), self._timezone)
        offers = self._near(connection, wanted, service, but=but)
        if wanted in possible:
            raise CalendarError("That time is already taken.", offers)
        if possible[0] < wanted < possible[-1]:
            raise CalendarError(f"Appointments begin every {self._settings.step_minutes} minutes.", offers)
        opens, closes = (f"{wanted.date()}T{hour:%H:%M}" for hour in self._hours(wanted.date()))
        raise CalendarError(f"We are open from {opens[11:]} to {closes[11:]} that day.", offers)

    def _hours(self, day: date) -> tuple[time, time]:
        weekdays = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
        return self._settings.hours[weekdays[day.weekday()]]  # type: ignore[index]

    def _book(
        self, connection: sqlite3.Connection, name: str, service: str, starts_at: datetime, phone: str | None
    ) -> Appointment:
        self._check_service(service)
        wanted = starts_at.replace(tzinfo=self._timezone) if starts_at.tzinfo is None else starts_at
        row = connection.execute(
            "SELECT * FROM appointments WHERE status = 'booked' AND lower(name) = lower(?) AND service = ? "
            "AND strftime('%s', starts_at) + 0 = ?",
            (name.strip(), service, int(wanted.timestamp())),
        ).fetchone()
        if row is not None:
            return self._appointment(row)
        begin = self._check(connection, service, starts_at)
        cursor = connection.execute(
            "INSERT INTO appointments (name, phone, service, starts_at) VALUES (?, ?, ?, ?)",
            (name.strip(), phone, service, begin.isoformat()),
        )
        return self._by_id(connection, int(cursor.lastrowid or 0))

    def _find(self, connection: sqlite3.Connection, name: str) -> list[Appointment]:
        rows = connection.execute(
            "SELECT * FROM appointments WHERE status = 'booked' AND strftime('%s', starts_at) + 0 > ? "
            "ORDER BY strftime('%s', starts_at) + 0",
            (int(self._clock().timestamp()),),
        ).fetchall()
        wanted = name.casefold().split()
        whole = [row for row in rows if row["name"].casefold().split() == wanted]
        part = [row for row in rows if wanted and set(wanted) <= set(row["name"].casefold().split())]
        return [self._appointment(row) for row in whole or part]

    def _move(self, connection: sqlite3.Connection, appointment_id: int, starts_at: datetime) -> Appointment:
        appointment = self._by_id(connection, appointment_id)
        if appointment.status == "cancelled":
            raise CalendarError("That appointment was cancelled.")
        begin = self._check(connection, appointment.service, starts_at, but=appointment.id)
        connection.execute("UPDATE appointments SET starts_at = ? WHERE id = ?", (begin.isoformat(), appointment_id))
        return self._by_id(connection, appointment_id)

    def _cancel(self, connection: sqlite3.Connection, appointment_id: int) -> Appointment:
        self._by_id(connection, appointment_id)
        connection.execute("UPDATE appointments SET status = 'cancelled' WHERE id = ?", (appointment_id,))
        return self._by_id(connection, appointment_id)
