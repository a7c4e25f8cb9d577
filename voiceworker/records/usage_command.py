"""`voiceworker usage`: what the calls cost."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from voiceworker.config import ConfigError, load_settings
from voiceworker.records import GroupBy, Sum, migrate, open_records

_LONGEST_DAYS = 3660


def usage(
    since: Annotated[str, typer.Option(help="A day in UTC, as 2026-11-01, or so many days: 7d.")] = "30d",
    by: Annotated[GroupBy, typer.Option(help="What is added up together.")] = GroupBy.DAY,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Show what the calls cost, up to today."""
    today = datetime.now(UTC).date()
    first = _first_day(since, today)
    url = load_settings().records_url
    migrate(url)
    records = open_records(url)
    try:
        sums = records.usage.sums(first, today, by)
    finally:
        records.close()
    if as_json:
        typer.echo(json.dumps(_document(first, today, by, sums)))
    else:
        _print(first, today, by, sums)


def _first_day(text: str, today: date) -> date:
    days = re.fullmatch(r"(\d{1,4})d", text)
    try:
        first = today - timedelta(days=int(days[1]) - 1) if days else date.fromisoformat(text)
    except ValueError:
        first = date.max
    if not timedelta() <= today - first < timedelta(days=_LONGEST_DAYS):
        raise ConfigError("--since: a day that has been, as 2026-11-01, or 1d to 3660d")
    return first


def _document(first: date, last: date, by: GroupBy, sums: Sequence[Sum]) -> dict[str, Any]:
    groups = [
        {
            "group": one.group,
            "sessions": one.sessions,
            "cost": f"{one.cost:f}",
            "currency": one.currency,
            "estimated": one.estimated,
            "unpriced": list(one.unpriced),
            **one.quantities,
        }
        for one in sums
    ]
    return {"from": first.isoformat(), "to": last.isoformat(), "group_by": by.value, "groups": groups}


def _print(first: date, last: date, by: GroupBy, sums: Sequence[Sum]) -> None:
    table = Table(title=f"{first} to {last}, UTC", box=None, title_justify="left")
    table.add_column(by.value)
    for heading in ("calls", "heard", "tokens", "characters", "cost"):
        table.add_column(heading, justify="right")
    for one in sums:
        quantities = one.quantities
        tokens = sum(quantities[name] for name in quantities if name in _TOKENS)
        cost = f"{_rounded(one.cost)} {one.currency}" + (" + ?" if one.unpriced else "")
        heard = f"{quantities['audio_seconds'] / 60:.1f} min"
        row = (
            one.group or "(no key)",
            str(one.sessions),
            heard,
            f"{tokens:.0f}",
            f"{quantities['characters']:.0f}",
            cost,
        )
        table.add_row(*row)
    console = Console()
    console.print(table)
    for currency in sorted({one.currency for one in sums}):
        total = sum((one.cost for one in sums if one.currency == currency), Decimal(0))
        console.print(f"Together {_rounded(total)} {currency}.")
    unpriced = sorted({model for one in sums for model in one.unpriced})
    if unpriced:
        console.print(f"Without a known price, and so not in it: {', '.join(unpriced)}.")
    if not sums:
        console.print("Nothing was used that costs anything, or is counted.")


_TOKENS = ("input_tokens", "output_tokens", "audio_input_tokens", "audio_output_tokens")


def _rounded(amount: Decimal) -> str:
    """Cents, and what is less than one not as nothing."""
    return f"{amount:.4f}" if amount and abs(amount) < Decimal("0.1") else f"{amount:.2f}"
