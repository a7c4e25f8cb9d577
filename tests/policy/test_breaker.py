from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from voiceworker.policy.breaker import Attempt, Breaker, BreakerSettings, Remembered, Severity, State

SETTINGS = BreakerSettings()
LONGEST = max(SETTINGS.longest_open_seconds, SETTINGS.lasting_open_seconds, SETTINGS.longest_retry_after_seconds)


def admitted(breaker: Breaker, now: float) -> Attempt:
    attempt = breaker.admit(now)
    assert attempt is not None
    return attempt


def fail(breaker: Breaker, now: float, severity: Severity = Severity.PASSING, after: float | None = None) -> None:
    breaker.failed(admitted(breaker, now), now, severity, after)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    fail(breaker, now)
    fail(breaker, now)
    return breaker


def test_failures_in_a_row_open_it() -> None:
    breaker = Breaker()
    fail(breaker, 0)
    assert breaker.state(0) is State.CLOSED
    fail(breaker, 1)
    assert breaker.state(1) is State.OPEN
    assert breaker.admit(2) is None
    assert breaker.deadline(2) == 1 + SETTINGS.first_open_seconds


def test_a_success_between_them_does_not_let_them_add_up() -> None:
    breaker = Breaker()
    fail(breaker, 0)
    breaker.succeeded(admitted(breaker, 1), 1)
    fail(breaker, 2)
    assert breaker.state(2) is State.CLOSED


def test_a_share_of_failures_opens_it_though_none_follows_another() -> None:
    breaker = Breaker()
    for second in range(6):
        attempt = breaker.admit(second)
        if attempt is None:
            break
        if second % 2:
            breaker.succeeded(attempt, second)
        else:
            breaker.failed(attempt, second)
    assert breaker.state(5) is State.OPEN


def test_what_lies_before_the_window_is_forgotten() -> None:
    breaker = Breaker()
    for second in (0, 100, 200, 300, 400, 500):
        for earlier in (4, 3, 2, 1):
            breaker.succeeded(admitted(breaker, second - earlier), second - earlier)
        fail(breaker, second)
    assert breaker.state(500) is State.CLOSED


def test_after_the_deadline_one_trial_decides() -> None:
    breaker = opened()
    attempt = admitted(breaker, 6)
    assert attempt.is_trial
    assert breaker.admit(6) is None
    breaker.succeeded(attempt, 7)
    assert breaker.state(7) is State.CLOSED
    assert not admitted(breaker, 7).is_trial


def test_a_trial_that_fails_opens_it_for_twice_as_long() -> None:
    breaker, now = opened(), 0.0
    for seconds in (5, 10, 20, 40, 80, 120, 120):
        assert breaker.deadline(now) == now + seconds
        now += seconds
        fail(breaker, now)


def test_a_trial_that_never_came_back_does_not_block_the_next() -> None:
    breaker = opened()
    admitted(breaker, 6)
    assert breaker.deadline(7) == 6 + SETTINGS.trial_seconds
    assert admitted(breaker, 6 + SETTINGS.trial_seconds).is_trial


def test_a_trial_that_was_given_up_leaves_the_place_to_the_next() -> None:
    breaker = opened()
    breaker.abandoned(admitted(breaker, 6))
    assert admitted(breaker, 6).is_trial


def test_a_probe_closes_it_on_probation() -> None:
    breaker = opened()
    breaker.answered_a_probe(admitted(breaker, 6), 6)
    assert breaker.state(6) is State.CLOSED
    fail(breaker, 7)  # answers the door, and does not work
    assert breaker.deadline(7) == 7 + 2 * SETTINGS.first_open_seconds


def test_a_success_ends_the_probation() -> None:
    breaker = opened()
    breaker.answered_a_probe(admitted(breaker, 6), 6)
    breaker.succeeded(admitted(breaker, 7), 7)
    fail(breaker, 8)
    assert breaker.state(8) is State.CLOSED


def test_an_unreliable_provider_is_left_for_longer_each_time_and_a_reliable_one_is_not() -> None:
    breaker, now = Breaker(), 0.0
    for seconds in (5, 10, 20):
        fail(breaker, now)
        fail(breaker, now)
        assert breaker.deadline(now) == now + seconds
        now += seconds
        breaker.succeeded(admitted(breaker, now), now)
    now += SETTINGS.forget_seconds + 1
    fail(breaker, now)
    fail(breaker, now)
    assert breaker.deadline(now) == now + SETTINGS.first_open_seconds


def test_retry_after_is_honoured() -> None:
    breaker = Breaker()
    fail(breaker, 0, Severity.BUSY, 42)
    assert breaker.deadline(0) == 42
    breaker = Breaker()
    fail(breaker, 0, Severity.BUSY, 1e9)
    assert breaker.deadline(0) == SETTINGS.longest_retry_after_seconds


def test_a_wrong_key_opens_it_at_once_and_for_long() -> None:
    breaker = Breaker()
    fail(breaker, 0, Severity.LASTING)
    assert breaker.deadline(0) == SETTINGS.lasting_open_seconds


