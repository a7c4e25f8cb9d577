"""`voiceworker keys`: make, list and revoke API keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import typer

from voiceworker.config import ConfigError, load_settings
from voiceworker.prices import load_prices
from voiceworker.records import NameTaken, Records, Scope, migrate, open_records

keys_app = typer.Typer(help="API keys: make, list and revoke them.", no_args_is_help=True)

_LONGEST_NAME = 64


@keys_app.command()
def create(
    name: Annotated[str, typer.Argument(help="For you, to know it by; e.g. the program that will use it.")],
    scope: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(Scope)}; may be repeated.")] = None,
    budget_per_day: Annotated[
        str, typer.Option(help="What its calls may cost in one day (UTC): 5, or 5EUR; without it there is no bound.")
    ] = "",
) -> None:
    """Make a key. It is printed on standard output, once; only its hash is kept."""
    scopes = [_scope(text) for text in scope or []]
    if not scopes:
        raise ConfigError(f"--scope: give at least one of: {', '.join(Scope)}")
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
        raise ConfigError(f"NAME: 1 to {_LONGEST_NAME} printable characters")
    amount, currency = _budget(budget_per_day)
    with _records() as records:
        try:
            key, text = records.keys.create(
                name, scopes, datetime.now(UTC), budget_per_day=amount, budget_currency=currency
            )
        except NameTaken:
            raise ConfigError(f"NAME: a key {name!r} is in force; revoke it first, or choose another name") from None
    typer.echo(text)
    typer.echo(f"Key {key.id} ({name}). Store it now: it cannot be shown again.", err=True)


@keys_app.command(name="list")
def list_keys() -> None:
    """List the keys, oldest first; the keys themselves cannot be shown."""
    with _records() as records:
        for key in records.keys.all():
            state = "in force" if key.revoked_at is None else f"revoked {key.revoked_at:%Y-%m-%d}"
            line = f"{key.id}  {key.created_at:%Y-%m-%d}  {state:18}  {key.name}  {' '.join(sorted(key.scopes))}"
            bound = (
                f"  at most {key.budget_per_day.normalize():f} {key.budget_currency} a day"
                if key.budget_per_day
                else ""
            )
            typer.echo(line + bound)


@keys_app.command()
def revoke(name_or_id: Annotated[str, typer.Argument(help="As `keys list` shows it.")]) -> None:
    """End a key, at once. Calls that have begun go on."""
    with _records() as records:
        key = records.keys.revoke(name_or_id, datetime.now(UTC))
    if key is None:
        raise ConfigError(f"NAME_OR_ID: no key {name_or_id!r} is in force; `voiceworker keys list` shows them")
    typer.echo(f"Revoked {key.id} ({key.name}).", err=True)


def _budget(text: str) -> tuple[Decimal | None, str]:
    if not text:
        return None, ""
    settings = load_settings()
    known = load_prices(settings.prices_file).rates
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?) ?([A-Z]{3})?", text.strip())
    currency = (found[2] if found else None) or settings.budget_currency
    if found is None or not Decimal(found[1]) or currency not in known:
        raise ConfigError(f"--budget-per-day: more than 0, as 5 or 2.50EUR, in one of {', '.join(sorted(known))}")
    return Decimal(found[1]), currency


def _scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError:
        raise ConfigError(f"--scope: no scope {text!r}; there are: {', '.join(Scope)}") from None


@contextmanager
def _records() -> Iterator[Records]:
    url = load_settings().records_url
    migrate(url)
    records = open_records(url)
    try:
        yield records
    finally:
        records.close()
