"""Rows of (time, what happened) and the commands that must come; then properties over any order of events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.speculation import (
    Command,
    Completeness,
    Price,
    Speculate,
    Speculation,
    SpeculationSettings,
    SynthesizeAhead,
    normalized,
    says_the_same,
)

SETTINGS = SpeculationSettings(
    stability_seconds=0.15,
    speaking_stability_seconds=0.35,
    silence_seconds=0.1,
    recognition_seconds=0.1,
    shortest_word_seconds=0.1,
    unfinished_silence_seconds=0.8,
    attempts_per_turn=3,
)
Act = Callable[[Speculation, float], None]
Step = tuple[float, Act]


def interim(text: str, completeness: Completeness = Completeness.COMPLETE) -> Act:
    return lambda policy, now: policy.interim(text, completeness, now)


def final(text: str, completeness: Completeness = Completeness.COMPLETE) -> Act:
    return lambda policy, now: policy.final(text, completeness, now)


def discarded(attempt: int, tokens: int = 100, characters: int = 0) -> Act:
    return lambda policy, now: policy.discarded(attempt, tokens, characters)


def reused(attempt: int) -> Act:
    return lambda policy, now: policy.reused(attempt)


def used(tokens: int, characters: int = 100) -> Act:
    return lambda policy, now: policy.used(tokens, characters)


voice: Act = lambda policy, now: policy.voice(now, speaking=True)  # noqa: E731
hush: Act = lambda policy, now: policy.voice(now, speaking=False)  # noqa: E731
committed: Act = lambda policy, now: policy.turn_ended()  # noqa: E731


def play(steps: list[Step], until: float, settings: SpeculationSettings = SETTINGS) -> list[tuple[float, Command]]:
    """What a driver does: tells each step at its time, asks `due` at each deadline; the commands with their times."""
    policy, told = Speculation(settings), list[tuple[float, Command]]()
    for at, step in [*steps, (until, lambda _policy, _now: None)]:
        while (deadline := policy.deadline()) is not None and deadline <= at:
            told += [(round(deadline, 3), command) for command in policy.due(deadline)]
        step(policy, at)
        told += [(at, command) for command in policy.due(at)]
    return told


def test_a_text_that_came_after_the_voice_had_stopped_is_taken_at_once() -> None:
    steps: list[Step] = [(0, voice), (1, interim("are you")), (1.2, hush), (1.32, interim("are you open"))]
    assert play(steps, until=3) == [(1.32, Speculate(1, "are you open")), (1.32, SynthesizeAhead(1))]


def test_a_text_from_before_the_voice_stopped_has_to_be_stable() -> None:
    steps: list[Step] = [(0, voice), (1.0, interim("are you open")), (1.05, hush)]
    assert play(steps, until=3) == [(1.15, Speculate(1, "are you open")), (1.15, SynthesizeAhead(1))]


def test_a_doubtful_text_is_thought_about_and_not_spoken() -> None:
    steps: list[Step] = [(0, voice), (1.0, interim("are you open", Completeness.NEUTRAL)), (1.05, hush)]
    assert play(steps, until=3) == [(1.15, Speculate(1, "are you open"))]


def test_its_final_lets_it_be_spoken() -> None:
    doubtful = Completeness.NEUTRAL
    steps: list[Step] = [(0, voice), (1.0, interim("open", doubtful)), (1.05, hush), (1.4, final("Open.", doubtful))]
    assert play(steps, until=3) == [(1.15, Speculate(1, "open")), (1.4, SynthesizeAhead(1))]


def test_an_unfinished_text_waits_for_a_long_silence() -> None:
    steps: list[Step] = [(0, voice), (1.0, interim("a table for", Completeness.UNFINISHED)), (1.05, hush)]
    assert play(steps, until=3)[0] == (1.85, Speculate(1, "a table for"))


def test_while_the_caller_speaks_only_a_long_unchanged_sentence_will_do() -> None:
    assert play([(0, voice), (1.0, interim("are you open"))], until=3) == [(1.35, Speculate(1, "are you open"))]
    assert play([(0, voice), (1.0, interim("are you", Completeness.NEUTRAL))], until=3) == []


def test_the_same_words_written_otherwise_are_no_news() -> None:
    steps: list[Step] = [
        (0, hush),
        (1, interim("are you open")),
        (1.1, interim("Are you open?")),
        (1.5, final("Are you open.")),
    ]
    assert [command for _, command in play(steps, until=3)] == [Speculate(1, "are you open"), SynthesizeAhead(1)]


def test_other_words_make_another_attempt_once_the_first_is_told_off() -> None:
    steps: list[Step] = [
        (0, used(10_000)),
        (0, hush),
        (1, interim("at seven")),
        (1.5, final("at eleven")),
    ]
    assert [at for at, command in play(steps, until=3) if isinstance(command, Speculate)] == [1, 1.5]


def test_a_turn_has_only_so_many_attempts() -> None:
    steps: list[Step] = [(0, used(100_000)), (0, hush)]
    for number in range(1, 9):
        steps += [(number, interim(f"words {number}")), (number + 0.5, discarded(number, 1))]
    settings = replace(SETTINGS, attempts_per_turn=2)
    assert [command.attempt for _, command in play(steps, 20, settings) if isinstance(command, Speculate)] == [1, 2]
    steps += [(20, committed), (21, interim("another turn"))]
    assert play(steps, 30, settings)[-1][1] == Speculate(3, "another turn")


def test_after_a_waste_the_budget_has_to_be_earned() -> None:
    steps: list[Step] = [(0, hush), (1, interim("one")), (2, discarded(1, 150)), (2, committed)]
    steps += [(3, interim("two")), (4, committed), (4, used(1000)), (5, interim("three"))]
    attempts = [command for _, command in play(steps, until=6) if isinstance(command, Speculate)]
    assert attempts == [Speculate(1, "one"), Speculate(2, "three")]


def test_mistakes_raise_the_bar_and_hits_lower_it() -> None:
    steps: list[Step] = [(0, used(100_000)), (0, hush), (1, interim("one")), (2, discarded(1)), (2, committed)]
    while_speaking: list[Step] = [(3, voice), (4, interim("two"))]
    assert len(play(steps + while_speaking, until=5)) == 2
    hits: list[Step] = []
    for number in range(2, 6):
        hits += [(2, interim(f"hit {number}")), (2.5, reused(number)), (2.5, committed)]
    assert play(steps + hits + while_speaking, until=5)[-1] == (4.35, Speculate(6, "two"))


@pytest.mark.parametrize("forbidden", [{"llm_price": Price.FORBIDDEN}, {"largest_prompt_tokens": 100}])
def test_a_price_can_forbid_it(forbidden: dict[str, Price | int]) -> None:
    settings = SpeculationSettings(**forbidden)  # type: ignore[arg-type]
    steps: list[Step] = [(0, hush), (0, lambda policy, _: policy.asked(101)), (1, final("are you open"))]
    assert play(steps, until=3, settings=settings) == []


def test_the_voice_can_be_forbidden_alone() -> None:
    settings = replace(SETTINGS, tts_price=Price.FORBIDDEN)
    assert play([(0, hush), (1, final("are you open"))], 3, settings) == [(1, Speculate(1, "are you open"))]


def test_what_is_free_knows_no_budget() -> None:
    settings = replace(SETTINGS, llm_price=Price.FREE, tts_price=Price.FREE)
    steps: list[Step] = [(0, hush)]
    for number in range(1, 30):
        steps += [
            (number, interim(f"words {number}")),
            (number + 0.5, discarded(number, 1000, 500)),
            (number + 0.5, committed),
        ]
    assert len(play(steps, 40, settings)) == 2 * 29


# --- the same words ---


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("are you open", "Are you open?"),
        ("yes please", "Yes, please."),
        ("it’s me", "It's me"),
        ("at 9:30", "At 9:30."),
        ("for two — at seven", "For two, at seven"),
        ("我们 好", "我们 好。"),
        ("¿está abierto?", "Está abierto"),
        ("the 3", "The 3."),
        ("cafe\u0301", "café"),
    ],
)
def test_case_and_marks_around_words_say_nothing(one: str, other: str) -> None:
    assert says_the_same(one, other)
    assert says_the_same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("at seven", "at eleven"),
        ("3.5", "35"),
        ("1:30", "130"),
        ("-5", "5"),
        ("$5", "5"),
        ("5%", "5"),
        ("1,000", "1.000"),
        ("can", "can't"),
        ("its", "it's"),
        ("were", "we're"),
        ("recover", "re-cover"),
        ("Maße", "Masse"),
        ("ano", "año"),
        ("²", "2"),
        ("am 3. Mai", "am 3 Mai"),
        ("You are open.", "You are open?"),
        ("", ""),
        ("...", "."),
    ],
)
def test_what_may_change_the_meaning_is_no_same(one: str, other: str) -> None:
    assert not says_the_same(one, other)
    assert not says_the_same(other, one)


TEXTS = st.lists(
    st.sampled_from(["yes", "No", "3.5", "35", "?", ".", ",", " ", "-", "it's", "...", "two"]), max_size=6
).map("".join)


@given(TEXTS, TEXTS)
def test_settling_changes_the_spelling_alone(heard: str, settled: str) -> None:
    policy = Speculation(SETTINGS)
    policy.voice(0, speaking=False)
    policy.interim(heard, Completeness.COMPLETE, 1)
    policy.due(2)
    result = policy.settle(settled)
    assert result in (heard, settled)
    assert normalized(result) == normalized(settled)
