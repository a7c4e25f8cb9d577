"""Where a call writes down what it cost, and reads what it may."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from voiceworker.config import AgentDefinition
from voiceworker.policy.budget import Budget
from voiceworker.records import Entry, Records
from voiceworker.records.budgets import BudgetDesk


class Accounts(Protocol):
    """Of one call. Each method may block on a disk: for threads only."""

    def budgets(self, now: datetime) -> list[Budget]:
        """With what others have spent of them today, in the currency of the call's meter.

        Raises UnknownCurrencyError.
        """

    def enter(self, entries: Sequence[Entry], now: datetime) -> None: ...


class StoredAccounts:
    def __init__(self, records: Records, desk: BudgetDesk, session: str, definition: AgentDefinition) -> None:
        self._records = records
        self._desk = desk
        self._session = session
        self._definition = definition

    def budgets(self, now: datetime) -> list[Budget]:
        record = self._records.sessions.get(self._session)
        owner = None if record is None else record.owner
        bounds = self._desk.session_budget(self._definition)
        return [*bounds, *self._desk.day_budgets(self._definition, owner, now, without=self._session)]

    def enter(self, entries: Sequence[Entry], now: datetime) -> None:
        self._records.usage.enter(self._session, entries, now)


class AccountsInMemory:
    """For a call without records, and for tests."""

    def __init__(self, budgets: Sequence[Budget] = ()) -> None:
        self.known = list(budgets)
        self.entries: list[Entry] = []

    def budgets(self, now: datetime) -> list[Budget]:
        return list(self.known)

    def enter(self, entries: Sequence[Entry], now: datetime) -> None:
        self.entries += entries
