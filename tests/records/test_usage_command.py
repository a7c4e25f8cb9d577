from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import typer
from typer.testing import CliRunner, Result

from voiceworker.config import ConfigError
from voiceworker.policy.pricing import Usage
from voiceworker.records import Entry, Records, Session
from voiceworker.records.usage_command import usage

Run = Callable[..., Result]
HEARD = Entry(1, Usage("stt", "deepgram/nova-3", audio_seconds=90), Decimal("0.01155"), "USD")
UNKNOWN = Entry(2, Usage("llm", "openai/gpt-9", input_tokens=50), None, "USD")


@pytest.fixture
def run(database_url: str, records: Records, asked: Session, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command, over records with a call of today and one of ten days ago."""
    monkeypatch.setenv("VOICEWORKER_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "120")
    now = datetime.now(UTC)
    records.sessions.create(asked)
    records.usage.enter("ses_1", [HEARD, UNKNOWN], now)
    records.usage.enter("ses_1", [HEARD], now - timedelta(days=10))
    app = typer.Typer()
    app.command()(usage)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_what_the_calls_cost_is_shown_by_day(run: Run) -> None:
    shown = run()
    today = datetime.now(UTC).date()
    assert shown.exit_code == 0
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert [str(today - timedelta(days=10)), "1", "1.5", "min", "0", "0", "0.0116", "USD"] in lines
    assert [str(today), "1", "1.5", "min", "50", "0", "0.0116", "USD", "+", "?"] in lines
    assert "Together 0.0231 USD." in shown.stdout
    assert "Without a known price, and so not in it: openai/gpt-9." in shown.stdout


def test_programs_get_a_document(run: Run) -> None:
    told = json.loads(run("--since", "7d", "--by", "model", "--json").stdout)
    assert told["group_by"] == "model"
    assert [(one["group"], one["cost"], one["unpriced"]) for one in told["groups"]] == [
        ("deepgram/nova-3", "0.011550000", []),
        ("openai/gpt-9", "0.000000000", ["openai/gpt-9"]),
    ]
    assert told["groups"][0]["audio_seconds"] == 90


def test_a_day_can_be_named(run: Run) -> None:
    day = datetime.now(UTC).date() - timedelta(days=10)
    assert json.loads(run("--since", str(day), "--json").stdout)["groups"][0]["group"] == str(day)


@pytest.mark.parametrize("since", ["soon", "0d", "9999d", "2999-01-01", "1999-01-01", "2026-02-30"])
def test_days_that_are_none_are_refused(run: Run, since: str) -> None:
    refused = run("--since", since)
    assert isinstance(refused.exception, ConfigError)
    assert "--since: a day that has been" in str(refused.exception)
