from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voiceworker.policy.pricing import Usage
from voiceworker.records import Entry, GroupBy, Records, Session

DAY = date(2026, 11, 23)
HEARD = Entry(1, Usage("stt", "deepgram/nova-3", audio_seconds=1.5), Decimal("0.0001925"), "USD")
THOUGHT = Entry(1, Usage("llm", "openai/gpt-4.1-mini", input_tokens=200, output_tokens=10), Decimal("0.000096"), "USD")
UNKNOWN = Entry(2, Usage("llm", "openai/gpt-9", input_tokens=50, estimated=True), None, "USD")


@pytest.fixture(autouse=True)
def _sessions(records: Records, asked: Session) -> None:
    records.sessions.create(asked)
    records.sessions.create(replace(asked, id="ses_2", agent="helpdesk"))
    records.sessions.create(replace(asked, id="ses_3", owner="key2"))
    records.sessions.create(replace(asked, id="ses_4", owner=None))


def test_entries_of_a_turn_and_model_are_added_up(records: Records, noon: datetime) -> None:
    more = Entry(1, Usage("llm", "openai/gpt-4.1-mini", input_tokens=-20, estimated=True), Decimal("-0.000008"), "USD")
    records.usage.enter("ses_1", [THOUGHT, HEARD], noon)
    records.usage.enter("ses_1", [more, UNKNOWN], noon)
    records.usage.enter("ses_2", [HEARD], noon)
    used = Usage("llm", "openai/gpt-4.1-mini", input_tokens=180, output_tokens=10, estimated=True)
    expected = [Entry(1, used, Decimal("0.000088"), "USD"), HEARD, UNKNOWN]
    assert records.usage.of_session("ses_1") == expected


def test_no_entries_are_no_mistake(records: Records, noon: datetime) -> None:
    records.usage.enter("ses_1", [], noon)
    assert records.usage.of_session("ses_1") == []
    assert records.usage.position() == 0


@pytest.mark.parametrize(
    ("group_by", "expected"),
    [
        (GroupBy.DAY, [("2026-11-23", "0.000577500", 3), ("2026-11-24", "0.000096000", 1)]),
        (GroupBy.AGENT, [("frontdesk", "0.000481000", 3), ("helpdesk", "0.000192500", 1)]),
        (GroupBy.KEY, [("", "0.000192500", 1), ("key1", "0.000385000", 2), ("key2", "0.000096000", 1)]),
        (GroupBy.MODEL, [("deepgram/nova-3", "0.000577500", 3), ("openai/gpt-4.1-mini", "0.000096000", 1)]),
    ],
)
def test_what_was_spent_is_told_by_day_agent_key_and_model(
    records: Records, noon: datetime, group_by: GroupBy, expected: list[tuple[str, str, int]]
) -> None:
    records.usage.enter("ses_1", [HEARD], noon)
    records.usage.enter("ses_2", [HEARD], noon)
    records.usage.enter("ses_3", [THOUGHT], noon + timedelta(days=1))
    records.usage.enter("ses_4", [HEARD], noon)
    found = records.usage.sums(DAY, DAY + timedelta(days=1), group_by)
    assert [(one.group, str(one.cost), one.sessions) for one in found] == expected


def test_a_sum_says_what_of_it_is_estimated_and_what_has_no_price(records: Records, noon: datetime) -> None:
    records.usage.enter("ses_1", [HEARD, THOUGHT, UNKNOWN], noon)
    [found] = records.usage.sums(DAY, DAY, GroupBy.AGENT)
    assert (found.estimated, found.unpriced, found.sessions) == (True, ("openai/gpt-9",), 1)
    assert (found.quantities["input_tokens"], found.quantities["audio_seconds"]) == (250, 1.5)


def test_currencies_are_not_added_to_each_other(records: Records, noon: datetime) -> None:
    records.usage.enter("ses_1", [HEARD, replace(HEARD, currency="EUR", cost=Decimal(2))], noon)
    found = records.usage.sums(DAY, DAY, GroupBy.KEY)
    assert [(one.currency, one.cost) for one in found] == [("EUR", 2), ("USD", Decimal("0.0001925"))]
    assert records.usage.spent(DAY) == {"EUR": 2, "USD": Decimal("0.0001925")}


def test_days_and_owners_outside_are_left_out(records: Records, noon: datetime) -> None:
    for days in (-1, 0, 1):
        records.usage.enter("ses_1", [HEARD], noon + timedelta(days=days))
    records.usage.enter("ses_3", [THOUGHT], noon)
    [found] = records.usage.sums(DAY, DAY, GroupBy.DAY, owner="key1")
    assert (found.group, found.cost) == ("2026-11-23", Decimal("0.0001925"))


def test_a_day_is_the_one_in_utc(records: Records, noon: datetime) -> None:
    records.usage.enter("ses_1", [HEARD], datetime.fromisoformat("2026-11-24T01:30:00+02:00"))
    assert records.usage.spent(DAY) == {"USD": Decimal("0.0001925")}


def test_what_a_day_cost_is_told_of_a_key_an_agent_and_without_a_call(records: Records, noon: datetime) -> None:
    for session in ("ses_1", "ses_2", "ses_3", "ses_4"):
        records.usage.enter(session, [replace(HEARD, cost=Decimal(1))], noon)
    spent = records.usage.spent
    assert spent(DAY) == {"USD": 4}
    assert spent(DAY, owner="key1") == {"USD": 2}
    assert spent(DAY, agent="frontdesk") == {"USD": 3}
    assert spent(DAY, without="ses_1") == {"USD": 3}
    assert spent(DAY, owner="key1", agent="helpdesk", without="ses_2") == {}
    assert spent(DAY + timedelta(days=1)) == {}


def test_who_counts_gets_each_entry_once(records: Records, noon: datetime) -> None:
    records.usage.enter("ses_1", [HEARD], noon)
    position = records.usage.position()
    assert records.usage.added(position).by_model == {}
    records.usage.enter("ses_1", [THOUGHT, UNKNOWN], noon)
    records.usage.enter("ses_3", [THOUGHT], noon)
    added = records.usage.added(position)
    assert added.by_model == {
        ("llm", "openai/gpt-4.1-mini", "USD"): Decimal("0.000192"),
        ("llm", "openai/gpt-9", "USD"): 0,
    }
    again = records.usage.added(added.position)
    assert (again.by_model, again.position) == ({}, added.position)


@given(st.lists(st.decimals(Decimal("-1"), Decimal("99"), places=9), min_size=1, max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
def test_money_is_kept_to_the_last_decimal(records: Records, noon: datetime, costs: list[Decimal]) -> None:
    before = records.usage.spent(DAY).get("USD", Decimal(0))
    records.usage.enter("ses_1", [replace(HEARD, cost=cost) for cost in costs], noon)
    assert records.usage.spent(DAY)["USD"] - before == sum(costs, Decimal(0))


def test_a_days_spending_reads_no_whole_table(database_url: str) -> None:
    connection = sqlite3.connect(database_url.removeprefix("sqlite:///"))
    query = "EXPLAIN QUERY PLAN SELECT sum(cost_nanos) FROM usage WHERE day = '2026-11-23'"
    steps = [step[3] for step in connection.execute(query)]
    connection.close()
    assert steps == ["SEARCH usage USING INDEX ix_usage_day (day=?)"]
