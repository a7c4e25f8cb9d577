"""What the calls used of their providers and what it cost: an account book, to which is only added.

A call enters what has come since its last entry, turn by turn and model by model; what one entry got wrong a later one
puts right by a negative figure. So a call that was interrupted and taken up again by another process needs no more
than to go on writing, and every sum is right at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Row, Select, func, insert, select
from sqlalchemy.engine import Engine

from voiceworker.policy.pricing import NANO, QUANTITIES, Usage, kept
from voiceworker.records.database import reading, writing
from voiceworker.records.tables import sessions, usage

UNKNOWN_OWNER = ""
"of calls that no key asked for: dispatches made by the LiveKit server API"


class GroupBy(StrEnum):
    DAY = "day"
    "in UTC"
    AGENT = "agent"
    KEY = "key"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one turn of a call used of one model, or used more."""

    turn: int
    "0: before the caller's first"
    usage: Usage
    cost: Decimal | None
    "None: the model has no known price"
    currency: str


@dataclass(frozen=True, slots=True)
class Sum:
    """Of the entries that have one thing in common."""

    group: str
    currency: str
    cost: Decimal
    "of what has a known price"
    quantities: Mapping[str, float] = field(default_factory=dict)
    "by the names of policy.pricing.QUANTITIES"
    estimated: bool = False
    "a part of it"
    unpriced: tuple[str, ...] = ()
    "the models in it without a known price"
    sessions: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """What was entered after a position, added up by role and model."""

    by_model: Mapping[tuple[str, str, str], Decimal]
    "role, model, currency -> cost"
    position: int


class UsageBook(Protocol):
    def enter(self, session: str, entries: Sequence[Entry], now: datetime) -> None:
        """Adds them, all or none; their day is that of `now` in UTC."""

    def of_session(self, session: str) -> list[Entry]:
        """One for each turn, role, model and currency, in this order."""

    def sums(self, first: date, last: date, group_by: GroupBy, *, owner: str | None = None) -> list[Sum]:
        """Of the days from the first to the last, in the order of their groups; of one owner's calls only, if given."""

    def spent(
        self, day: date, *, owner: str | None = None, agent: str | None = None, without: str | None = None
    ) -> dict[str, Decimal]:
        """The cost of a day by currency: of everybody, or of an owner, of an agent; without that of one session."""

    def position(self) -> int:
        """After the newest entry."""

    def added(self, after: int) -> Spent:
        """What was entered after a position; nothing is left out, nor told again to who asks next after its own."""


class StoredUsage:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def enter(self, session: str, entries: Sequence[Entry], now: datetime) -> None:
        rows = [_row(session, entry, now) for entry in entries]
        if not rows:
            return
        with writing(self._engine, alone="usage") as connection:  # ids in the order in which rows are seen
            connection.execute(insert(usage), rows)

    def of_session(self, session: str) -> list[Entry]:
        keys = (usage.c.turn, usage.c.role, usage.c.model, usage.c.currency)
        query = select(*keys, *_sums()).where(usage.c.session == session).group_by(*keys).order_by(*keys)
        with reading(self._engine) as connection:
            return [_entry(row) for row in connection.execute(query)]

    def sums(self, first: date, last: date, group_by: GroupBy, *, owner: str | None = None) -> list[Sum]:
        group = _group_column(group_by)
        query = select(group.label("group"), usage.c.model, usage.c.currency, *_sums())
        per_model = _between(query, first, last, owner).group_by(group, usage.c.model, usage.c.currency)
        calls = select(group.label("group"), usage.c.currency, func.count(usage.c.session.distinct()).label("calls"))
        per_group = _between(calls, first, last, owner).group_by(group, usage.c.currency)
        with reading(self._engine) as connection:
            rows = list(connection.execute(per_model))
            counts = {(_text(row.group), row.currency): row.calls for row in connection.execute(per_group)}
        return _merged(rows, counts)

    def spent(
        self, day: date, *, owner: str | None = None, agent: str | None = None, without: str | None = None
    ) -> dict[str, Decimal]:
        query = select(usage.c.currency, func.sum(usage.c.cost_nanos)).where(usage.c.day == day)
        if owner is not None or agent is not None:
            query = query.join(sessions, sessions.c.id == usage.c.session)
        if owner is not None:
            query = query.where(sessions.c.owner == owner)
        if agent is not None:
            query = query.where(sessions.c.agent == agent)
        if without is not None:
            query = query.where(usage.c.session != without)
        with reading(self._engine) as connection:
            rows = connection.execute(query.group_by(usage.c.currency))
            return {currency: _money(nanos) for currency, nanos in rows}

    def position(self) -> int:
        with reading(self._engine) as connection:
            return connection.execute(select(func.max(usage.c.id))).scalar() or 0

    def added(self, after: int) -> Spent:
        keys = (usage.c.role, usage.c.model, usage.c.currency)
        query = select(*keys, func.sum(usage.c.cost_nanos), func.max(usage.c.id)).where(usage.c.id > after)
        with reading(self._engine) as connection:
            rows = list(connection.execute(query.group_by(*keys)))
        costs = {(role, model, currency): _money(nanos) for role, model, currency, nanos, _ in rows}
        return Spent(costs, max((newest for *_, newest in rows), default=after))


