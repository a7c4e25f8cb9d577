from __future__ import annotations

import sqlite3
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voiceworker.records import NameTaken, Records, Scope


def test_a_key_opens_what_its_scopes_say_and_is_kept_as_a_hash(
    records: Records, database_url: str, noon: datetime
) -> None:
    key, text = records.keys.create("shop", [Scope.SESSIONS_CREATE, Scope.SESSIONS_READ], noon)
    assert records.keys.verify(text) == key
    assert key.scopes == {Scope.SESSIONS_CREATE, Scope.SESSIONS_READ}
    secret = text.split("_", 2)[2]
    connection = sqlite3.connect(database_url.removeprefix("sqlite:///"))
    dump = "\n".join(connection.iterdump())
    connection.close()
    assert key.id in dump
    assert secret not in dump


def test_a_revoked_key_opens_nothing_and_its_name_is_free_again(records: Records, noon: datetime) -> None:
    key, text = records.keys.create("shop", [Scope.SESSIONS_CREATE], noon)
    with pytest.raises(NameTaken):
        records.keys.create("shop", [], noon)
    revoked = records.keys.revoke("shop", noon)
    assert revoked is not None
    assert (revoked.id, revoked.revoked_at) == (key.id, noon)
    assert records.keys.verify(text) is None
    assert records.keys.revoke(key.id, noon) is None
    again, _ = records.keys.create("shop", [], noon)
    assert [found.id for found in records.keys.all()] == [key.id, again.id]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(guess=st.text())
def test_no_other_text_opens(records: Records, noon: datetime, guess: str) -> None:
    if not records.keys.all():
        records.keys.create("shop", [Scope.SESSIONS_CREATE], noon)
    key_id = records.keys.all()[0].id
    for text in (guess, f"vwk_{key_id}_{guess}", f"vwk_{key_id}", key_id):
        assert records.keys.verify(text) is None


def test_a_key_keeps_what_it_may_spend_in_a_day(records: Records, noon: datetime) -> None:
    bounded, text = records.keys.create("shop", [], noon, budget_per_day=Decimal("2.50"), budget_currency="EUR")
    free, _ = records.keys.create("desk", [], noon)
    found = records.keys.verify(text)
    assert found is not None
    assert (found.budget_per_day, found.budget_currency) == (Decimal("2.50"), "EUR")
    assert records.keys.get(bounded.id) == found
    assert records.keys.get(free.id) == free
    assert free.budget_per_day is None
    assert records.keys.get("none") is None
