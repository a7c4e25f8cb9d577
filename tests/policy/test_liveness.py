from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.liveness import Liveness


def test_who_owes_nothing_may_be_silent() -> None:
    life = Liveness(2.5)
    assert not life.is_dead(1000)
    assert life.deadline() is None


def test_who_owes_an_answer_and_says_nothing_is_dead() -> None:
    life = Liveness(2.5)
    life.owes("reply", 10)
    assert not life.is_dead(12.4)
    assert life.deadline() == 12.5
    assert life.is_dead(12.5)


def test_every_word_buys_time() -> None:
    life = Liveness(2.5)
    life.owes("reply", 10)
    life.heard(12)
    life.owes("history", 13)
    assert life.deadline() == 14.5
    life.settled("reply")
    assert life.is_dead(14.5)
    life.settled("history")
    assert not life.is_dead(100)


def test_the_dead_owe_nothing() -> None:
    life = Liveness(2.5)
    life.owes("reply", 10)
    life.forget()
    assert not life.is_dead(100)


def test_patience_is_needed() -> None:
    with pytest.raises(ValueError, match="patience"):
        Liveness(0)


@given(st.lists(st.tuples(st.floats(0, 10), st.sampled_from(["owes", "settled", "heard"]))))
def test_it_is_dead_from_its_deadline_on(events: list[tuple[float, str]]) -> None:
    life, now = Liveness(1.0), 0.0
    for passed, what in events:
        now += passed
        if what == "heard":
            life.heard(now)
        elif what == "owes":
            life.owes("reply", now)
        else:
            life.settled("reply")
        deadline = life.deadline()
        assert life.is_dead(now) == (deadline is not None and now >= deadline)
