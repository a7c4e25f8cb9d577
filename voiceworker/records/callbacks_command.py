"""`voiceworker callbacks`: who waits to be rung."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from voiceworker.config import ConfigError, load_settings
from voiceworker.records import migrate, open_records


def callbacks(
    done: Annotated[str, typer.Option(metavar="SESSION", help="Somebody has rung: take this one off the list.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Show who was promised to be rung, because the models of his call were out of order."""
    url = load_settings().records_url
    migrate(url)
    records = open_records(url)
    try:
        if done and not records.callbacks.done(done, datetime.now(UTC)):
            raise ConfigError(f"--done: nobody waits to be rung for {done!r}; `voiceworker callbacks` shows who does")
        waiting = records.callbacks.open()
    finally:
        records.close()
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(one) for one in waiting], default=datetime.isoformat))
    elif not waiting:
        typer.echo("Nobody waits to be rung.")
    else:
        table = Table("asked", "number", "agent", "session", box=None)
        for one in waiting:
            table.add_row(f"{one.asked_at:%Y-%m-%d %H:%M} UTC", one.number, one.agent, one.session)
        Console().print(table)
