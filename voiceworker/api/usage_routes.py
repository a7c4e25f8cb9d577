"""What calls used of their providers and what that cost: of one session, and of days."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request

from voiceworker.api.authentication import Authentication
from voiceworker.api.problems import Problem, documented
from voiceworker.api.reception import Reception
from voiceworker.api.schema import Quantities, SessionUsage, UsageEntry, UsageGroup, UsageReport
from voiceworker.policy.pricing import QUANTITIES
from voiceworker.records import Entry, GroupBy, Records, Scope, Sum

_ALWAYS = ("unauthenticated", "foreign_origin", "missing_scope", "rate_limited", "records_unavailable")
_DAYS = 30
"that are told when nobody says which"
_MOST_DAYS = 366

_QUANTITIES: dict[str, Any] = {
    "audio_seconds": 41.3,
    "input_tokens": 5210,
    "cached_input_tokens": 3072,
    "output_tokens": 214,
    "audio_input_tokens": 0,
    "cached_audio_input_tokens": 0,
    "audio_output_tokens": 0,
    "characters": 1022,
}
_SESSION: dict[str, Any] = {
    "session": "ses_8Jx2mQ0v1bKc3dEf5gHi7A",
    "cost": "0.000096000",
    "currency": "USD",
    "estimated": True,
    "unpriced": [],
    "turns": [
        {
            **dict.fromkeys(_QUANTITIES, 0),
            "turn": 1,
            "role": "llm",
            "model": "openai/gpt-4.1-mini",
            "input_tokens": 200,
            "output_tokens": 10,
            "cost": "0.000096000",
            "currency": "USD",
            "estimated": True,
        }
    ],
}
_REPORT: dict[str, Any] = {
    "from": "2026-11-01",
    "to": "2026-11-30",
    "group_by": "day",
    "groups": [
        {
            "group": "2026-11-23",
            "sessions": 12,
            "cost": "0.038211400",
            "currency": "USD",
            "estimated": True,
            "unpriced": [],
            **_QUANTITIES,
        }
    ],
}


def usage_routes(
    reception: Reception, records: Records, authentication: Authentication, clock: Callable[[], datetime]
) -> APIRouter:
    router = APIRouter(tags=["usage"])

    @router.get(
        "/v1/realtime/sessions/{session_id}/usage",
        summary="What a session cost",
        responses={
            200: {"description": "So far.", "content": {"application/json": {"example": _SESSION}}},
            **documented(*_ALWAYS, "session_not_found", "invalid_request"),
        },
    )
    async def read_usage(
        request: Request, session_id: Annotated[str, Path(description="`ses_...`", max_length=64)]
    ) -> SessionUsage:
        """By turn and model; also while the call goes on, a turn behind it. A turn goes from the moment when the
        caller has finished to the next such moment; 0 is what came before the first."""
        client = await authentication.client(request, Scope.SESSIONS_READ)
        session = await reception.own(client, session_id)
        return _of_session(session.id, await asyncio.to_thread(records.usage.of_session, session.id))

    @router.get(
        "/v1/usage",
        summary="What the calls of some days cost",
        responses={
            200: {"description": "The days together.", "content": {"application/json": {"example": _REPORT}}},
            **documented(*_ALWAYS, "invalid_request"),
        },
    )
    async def read_report(
        request: Request,
        first: Annotated[date | None, Query(alias="from", description="A day in UTC; 29 days before `to`.")] = None,
        last: Annotated[date | None, Query(alias="to", description="A day in UTC, included; today.")] = None,
        group_by: Annotated[GroupBy, Query()] = GroupBy.DAY,
    ) -> UsageReport:
        """A key sees the calls it asked for; with the scope `usage:all` everybody's. Currencies stand side by side."""
        client = await authentication.client(request, Scope.USAGE_READ)
        until = last or clock().astimezone(UTC).date()
        since = first or _before(until, _DAYS - 1)
        if not timedelta() <= until - since < timedelta(days=_MOST_DAYS):
            detail = f"It is not before `to`, and at most {_MOST_DAYS} days are told."
            error = {"field": "query.from", "code": "days", "detail": detail}
            raise Problem("invalid_request", "A parameter is not valid; see errors.", errors=[error])
        owner = None if Scope.USAGE_ALL in client.scopes else client.owner
        sums = await asyncio.to_thread(records.usage.sums, since, until, group_by, owner=owner)
        return UsageReport(first=since, last=until, group_by=group_by, groups=[_group(one) for one in sums])

    return router


def _before(day: date, days: int) -> date:
    return day - timedelta(days=min(days, (day - date.min).days))


def _of_session(session: str, entries: Sequence[Entry]) -> SessionUsage:
    currencies = {entry.currency for entry in entries}
    return SessionUsage(
        session=session,
        cost=_money(sum((entry.cost for entry in entries if entry.cost is not None), Decimal(0))),
        currency=currencies.pop() if currencies else "",  # one call counts in one currency
        estimated=any(entry.usage.estimated for entry in entries),
        unpriced=sorted({entry.usage.model for entry in entries if entry.cost is None}),
        turns=[_entry(entry) for entry in entries],
    )


def _entry(entry: Entry) -> UsageEntry:
    return UsageEntry(
        turn=entry.turn,
        role=entry.usage.role,
        model=entry.usage.model,
        cost=None if entry.cost is None else _money(entry.cost),
        currency=entry.currency,
        estimated=entry.usage.estimated,
        **_quantities({name: getattr(entry.usage, name) for name in QUANTITIES}),
    )


def _group(one: Sum) -> UsageGroup:
    return UsageGroup(
        group=one.group,
        sessions=one.sessions,
        cost=_money(one.cost),
        currency=one.currency,
        estimated=one.estimated,
        unpriced=list(one.unpriced),
        **_quantities(dict(one.quantities)),
    )


def _quantities(values: dict[str, Any]) -> dict[str, Any]:
    return Quantities.model_validate(values).model_dump()


def _money(amount: Decimal) -> str:
    return f"{amount:f}"
