"""Has a call cost enough? Decides when that is warned of, when the agent says goodbye, and when the line is cut; pure.

A budget is what one session may cost, or all calls of a day: of a key, of an agent, of everybody. Spending is known
only after it has happened, so a budget can be passed; but no turn is begun once one is spent. Of one call, therefore,
a budget is never passed by more than the turn in which it was reached, and the goodbye. The turn is let finish: the
caller hears the answer he asked for. Should the spending go on all the same, the line is cut.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

Scope = Literal["session", "key", "agent", "day"]
"""session: this call. The others are all calls of one day: of the API key that asked for it, of the agent, of all."""


@dataclass(frozen=True, slots=True)
class Budget:
    scope: Scope
    limit: Decimal
    "in the currency of all that is told to `Spending`"
    warn_at: Decimal = Decimal("0.8")
    "share of the limit from which on it is warned of, once"
    spent_before: Decimal = Decimal(0)
    "of it, by other calls or earlier ones"


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    turn_seconds: float = 60
    "longest time for the turn in which a budget was spent to come to its end"
    farewell_seconds: float = 30
    "longest time from the goodbye to the end of the call"
    cut_at: Decimal = Decimal("1.5")
    "share of a limit at which the line is cut, whatever is being said; what others passed it by does not count"


@dataclass(frozen=True, slots=True)
class Warn:
    budget: Budget
    spent: Decimal


@dataclass(frozen=True, slots=True)
class Exceed:
    """A budget is spent: tell it. The turn goes on; no other begins."""

    budget: Budget
    spent: Decimal


@dataclass(frozen=True, slots=True)
class SayGoodbye:
    """The turn is over: say the farewell, and end the call when it was heard."""


@dataclass(frozen=True, slots=True)
class CutLine:
    """End the call now."""


Command = Warn | Exceed | SayGoodbye | CutLine


class Spending:
    """What one call spends, held against its budgets. Times are seconds of any monotonic clock."""

    def __init__(self, budgets: Iterable[Budget], settings: BudgetSettings | None = None) -> None:
        self._settings = settings or BudgetSettings()
        self._budgets: dict[Scope, Budget] = {budget.scope: budget for budget in budgets}
        self._cost = Decimal(0)
        self._in_turn = False
        self._warned: set[Scope] = set()
        self._exceeded: set[Scope] = set()
        self._exceeded_at: float | None = None
        self._parting_at: float | None = None
        self._is_cut = False

    # --- what happens ---

    def spent(self, cost: Decimal) -> None:
        """What the call has cost since it began; a lower figure (an estimate was put right) does not undo a verdict."""
        self._cost = cost

    def spent_elsewhere(self, scope: Scope, amount: Decimal) -> None:
        """Other calls have spent so much of this budget by now; this call's own cost is not in it."""
        budget = self._budgets.get(scope)
        if budget is not None:
            self._budgets[scope] = replace(budget, spent_before=amount)

    def turn_began(self) -> None:
        """The agent sets out to answer."""
        self._in_turn = True

    def turn_ended(self) -> None:
        """The agent has said what it had to say, or was cut off."""
        self._in_turn = False

    @property
    def may_begin_turn(self) -> bool:
        """False once a budget is spent: then what the caller says is not answered any more."""
        return not any(self._spent_of(budget) >= budget.limit for budget in self._budgets.values())

    @property
    def is_over(self) -> bool:
        """The goodbye was asked for, or the cut."""
        return self._parting_at is not None or self._is_cut

    # --- what is to be done ---

    def due(self, now: float) -> list[Command]:
        """Each command comes once."""
        commands: list[Command] = []
        for scope, budget in self._budgets.items():
            spent = self._spent_of(budget)
            if spent >= budget.limit * budget.warn_at and scope not in self._warned:
                self._warned.add(scope)
                commands.append(Warn(budget, spent))
            if spent >= budget.limit and scope not in self._exceeded:
                self._exceeded.add(scope)
                self._exceeded_at = now if self._exceeded_at is None else self._exceeded_at
                commands.append(Exceed(budget, spent))
        if self._is_cut or self._exceeded_at is None:
            return commands
        if self._must_cut(now):
            self._is_cut = True
            return [*commands, CutLine()]
        if self._parting_at is None and (not self._in_turn or now >= self._exceeded_at + self._settings.turn_seconds):
            self._parting_at = now
            commands.append(SayGoodbye())
        return commands

    def deadline(self) -> float | None:
        """When to ask again though nothing has happened."""
        if self._is_cut or self._exceeded_at is None:
            return None
        if self._parting_at is None:
            return self._exceeded_at + self._settings.turn_seconds
        return self._parting_at + self._settings.farewell_seconds

    def _must_cut(self, now: float) -> bool:
        if any(self._is_far_beyond(self._budgets[scope]) for scope in self._exceeded):
            return True
        return self._parting_at is not None and now >= self._parting_at + self._settings.farewell_seconds

    def _is_far_beyond(self, budget: Budget) -> bool:
        own = min(self._spent_of(budget) - budget.limit, self._cost)
        return own >= budget.limit * (self._settings.cut_at - 1)

    def _spent_of(self, budget: Budget) -> Decimal:
        return budget.spent_before + self._cost