def test_who_has_nobody_else_to_ask_asks_all_the_same() -> None:
    breaker = opened()
    forced = breaker.admit(1, forced=True)
    assert forced is not None
    breaker.succeeded(forced, 2)
    assert breaker.state(2) is State.CLOSED


def test_a_request_from_before_the_opening_says_nothing_about_it() -> None:
    breaker = Breaker()
    early = admitted(breaker, 0)
    fail(breaker, 1)
    fail(breaker, 1)
    breaker.succeeded(early, 2)
    assert breaker.state(2) is State.OPEN
    breaker.failed(early, 2)
    assert breaker.deadline(2) == 1 + SETTINGS.first_open_seconds


def test_the_next_call_begins_with_what_this_one_knew() -> None:
    told = opened(100).remembered(101)
    breaker = Breaker()
    breaker.recall(told, 102)
    assert breaker.state(102) is State.OPEN
    assert breaker.deadline(102) == 105
    fail(breaker, 106)
    assert breaker.deadline(106) == 106 + 2 * SETTINGS.first_open_seconds
    breaker.recall(Remembered(107, None, 0), 107)
    assert breaker.state(107) is State.CLOSED


seconds = st.floats(0, 400, allow_nan=False)


class AnyLife(RuleBasedStateMachine):
    """Any order of requests, ends, probes and clocks that jump."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = 1000.0
        self.attempts: list[Attempt] = []
        self.trials: list[Attempt] = []

    @rule(step=seconds)
    def wait(self, step: float) -> None:
        self.now += step

    @rule(step=st.floats(0, 10_000))
    def the_clock_is_set_back(self, step: float) -> None:
        self.now = max(0.0, self.now - step)
        self.trials = []

    @rule(forced=st.booleans())
    def ask(self, *, forced: bool) -> None:
        state, attempt = self.breaker.state(self.now), self.breaker.admit(self.now, forced=forced)
        if state is State.CLOSED or forced:
            assert attempt is not None
        if attempt is None:
            assert self.breaker.deadline(self.now) is not None
            return
        self.attempts.append(attempt)
        if attempt.is_trial and not forced:
            live = [one for one in self.trials if self.now - one.began_at < SETTINGS.trial_seconds]
            assert not live, "two trials at a time"
            self.trials.append(attempt)

    def _one(self, index: int) -> Attempt | None:
        if not self.attempts:
            return None
        attempt = self.attempts.pop(index % len(self.attempts))
        self.trials = [one for one in self.trials if one.number != attempt.number]
        return attempt

    @rule(index=st.integers(0, 99), probe=st.booleans())
    def succeed(self, index: int, *, probe: bool) -> None:
        if (attempt := self._one(index)) is not None:
            (self.breaker.answered_a_probe if probe else self.breaker.succeeded)(attempt, self.now)
            self._forget_trials_of_another_opening()

    @rule(index=st.integers(0, 99), severity=st.sampled_from(Severity), after=st.none() | st.floats(-5, 1e9))
    def fail(self, index: int, severity: Severity, after: float | None) -> None:
        if (attempt := self._one(index)) is not None:
            self.breaker.failed(attempt, self.now, severity, after)
            self._forget_trials_of_another_opening()

    @rule(index=st.integers(0, 99))
    def give_up(self, index: int) -> None:
        if (attempt := self._one(index)) is not None:
            self.breaker.abandoned(attempt)

    @rule(until=st.none() | st.floats(-1e12, 1e12), openings=st.integers(-3, 10_000), told=st.floats(-1e12, 1e12))
    def hear_of_another_call(self, until: float | None, openings: int, told: float) -> None:
        self.breaker.recall(Remembered(told, until, openings), self.now)
        self.trials = []

    def _forget_trials_of_another_opening(self) -> None:
        if self.breaker._trial is None:
            self.trials = []

    @invariant()
    def no_deadline_lies_in_the_past(self) -> None:
        deadline = self.breaker.deadline(self.now)
        assert deadline is None or self.now < deadline <= self.now + LONGEST

    @invariant()
    def it_is_never_stuck(self) -> None:
        self.breaker.state(self.now)  # whoever asks sees what the clock says, and so bounds the time from here on
        later = self.now + LONGEST + SETTINGS.trial_seconds
        assert self.breaker.state(later) is not State.OPEN
        assert self.breaker.deadline(later) is None


AnyLife.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestAnyLife = AnyLife.TestCase


@given(st.lists(st.tuples(st.floats(0, 5), st.booleans()), max_size=60))
def test_a_provider_that_works_again_is_asked_again(steps: list[tuple[float, bool]]) -> None:
    breaker, now = Breaker(), 0.0
    for wait, works in steps:
        now += wait
        if (attempt := breaker.admit(now)) is not None:
            (breaker.succeeded if works else breaker.failed)(attempt, now)
    if (deadline := breaker.deadline(now)) is not None:
        now = deadline
    breaker.succeeded(admitted(breaker, now), now)
    assert breaker.state(now) is State.CLOSED
