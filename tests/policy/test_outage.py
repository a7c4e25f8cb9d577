from __future__ import annotations

from typing import Literal, get_args

from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.outage import Outage, OutageSettings, Reaction, Role

ROLES: list[Role] = list(get_args(Role))


def fails_in_a_turn(outage: Outage, role: Role) -> Reaction:
    outage.turn_began()
    return outage.failed(role)


def test_one_failure_is_excused() -> None:
    for role in ROLES:
        assert fails_in_a_turn(Outage(), role) is Reaction.EXCUSE


def test_a_second_turn_without_an_answer_ends_the_call_once() -> None:
    outage = Outage()
    fails_in_a_turn(outage, "llm")
    assert fails_in_a_turn(outage, "llm") is Reaction.PART
    assert fails_in_a_turn(outage, "llm") is Reaction.PARTING
    assert not outage.is_mute


def test_who_is_not_heard_is_asked_twice() -> None:
    outage = Outage()
    assert [outage.failed("stt") for _ in range(3)] == [Reaction.EXCUSE, Reaction.EXCUSE, Reaction.PART]


def test_a_success_between_forgives() -> None:
    outage = Outage()
    for _ in range(10):
        assert fails_in_a_turn(outage, "tts") is Reaction.EXCUSE
        outage.answered("tts")


def test_a_success_of_another_role_does_not_forgive() -> None:
    outage = Outage()
    fails_in_a_turn(outage, "tts")
    outage.answered("llm")
    assert fails_in_a_turn(outage, "tts") is Reaction.PART
    assert outage.is_mute


def test_the_sentences_of_one_reply_fail_as_one_though_some_were_spoken() -> None:
    outage = Outage()
    assert fails_in_a_turn(outage, "tts") is Reaction.EXCUSE
    outage.answered("tts")
    assert outage.failed("tts") is Reaction.TOLD
    assert outage.failed("tts") is Reaction.TOLD


_Happens = Literal["turn", "works", "fails"]


@given(st.lists(st.tuples(st.sampled_from(ROLES), st.sampled_from(get_args(_Happens)))))
def test_the_call_ends_at_most_once_and_only_after_enough_failures_in_a_row(
    events: list[tuple[Role, _Happens]],
) -> None:
    settings = OutageSettings()
    outage, parted = Outage(settings), 0
    row = dict.fromkeys(ROLES, 0)
    for role, happens in events:
        if happens == "turn":
            outage.turn_began()
            continue
        if happens == "works":
            outage.answered(role)
            row[role] = 0
            continue
        row[role] += 1
        reaction = outage.failed(role)
        if parted:
            assert reaction is Reaction.PARTING
        elif reaction is Reaction.PART:
            parted += 1
            assert row[role] >= settings.in_a_row[role]


@given(st.sampled_from(ROLES))
def test_nobody_is_kept_by_failures_that_do_not_end(role: Role) -> None:
    outage = Outage()
    assert Reaction.PART in [fails_in_a_turn(outage, role) for _ in range(3)]
