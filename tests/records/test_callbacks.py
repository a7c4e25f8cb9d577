from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from voiceworker.cli import app
from voiceworker.config import ConfigError
from voiceworker.records import Callback, Records, Session, migrate, open_records


@pytest.fixture
def promised(records: Records, asked: Session, noon: datetime) -> Callback:
    records.sessions.create(asked)
    return Callback("ses_1", "frontdesk", "+44 20 7946 0018", noon)


def test_who_was_promised_a_call_waits_until_somebody_has_rung(
    records: Records, promised: Callback, asked: Session, noon: datetime
) -> None:
    records.sessions.create(replace(asked, id="ses_2"))
    later = replace(promised, session="ses_2", asked_at=noon + timedelta(minutes=5))
    records.callbacks.ask(later)
    records.callbacks.ask(promised)
    assert records.callbacks.open() == [promised, later]
    assert records.callbacks.done("ses_1", noon)
    assert records.callbacks.open() == [later]
    assert not records.callbacks.done("ses_1", noon)


def test_a_promise_made_twice_in_one_call_is_one(records: Records, promised: Callback) -> None:
    records.callbacks.ask(promised)
    records.callbacks.ask(replace(promised, number="0171 5550"))
    assert [one.number for one in records.callbacks.open()] == ["0171 5550"]


def test_the_command_shows_who_waits_and_takes_off_who_was_rung(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Session, noon: datetime
) -> None:
    url = f"sqlite:///{tmp_path / 'records.db'}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOICEWORKER_DATABASE_URL", url)
    migrate(url)
    records = open_records(url)
    records.sessions.create(asked)
    records.callbacks.ask(Callback("ses_1", "frontdesk", "+44 20 7946 0018", noon))
    records.close()
    runner = CliRunner()
    assert "+44 20 7946 0018" in runner.invoke(app, ["callbacks"], env={"COLUMNS": "200"}).stdout
    (one,) = json.loads(runner.invoke(app, ["callbacks", "--json"]).stdout)
    assert (one["session"], one["done_at"]) == ("ses_1", None)
    assert "Nobody waits" in runner.invoke(app, ["callbacks", "--done", "ses_1"]).stdout
    wrong = runner.invoke(app, ["callbacks", "--done", "ses_1"])
    assert isinstance(wrong.exception, ConfigError)
    assert "nobody waits to be rung for 'ses_1'" in str(wrong.exception)
