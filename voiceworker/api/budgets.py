"""Refuses calls that there is no money for."""

from __future__ import annotations

import logging
import math
from datetime import datetime

from voiceworker.api.authentication import PAGE_OWNER, Client
from voiceworker.api.problems import Problem
from voiceworker.config import AgentDefinition
from voiceworker.policy.pricing import UnknownCurrencyError
from voiceworker.records.budgets import BudgetDesk, next_day

logger = logging.getLogger("voiceworker.api")

_OF = {"key": "this key", "agent": "this agent", "day": "all calls"}


class BudgetCheck:
    def __init__(self, desk: BudgetDesk) -> None:
        self._desk = desk

    def check(self, client: Client, definition: AgentDefinition, now: datetime) -> None:
        """Raises Problem 429 when what the key, the agent or everybody may spend today is spent. Reads the database."""
        owner = None if client.owner == PAGE_OWNER else client.owner
        try:
            budgets = self._desk.day_budgets(definition, owner, now)
        except UnknownCurrencyError as error:
            logger.error("the budgets of %s cannot be told: %s", definition.name, error)
            detail = "Its budget cannot be told; the operator finds why in the log."
            raise Problem("unknown_agent", detail) from None
        for budget in budgets:
            if budget.spent_before >= budget.limit:
                again = next_day(now)
                raise Problem(
                    "budget_spent",
                    f"What {_OF[budget.scope]} may cost today is spent; ask again after midnight, UTC.",
                    retry_after_seconds=math.ceil((again - now).total_seconds()),
                    members={"scope": budget.scope},
                )
