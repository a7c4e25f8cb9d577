from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.renewal import Renewal, RenewalSettings

HOUR = RenewalSettings(cap_seconds=3600)
MIDDLE, NEAR = 2160.0, 3540.0


def test_a_young_connection_is_left_alone() -> None:
    renewal = Renewal(HOUR, 0)
    assert not renewal.due(MIDDLE - 1)
    assert renewal.deadline(10) == MIDDLE


def test_a_middle_aged_one_is_renewed_in_the_next_silence() -> None:
    renewal = Renewal(HOUR, 0)
    renewal.sound("agent", MIDDLE - 5, on=True)
    assert not renewal.due(MIDDLE + 1)
    renewal.sound("caller", MIDDLE + 2, on=True)
    renewal.sound("agent", MIDDLE + 3, on=False)
    assert not renewal.due(MIDDLE + 4)
    renewal.sound("caller", MIDDLE + 5, on=False)
    assert not renewal.due(MIDDLE + 5.2)
    assert renewal.deadline(MIDDLE + 5.2) == MIDDLE + 5.3
    assert renewal.due(MIDDLE + 5.3)


def test_one_whose_end_is_near_waits_for_no_silence() -> None:
    renewal = Renewal(HOUR, 0)
    renewal.sound("caller", 10, on=True)
    assert renewal.deadline(MIDDLE) == NEAR
    assert renewal.due(NEAR)


def test_nothing_is_renewed_while_something_is_pending() -> None:
    renewal = Renewal(HOUR, 0)
    renewal.pending(on=True)
    assert not renewal.due(NEAR + 10)
    assert renewal.deadline(NEAR) is None
    renewal.pending(on=False)
    assert renewal.due(NEAR + 10)


def test_a_new_connection_is_young_again() -> None:
    renewal = Renewal(HOUR, 0)
    renewal.opened(MIDDLE)
    assert not renewal.due(MIDDLE + 10)
    assert renewal.due(2 * MIDDLE)


@pytest.mark.parametrize("settings", [{"cap_seconds": 0}, {"cap_seconds": 60, "middle_age": 0.9}])
def test_settings_that_leave_no_time_for_a_silence_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"cap|middle age"):
        RenewalSettings(**settings)


@given(
    cap=st.floats(10, 10_000),
    events=st.lists(st.tuples(st.floats(0, 500), st.sampled_from(["caller", "agent", "pending"]), st.booleans())),
)
def test_whatever_is_told_it_is_due_at_its_deadline_and_never_before(
    cap: float, events: list[tuple[float, str, bool]]
) -> None:
    renewal, now = Renewal(RenewalSettings(cap), 0.0), 0.0
    for passed, what, on in events:
        now += passed
        if what == "pending":
            renewal.pending(on=on)
        else:
            renewal.sound(what, now, on=on)
        deadline = renewal.deadline(now)
        if deadline is None:
            assert not renewal.due(now + 2 * cap)
        else:
            assert renewal.due(now) == (deadline <= now)
            assert renewal.due(max(now, deadline))
            assert deadline <= cap * 0.85 + 1e-9 or deadline <= cap - 60 + 1e-9
