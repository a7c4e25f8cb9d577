from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.budget import Budget, BudgetSettings, CutLine, Exceed, SayGoodbye, Spending, Warn

ONE = Budget("session", Decimal(1))


def in_turn(*budgets: Budget) -> Spending:
    spending = Spending(budgets)
    spending.turn_began()
    return spending


def test_a_call_below_its_budget_is_left_alone() -> None:
    spending = in_turn(ONE)
    spending.spent(Decimal("0.79"))
    assert spending.due(1) == []
    assert spending.deadline() is None
    assert spending.may_begin_turn


def test_it_is_warned_of_once() -> None:
    spending = in_turn(ONE)
    spending.spent(Decimal("0.8"))
    assert spending.due(1) == [Warn(ONE, Decimal("0.8"))]
    spending.spent(Decimal("0.9"))
    assert spending.due(2) == []
    assert spending.may_begin_turn


def test_a_spent_budget_lets_the_turn_finish_then_the_agent_says_goodbye() -> None:
    spending = in_turn(ONE)
    spending.spent(Decimal("1.1"))
    assert spending.due(1) == [Warn(ONE, Decimal("1.1")), Exceed(ONE, Decimal("1.1"))]
    assert not spending.may_begin_turn
    assert spending.due(5) == []
    spending.turn_ended()
    assert spending.due(6) == [SayGoodbye()]
    assert spending.is_over
    assert spending.due(7) == []


def test_between_two_turns_the_goodbye_comes_at_once() -> None:
    spending = Spending([ONE])
    spending.spent(Decimal(1))
    assert spending.due(1) == [Warn(ONE, Decimal(1)), Exceed(ONE, Decimal(1)), SayGoodbye()]


def test_a_turn_without_an_end_is_not_waited_for() -> None:
    spending = in_turn(ONE)
    spending.spent(Decimal(1))
    spending.due(10)
    assert spending.deadline() == 70
    assert spending.due(69.9) == []
    assert spending.due(70) == [SayGoodbye()]


def test_a_goodbye_without_an_end_is_cut() -> None:
    spending = Spending([ONE])
    spending.spent(Decimal(1))
    spending.due(10)
    assert spending.deadline() == 40
    assert spending.due(39.9) == []
    assert spending.due(40) == [CutLine()]
    assert spending.due(50) == []
    assert spending.deadline() is None


def test_the_line_is_cut_when_the_spending_goes_on() -> None:
    spending = in_turn(ONE)
    spending.spent(Decimal("1.2"))
    spending.due(1)
    spending.spent(Decimal("1.5"))
    assert spending.due(2) == [CutLine()]


def test_what_other_calls_spend_counts_for_the_days_budgets() -> None:
    day = Budget("day", Decimal(10), spent_before=Decimal(7))
    spending = in_turn(ONE, day)
    spending.spent(Decimal("0.5"))
    assert spending.due(1) == []
    spending.spent_elsewhere("day", Decimal("7.5"))
    assert spending.due(2) == [Warn(Budget("day", Decimal(10), spent_before=Decimal("7.5")), Decimal("8.0"))]
    spending.spent_elsewhere("day", Decimal("9.5"))
    assert not spending.may_begin_turn
    assert [type(command) for command in spending.due(3)] == [Exceed]


def test_a_budget_of_a_scope_that_is_not_bounded_is_no_matter() -> None:
    spending = in_turn(ONE)
    spending.spent_elsewhere("key", Decimal(100))
    assert spending.due(1) == []


def test_a_budget_that_others_have_spent_far_beyond_is_cut_by_its_own_measure_only() -> None:
    spending = Spending([Budget("day", Decimal(10), spent_before=Decimal(20))])
    assert [type(command) for command in spending.due(1)] == [Warn, Exceed, SayGoodbye]
    spending.spent(Decimal("4.9"))
    assert spending.due(2) == []
    spending.spent(Decimal(5))
    assert spending.due(3) == [CutLine()]


def test_an_estimate_put_right_does_not_take_a_verdict_back() -> None:
    spending = Spending([ONE])
    spending.spent(Decimal("1.05"))
    spending.due(1)
    spending.spent(Decimal("0.95"))
    assert spending.due(2) == []
    assert spending.is_over


amounts = st.decimals(Decimal("0.001"), Decimal("0.4"), places=3)
turns = st.lists(st.lists(amounts, min_size=1, max_size=4), min_size=1, max_size=40)
budgets = st.builds(
    Budget, st.sampled_from(["session", "key", "day"]), st.decimals(Decimal("0.5"), Decimal(5), places=2)
)


@given(turns, st.lists(budgets, max_size=3, unique_by=lambda one: one.scope))
def test_a_budget_is_never_passed_by_more_than_one_turn(costs: list[list[Decimal]], bounds: list[Budget]) -> None:
    """Whoever obeys: at the beginning of the last turn every budget had something left."""
    spending = Spending(bounds, BudgetSettings(cut_at=Decimal(1000)))
    total, before_last, now = Decimal(0), Decimal(0), 0.0
    told: list[object] = []
    for turn in costs:
        if not spending.may_begin_turn or spending.is_over:
            break
        before_last = total
        spending.turn_began()
        for cost in turn:
            total, now = total + cost, now + 1
            spending.spent(total)
            told += spending.due(now)
        spending.turn_ended()
        told += spending.due(now)
    passed = [budget for budget in bounds if total >= budget.limit]
    assert all(before_last < budget.limit for budget in bounds)
    assert [one.budget for one in told if isinstance(one, Exceed)] == [
        one.budget for one in told if isinstance(one, Exceed) and one.budget in passed
    ]
    assert {one.budget for one in told if isinstance(one, Exceed)} == set(passed)
    assert sum(isinstance(one, SayGoodbye) for one in told) == bool(passed)


@given(turns, st.lists(budgets, min_size=1, max_size=3, unique_by=lambda one: one.scope), st.booleans())
def test_each_verdict_is_told_once_and_a_warning_before_the_end(
    costs: list[list[Decimal]], bounds: list[Budget], obeys: bool
) -> None:
    spending = Spending(bounds)
    total, told = Decimal(0), []
    for now, turn in enumerate(costs):
        spending.turn_began()
        total += sum(turn)
        spending.spent(total)
        told += spending.due(now)
        if obeys:
            spending.turn_ended()
            told += spending.due(now)
    kinds = [(type(one), one.budget.scope if isinstance(one, Warn | Exceed) else None) for one in told]
    assert len(kinds) == len(set(kinds))
    for scope in {one.budget.scope for one in told if isinstance(one, Exceed)}:
        assert kinds.index((Warn, scope)) < kinds.index((Exceed, scope))
    assert all(one.spent >= one.budget.limit * one.budget.warn_at for one in told if isinstance(one, Warn))


@given(turns, budgets)
def test_once_spent_there_is_always_a_next_moment_until_the_line_is_cut(
    costs: list[list[Decimal]], bound: Budget
) -> None:
    spending = Spending([bound])
    total = Decimal(0)
    for turn in costs:
        spending.turn_began()
        total += sum(turn)
        spending.spent(total)
        spending.due(0)
    for _ in range(3):
        if (deadline := spending.deadline()) is not None:
            spending.due(deadline)
    assert spending.deadline() is None
