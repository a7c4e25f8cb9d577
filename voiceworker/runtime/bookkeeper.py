"""Follows what a call costs: tells it, writes it down, and holds it against the call's budgets."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from livekit.agents import AgentSession, AgentStateChangedEvent, ConversationItemAddedEvent, llm

from voiceworker.events import BudgetExceeded, BudgetWarned, Event, UsageUpdated
from voiceworker.policy.budget import Budget, CutLine, Exceed, SayGoodbye, Spending, Warn
from voiceworker.policy.pricing import UnknownCurrencyError, kept
from voiceworker.records import Entry
from voiceworker.runtime.accounts import Accounts
from voiceworker.runtime.metering import Meter, Totals

logger = logging.getLogger("voiceworker.call")

_TELL_SECONDS = 1.0
"between two tellings of what the call has used; verdicts are looked for as often"


class Bookkeeper:
    """Of one call. Methods are for the loop's thread."""

    def __init__(
        self,
        meter: Meter,
        accounts: Accounts,
        tell: Callable[[Event], None],
        part: Callable[[], None],
        cut: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> None:
        """`part`: let the agent say goodbye; `cut`: end the call at once. `clock`: the real time, aware."""
        self._meter = meter
        self._accounts = accounts
        self._tell = tell
        self._part = part
        self._cut = cut
        self._clock = clock
        self._spending: Spending | None = None
        "None until the budgets are read: a call does not wait for them"
        self._changed = asyncio.Event()
        self._to_write = False
        self._told: Totals | None = None
        self._unpriced: set[str] = set()
        meter.listen(self._changed.set)

    def attach(self, session: AgentSession[Any]) -> None:
        session.on("agent_state_changed", self._agent_state_changed)
        session.on("conversation_item_added", self._conversation_item_added)

    async def run(self) -> None:
        """Until it is cancelled; `write_down` afterwards."""
        await self._read_budgets()
        while True:
            self._changed.clear()
            self.look()
            if self._to_write:
                self._to_write = False
                await self.write_down()
                await self._read_budgets()
                self.look()
            await asyncio.sleep(_TELL_SECONDS)
            deadline = self._spending.deadline() if self._spending else None
            try:
                async with asyncio.timeout(None if deadline is None else max(0.0, deadline - time.monotonic())):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def look(self) -> None:
        """Tells what has changed and obeys the verdicts."""
        totals = self._meter.totals()
        self._tell_usage(totals)
        if self._spending is None:
            return
        self._spending.spent(totals.cost)
        for command in self._spending.due(time.monotonic()):
            match command:
                case Warn(budget, spent):
                    self._tell(BudgetWarned(budget.scope, *_figures(budget, spent, totals.currency)))
                case Exceed(budget, spent):
                    self._tell(BudgetExceeded(budget.scope, *_figures(budget, spent, totals.currency)))
                case SayGoodbye():
                    self._part()
                case CutLine():
                    logger.warning("the call went on spending after its budget was spent; the line is cut")
                    self._cut()

    async def write_down(self, *, whole: bool = False) -> None:
        """Into the records; with `whole`, at the end of a call, also what is still open. May be called again."""
        currency = self._meter.totals().currency
        entries = [Entry(one.turn, one.usage, one.cost, currency) for one in self._meter.take(whole=whole)]
        try:
            await asyncio.to_thread(self._accounts.enter, entries, self._clock())
        except Exception:
            logger.exception("what the call used was not recorded")  # the call matters more than its record

    # --- what happens ---

    def _conversation_item_added(self, event: ConversationItemAddedEvent) -> None:
        if isinstance(event.item, llm.ChatMessage) and event.item.role == "user":
            self.caller_finished()

    def caller_finished(self) -> None:
        """A turn of his begins to be answered; unless there is nothing left to answer it with."""
        self._meter.begin_turn()
        if self._spending is not None:
            self._spending.spent(self._meter.totals().cost)
            if self._spending.may_begin_turn:
                self._spending.turn_began()
            else:
                self._spending.turn_ended()
                self.look()
        self._to_write = True
        self._changed.set()

    def _agent_state_changed(self, event: AgentStateChangedEvent) -> None:
        if self._spending is None:
            return
        if event.new_state in ("thinking", "speaking"):
            self._spending.turn_began()
        elif event.old_state in ("thinking", "speaking"):
            self._spending.turn_ended()
            self.look()

    # --- how ---

    async def _read_budgets(self) -> None:
        try:
            budgets = await asyncio.to_thread(self._accounts.budgets, self._clock())
        except UnknownCurrencyError as error:
            logger.error("the call goes on without its budgets: %s", error)
            return
        except Exception:
            logger.exception("the budgets could not be read")  # those known before go on to hold
            return
        if self._spending is None:
            self._spending = Spending(budgets)
            return
        for budget in budgets:
            self._spending.spent_elsewhere(budget.scope, budget.spent_before)

    def _tell_usage(self, totals: Totals) -> None:
        if totals == self._told or not (totals.seconds or totals.tokens or totals.characters):
            return
        self._told = totals
        for model in set(totals.unpriced) - self._unpriced:
            logger.warning("%s has no price: what it costs is not known, and not in any sum", model)
        self._unpriced.update(totals.unpriced)
        cost = f"{kept(totals.cost):f}"
        self._tell(UsageUpdated(round(totals.seconds, 3), totals.tokens, totals.characters, cost, totals.currency))


def _figures(budget: Budget, spent: Decimal, currency: str) -> tuple[str, str, str]:
    return f"{kept(spent):f}", f"{kept(budget.limit):f}", currency
