"""What a call may spend: the bounds of its agent, its key and everybody, with what others have spent of them today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from voiceworker.config import AgentDefinition
from voiceworker.policy.budget import Budget
from voiceworker.policy.pricing import PriceTable
from voiceworker.records.keys import Keys
from voiceworker.records.usage import UsageBook


@dataclass(frozen=True, slots=True)
class BudgetDesk:
    """Tells budgets in one currency. Each call reads the database: for threads only."""

    usage: UsageBook
    keys: Keys
    prices: PriceTable
    currency: str
    "of everything that it tells"
    per_day: Decimal | None = None
    "what all calls of a day may cost, in that currency"

    def session_budget(self, definition: AgentDefinition) -> list[Budget]:
        """Of one call; none when it has no bound. Raises UnknownCurrencyError."""
        own = definition.limits.budget
        if own is None:
            return []
        limit = self.prices.convert(own.amount, own.currency, self.currency)
        return [Budget("session", limit, Decimal(repr(own.warn_at)))]

    def day_budgets(
        self, definition: AgentDefinition, owner: str | None, now: datetime, without: str | None = None
    ) -> list[Budget]:
        """Of the day of `now` in UTC, with what was spent of them, the session `without` left out.

        Raises UnknownCurrencyError.
        """
        day = now.astimezone(UTC).date()
        found: list[Budget] = []
        key = self.keys.get(owner) if owner else None
        if key is not None and key.budget_per_day is not None:
            limit = self.prices.convert(key.budget_per_day, key.budget_currency or self.currency, self.currency)
            spent = self._spent(self.usage.spent(day, owner=key.id, without=without))
            found.append(Budget("key", limit, spent_before=spent))
        own = definition.limits.budget_per_day
        if own is not None:
            limit = self.prices.convert(own.amount, own.currency, self.currency)
            spent = self._spent(self.usage.spent(day, agent=definition.name, without=without))
            found.append(Budget("agent", limit, Decimal(repr(own.warn_at)), spent))
        if self.per_day is not None:
            found.append(Budget("day", self.per_day, spent_before=self._spent(self.usage.spent(day, without=without))))
        return found

    def _spent(self, amounts: Mapping[str, Decimal]) -> Decimal:
        """In our currency. What was written down in one that the table no longer knows is taken as it is."""
        known = self.prices.rates
        return sum(
            (
                self.prices.convert(amount, currency, self.currency) if currency in known else amount
                for currency, amount in amounts.items()
            ),
            Decimal(0),
        )


def next_day(now: datetime) -> datetime:
    """When the budgets of days begin anew."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
