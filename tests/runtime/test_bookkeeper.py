from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import AgentSession, AgentStateChangedEvent, ChatContext, ConversationItemAddedEvent

from voiceworker.config import AgentDefinition
from voiceworker.events import BudgetExceeded, BudgetWarned, Event, UsageUpdated
from voiceworker.policy.budget import Budget
from voiceworker.policy.pricing import Usage
from voiceworker.prices import load_prices
from voiceworker.records import Records, Session, SessionStatus, migrate, open_records
from voiceworker.records.budgets import BudgetDesk
from voiceworker.runtime.accounts import AccountsInMemory, StoredAccounts
from voiceworker.runtime.bookkeeper import Bookkeeper
from voiceworker.runtime.metering import Meter
from voiceworker.runtime.tasks import Tasks

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CENT = Usage("llm", "openai/gpt-4.1-mini", input_tokens=25_000)
"it costs one"


class Call:
    """A call's meter and books, and what came of them."""

    def __init__(self, *budgets: Budget) -> None:
        self.meter = Meter(load_prices(), "USD")
        self.accounts = AccountsInMemory(budgets)
        self.told: list[Event] = []
        self.ends: list[str] = []
        self.session: AgentSession[Any] = AgentSession(vad=None)
        self.books = Bookkeeper(
            self.meter,
            self.accounts,
            self.told.append,
            lambda: self.ends.append("goodbye"),
            lambda: self.ends.append("cut"),
            lambda: NOON,
        )
        self.books.attach(self.session)

    def spends(self, cents: int) -> None:
        for _ in range(cents):
            self.meter.add(CENT)
        self.books.look()

    def agent_is(self, state: Any, before: Any) -> None:
        self.session.emit("agent_state_changed", AgentStateChangedEvent(old_state=before, new_state=state))

    def caller_says(self, text: str) -> None:
        item = ChatContext.empty().add_message(role="user", content=text)
        self.session.emit("conversation_item_added", ConversationItemAddedEvent(item=item))

    @property
    def verdicts(self) -> list[type[Event]]:
        return [type(event) for event in self.told if not isinstance(event, UsageUpdated)]


@asynccontextmanager
async def running(*budgets: Budget) -> AsyncIterator[Call]:
    """With its budgets read."""
    call, tasks = Call(*budgets), Tasks()
    tasks.spawn(call.books.run(), "books")
    async with asyncio.timeout(3):
        while call.books._spending is None:
            await asyncio.sleep(0.001)
    yield call
    await tasks.aclose()


async def test_what_a_call_has_used_is_told_when_it_changes() -> None:
    async with running() as call:
        call.spends(1)
        call.books.look()
        call.meter.add(Usage("stt", "deepgram/nova-3", audio_seconds=60))
        call.meter.add(Usage("tts", "deepgram/aura-2-thalia-en", characters=100))
        call.books.look()
    assert call.told == [
        UsageUpdated(0, 25_000, 0, "0.010000000", "USD"),
        UsageUpdated(60, 25_000, 100, "0.020700000", "USD"),
    ]


async def test_an_embedded_agent_costs_nothing_and_tells_nothing() -> None:
    async with running(Budget("session", Decimal(1))) as call:
        call.caller_says("hello")
        call.books.look()
    assert call.told == []


async def test_what_has_no_price_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as call:
        for _ in range(3):
            call.meter.add(Usage("llm", "openai/gpt-9", input_tokens=100))
            call.books.look()
    assert [event.cost for event in call.told if isinstance(event, UsageUpdated)] == ["0.000000000"] * 3
    assert [record.getMessage() for record in caplog.records if "has no price" in record.message] == [
        "openai/gpt-9 has no price: what it costs is not known, and not in any sum"
    ]


async def test_a_spent_budget_is_warned_of_then_told_and_the_answer_is_finished_before_the_goodbye() -> None:
    async with running(Budget("session", Decimal("0.05"))) as call:
        call.caller_says("hello")
        call.agent_is("thinking", before="listening")
        call.spends(4)
        assert call.verdicts == [BudgetWarned]
        call.agent_is("speaking", before="thinking")
        call.spends(2)
        assert call.verdicts == [BudgetWarned, BudgetExceeded]
        assert call.ends == []
        call.agent_is("listening", before="speaking")
        assert call.ends == ["goodbye"]
    assert BudgetExceeded("session", "0.060000000", "0.050000000", "USD") in call.told