# --- to and from rows ---


def _row(session: str, entry: Entry, now: datetime) -> dict[str, Any]:
    quantities = {name: getattr(entry.usage, name) for name in QUANTITIES}
    return {
        "session": session,
        "at": now,
        "day": now.astimezone(UTC).date(),
        "turn": entry.turn,
        "role": entry.usage.role,
        "model": entry.usage.model,
        "cost_nanos": None if entry.cost is None else int(kept(entry.cost) / NANO),
        "currency": entry.currency,
        "estimated": entry.usage.estimated,
        **quantities,
    }


def _sums() -> list[ColumnElement[Any]]:
    quantities = [func.sum(usage.c[name]).label(name) for name in QUANTITIES]
    estimated = func.max(usage.c.estimated.cast(_INTEGER)).label("estimated")
    priced = func.count(usage.c.cost_nanos).label("priced")
    return [*quantities, func.sum(usage.c.cost_nanos).label("cost_nanos"), estimated, priced]


_INTEGER = usage.c.turn.type
"what a truth is counted as: PostgreSQL has no maximum of truths"


def _entry(row: Row[Any]) -> Entry:
    used = Usage(row.role, row.model, **_quantities(row), estimated=bool(row.estimated))  # type: ignore[arg-type]
    return Entry(row.turn, used, _money(row.cost_nanos) if row.priced else None, row.currency)


def _quantities(row: Row[Any]) -> dict[str, float]:
    # PostgreSQL adds whole numbers up to Decimals
    values = {name: getattr(row, name) or 0 for name in QUANTITIES}
    return {name: float(value) if name == "audio_seconds" else int(value) for name, value in values.items()}


def _money(nanos: Any) -> Decimal:
    return Decimal(int(nanos or 0)) * NANO


def _group_column(group_by: GroupBy) -> ColumnElement[Any]:
    match group_by:
        case GroupBy.DAY:
            return usage.c.day
        case GroupBy.AGENT:
            return sessions.c.agent
        case GroupBy.KEY:
            return func.coalesce(sessions.c.owner, UNKNOWN_OWNER)
        case GroupBy.MODEL:
            return usage.c.model


def _between(query: Select[Any], first: date, last: date, owner: str | None) -> Select[Any]:
    query = query.join(sessions, sessions.c.id == usage.c.session).where(usage.c.day >= first, usage.c.day <= last)
    return query if owner is None else query.where(sessions.c.owner == owner)


def _text(group: Any) -> str:
    return group.isoformat() if isinstance(group, date) else str(group)


def _merged(rows: Sequence[Row[Any]], calls: Mapping[tuple[str, str], int]) -> list[Sum]:
    """The rows of one group and currency differ in their model; made one."""
    merged: dict[tuple[str, str], list[Row[Any]]] = {}
    for row in rows:
        merged.setdefault((_text(row.group), row.currency), []).append(row)
    return [
        Sum(
            group=group,
            currency=currency,
            cost=sum((_money(row.cost_nanos) for row in same), Decimal(0)),
            quantities={name: sum(_quantities(row)[name] for row in same) for name in QUANTITIES},
            estimated=any(row.estimated for row in same),
            unpriced=tuple(sorted({row.model for row in same if not row.priced})),
            sessions=calls[group, currency],
        )
        for (group, currency), same in sorted(merged.items())
    ]
