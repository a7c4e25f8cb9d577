from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from voiceworker.api.keys_command import keys_app
from voiceworker.config import ConfigError
from voiceworker.records import Scope, open_records


@pytest.fixture
def database_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path / 'keys.db'}"
    monkeypatch.setenv("VOICEWORKER_DATABASE_URL", url)
    return url


def test_a_key_is_made_shown_once_listed_and_revoked(database_url: str) -> None:
    cli = CliRunner()
    made = cli.invoke(keys_app, ["create", "shop", "--scope", "sessions:create", "--scope", "sessions:read"])
    assert made.exit_code == 0
    text = made.stdout.removesuffix("\n")
    assert "\n" not in text
    assert "cannot be shown again" in made.stderr
    records = open_records(database_url)
    key = records.keys.verify(text)
    assert key is not None
    assert key.scopes == {Scope.SESSIONS_CREATE, Scope.SESSIONS_READ}
    listed = cli.invoke(keys_app, ["list"]).stdout
    assert "shop" in listed
    assert "in force" in listed
    assert text not in listed
    assert cli.invoke(keys_app, ["revoke", "shop"]).exit_code == 0
    assert records.keys.verify(text) is None
    assert "revoked" in cli.invoke(keys_app, ["list"]).stdout
    records.close()


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["create", "shop", "--scope", "sessions:all"], "there are: sessions:create, sessions:read"),
        (["create", "shop"], "at least one of: sessions:create"),
        (["create", "", "--scope", "sessions:read"], "1 to 64 printable"),
        (["revoke", "nobody"], "keys list"),
        (["create", "shop", "--scope", "sessions:read", "--budget-per-day", "0"], "more than 0, as 5 or 2.50EUR"),
        (["create", "shop", "--scope", "sessions:read", "--budget-per-day", "five"], "more than 0"),
        (["create", "shop", "--scope", "sessions:read", "--budget-per-day", "5XXX"], "in one of AUD, CAD, CHF"),
    ],
)
def test_a_mistake_is_one_line_with_the_remedy(database_url: str, command: list[str], says: str) -> None:
    error = CliRunner().invoke(keys_app, command).exception
    assert isinstance(error, ConfigError)
    assert says in str(error)
    assert "\n" not in str(error)


def test_a_name_in_force_is_not_given_twice(database_url: str) -> None:
    cli = CliRunner()
    command = ["create", "shop", "--scope", "sessions:read"]
    assert cli.invoke(keys_app, command).exit_code == 0
    again = cli.invoke(keys_app, command)
    assert isinstance(again.exception, ConfigError)
    assert again.stdout == ""


@pytest.mark.parametrize(
    ("given", "amount", "currency", "shown"),
    [("5", "5", "USD", "at most 5 USD a day"), ("2.50EUR", "2.50", "EUR", "at most 2.5 EUR a day")],
)
def test_a_key_may_be_bounded_by_the_day(database_url: str, given: str, amount: str, currency: str, shown: str) -> None:
    cli = CliRunner()
    made = cli.invoke(keys_app, ["create", "shop", "--scope", "sessions:create", "--budget-per-day", given])
    records = open_records(database_url)
    key = records.keys.verify(made.stdout.strip())
    records.close()
    assert key is not None
    assert (key.budget_per_day, key.budget_currency) == (Decimal(amount), currency)
    assert shown in cli.invoke(keys_app, ["list"]).stdout