async def test_no_turn_begins_once_the_budget_is_spent_though_the_caller_cuts_in() -> None:
    async with running(Budget("session", Decimal("0.05"))) as call:
        call.caller_says("hello")
        call.agent_is("speaking", before="thinking")
        call.spends(5)
        call.caller_says("and another thing")
        assert call.ends == ["goodbye"]


async def test_who_goes_on_spending_is_cut() -> None:
    async with running(Budget("session", Decimal("0.04"))) as call:
        call.spends(4)
        call.spends(4)
        assert call.ends == ["goodbye", "cut"]


async def test_what_others_spend_meanwhile_counts() -> None:
    async with running(Budget("day", Decimal("0.10"), spent_before=Decimal("0.02"))) as call:
        call.spends(1)
        call.accounts.known = [Budget("day", Decimal("0.10"), spent_before=Decimal("0.09"))]
        await call.books._read_budgets()
        call.books.look()
        assert call.verdicts == [BudgetWarned, BudgetExceeded]


async def test_turns_are_written_down_as_they_end_and_the_rest_at_the_end() -> None:
    call = Call()
    call.meter.add(CENT)
    call.caller_says("hello")
    call.meter.add(CENT)
    await call.books.write_down()
    call.meter.add(CENT)
    await call.books.write_down(whole=True)
    await call.books.write_down(whole=True)
    assert [(entry.turn, entry.cost) for entry in call.accounts.entries] == [
        (0, Decimal("0.01")),
        (1, Decimal("0.01")),
        (1, Decimal("0.01")),
    ]


async def test_books_that_cannot_be_written_do_not_end_the_call(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(AccountsInMemory):
        def enter(self, *_: object) -> None:
            raise OSError("the disk is full")

    call = Call()
    call.books._accounts = Broken()
    call.meter.add(CENT)
    await call.books.write_down(whole=True)
    assert "what the call used was not recorded" in caplog.text


# --- with the records ---


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    url = f"sqlite:///{tmp_path / 'voiceworker.db'}"
    migrate(url)
    opened = open_records(url)
    yield opened
    opened.close()


async def test_a_calls_budgets_are_its_own_its_keys_its_agents_and_everybodys(records: Records) -> None:
    key, _ = records.keys.create("shop", [], NOON, budget_per_day=Decimal(8), budget_currency="EUR")
    limits = {"budget": {"amount": 1, "warn_at": 0.5}, "budget_per_day": {"amount": 100, "currency": "EUR"}}
    definition = AgentDefinition.model_validate(
        {"name": "frontdesk", "instructions": "Be kind.", "greeting": "Hello.", "limits": limits}
    )
    first = Session("ses_1", "frontdesk", SessionStatus.ACTIVE, "ses_1", "caller", NOON, {}, owner=key.id)
    records.sessions.create(first)
    records.sessions.create(replace(first, id="ses_2"))
    prices = load_prices()
    desk = BudgetDesk(records.usage, records.keys, prices, "USD", Decimal(50))
    accounts = {name: StoredAccounts(records, desk, name, definition) for name in ("ses_1", "ses_2")}
    call = Call()
    call.meter.add(CENT)
    call.books._accounts = accounts["ses_1"]
    await call.books.write_down(whole=True)
    euros = prices.convert(Decimal(8), "EUR", "USD")
    spent = Decimal("0.01")
    assert accounts["ses_2"].budgets(NOON) == [
        Budget("session", Decimal(1), Decimal("0.5")),
        Budget("key", euros, spent_before=spent),
        Budget("agent", prices.convert(Decimal(100), "EUR", "USD"), spent_before=spent),
        Budget("day", Decimal(50), spent_before=spent),
    ]
    assert all(budget.spent_before == 0 for budget in accounts["ses_1"].budgets(NOON))
