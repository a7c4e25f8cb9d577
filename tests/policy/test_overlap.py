"""Rows of (time, what happened) and the commands that must come; then properties over any order of events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.backchannels import Backchannels, lexicon_of
from voiceworker.policy.overlap import (
    Command,
    Cut,
    Duck,
    Overlap,
    OverlapSettings,
    Policy,
    Release,
    Restore,
    Situation,
    Verdict,
    VerdictReason,
)

WORDS = Backchannels(lexicon_of("en"))
Step = tuple[float, Callable[[Overlap, float], Verdict | None]]
Told = Command | Verdict


def agent(now: float, situation: Situation | None = None) -> Step:
    return now, lambda overlap, at: overlap.agent_started(at, situation=situation)


def comes_to(now: float, situation: Situation) -> Step:
    return now, lambda overlap, at: overlap.agent_in(at, situation)


def hush(now: float) -> Step:
    return now, lambda overlap, at: overlap.agent_stopped(at)


def says(now: float, heard: str, upcoming: str = "") -> Step:
    return now, lambda overlap, at: overlap.agent_said(at, heard, upcoming)


def voice(now: float, *, echo: bool = False) -> Step:
    return now, lambda overlap, at: overlap.caller_started(at, echo=echo)


def quiet(now: float, *, after: float = 0.25) -> Step:
    """The voice detector needs a silence to be sure of the end."""
    return now, lambda overlap, at: overlap.caller_stopped(at, quiet_seconds=after)


def level(now: float, level_db: float) -> Step:
    return now, lambda overlap, _at: overlap.caller_level(level_db)


@dataclass(frozen=True)
class Said:
    text: str
    final: bool

    def __call__(self, overlap: Overlap, now: float) -> Verdict:
        return overlap.transcript(now, self.text, final=self.final)


def interim(now: float, text: str) -> Step:
    return now, Said(text, final=False)


def final(now: float, text: str) -> Step:
    return now, Said(text, final=True)


def play(
    steps: list[Step], *, until: float = 60, policy: Policy = "duck_then_cut", settings: OverlapSettings | None = None
) -> list[tuple[float, Told]]:
    """What a driver does: the commands, and the verdicts behind those that they go with, with their times."""
    overlap = Overlap(settings or OverlapSettings(policy), WORDS)
    told: list[tuple[float, Told]] = []
    for at, step in [*steps, (until, lambda _overlap, _at: None)]:
        while (deadline := overlap.deadline()) is not None and deadline <= at:
            told += [(round(deadline, 3), command) for command in overlap.due(deadline)]
        verdict = step(overlap, at)
        told += [(at, command) for command in overlap.due(at)]
        if verdict is not None:
            told.append((at, verdict))
    return told


def passed(reason: VerdictReason) -> Verdict:
    return Verdict(True, reason)


def withheld(reason: VerdictReason) -> Verdict:
    return Verdict(False, reason)


# --- a listener's words ---


def test_a_listeners_word_lowers_the_voice_and_raises_it_again() -> None:
    steps = [agent(0), voice(1), interim(1.4, "Mm-hmm."), final(1.6, "Mm-hmm."), quiet(1.7)]
    assert play(steps) == [
        (1, Duck()),
        (1.4, withheld("backchannel")),
        (1.6, Restore("backchannel")),
        (1.6, withheld("backchannel")),
    ]


def test_a_listeners_word_whose_final_is_late_raises_it_when_the_voice_has_ended() -> None:
    steps = [agent(0), voice(1), interim(1.4, "yeah"), quiet(1.7), final(2.4, "Yeah.")]
    assert play(steps)[2:] == [(1.7, Restore("backchannel")), (2.4, withheld("backchannel"))]


def test_a_listeners_word_that_the_voice_detector_missed_changes_nothing() -> None:
    assert play([agent(0), interim(1, "mhm"), final(1.2, "mhm")]) == [
        (1, withheld("backchannel")),
        (1.2, withheld("backchannel")),
    ]


def test_a_listeners_word_that_becomes_speech_cuts() -> None:
    steps = [agent(0), voice(1), interim(1.4, "yeah"), interim(1.6, "yeah but what"), hush(1.7)]
    assert play(steps)[2:] == [(1.6, Cut("speech")), (1.6, passed("speech"))]


def test_more_words_in_the_same_breath_cut_and_bring_back_what_was_withheld() -> None:
    steps = [agent(0), voice(1), final(1.6, "Mm-hmm."), interim(1.9, "what is"), final(2.2, "What is it?")]
    assert play(steps)[2:] == [
        (1.6, withheld("backchannel")),
        (1.9, Cut("speech")),
        (1.9, Release(("Mm-hmm.",))),
        (1.9, passed("speech")),
        (2.2, passed("cut")),
    ]


def test_a_listeners_word_long_before_in_the_same_breath_does_not_come_back() -> None:
    steps = [agent(0), voice(1), final(1.6, "Mm-hmm."), interim(3.2, "what is")]
    assert play(steps)[-2:] == [(3.2, Cut("speech")), (3.2, passed("speech"))]


def test_a_listeners_word_of_an_earlier_breath_does_not_come_back() -> None:
    steps = [agent(0), voice(1), final(1.6, "Mm-hmm."), quiet(1.7), voice(2.5), interim(3, "what is")]
    assert play(steps)[-2:] == [(3, Cut("speech")), (3, passed("speech"))]


def test_every_listeners_word_lowers_the_voice_anew() -> None:
    steps = [agent(0)]
    for second in range(1, 10, 2):
        steps += [voice(second), final(second + 0.6, "uh-huh"), quiet(second + 0.65)]
    told = play(steps)
    assert [command for _, command in told if isinstance(command, Duck)] == [Duck()] * 5
    assert [command for _, command in told if isinstance(command, Restore)] == [Restore("backchannel")] * 5


def test_a_hesitation_decides_nothing() -> None:
    steps = [agent(0), voice(1), interim(1.4, "um"), interim(1.9, "um"), interim(2.2, "um I wanted")]
    assert play(steps) == [
        (1, Duck()),
        (1.4, withheld("nothing")),
        (1.9, withheld("nothing")),
        (2.2, Cut("speech")),
        (2.2, passed("speech")),
    ]


def test_a_greeting_does_not_interrupt_the_agents_own() -> None:
    steps = [agent(0, "greeting"), voice(1), interim(1.4, "Hello."), final(1.6, "Hello, good morning."), quiet(1.7)]
    assert play(steps)[1:] == [
        (1.4, withheld("backchannel")),
        (1.6, Restore("backchannel")),
        (1.6, withheld("backchannel")),
    ]
    assert play([agent(0, "greeting"), voice(1), hush(1.5), final(1.6, "Hello.")])[-1] == (1.6, withheld("backchannel"))


def test_a_greeting_interrupts_any_other_speech_and_more_than_a_greeting_interrupts_the_agents() -> None:
    assert (1.4, Cut("speech")) in play([agent(0), voice(1), interim(1.4, "Hello.")])
    assert (1.4, Cut("speech")) in play([agent(0, "greeting"), voice(1), interim(1.4, "Hello, I want a table")])


# --- words that cut ---


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("stop", "stop"),
        ("Wait.", "stop"),
        ("hold on", "stop"),
        ("no no", "stop"),
        ("okay, wait", "stop"),
        ("no", "speech"),
        ("no that's wrong", "speech"),
        ("what", "speech"),
        ("sorry", "speech"),
        ("mm-hmm what is the price", "speech"),
        ("sto", "speech"),
    ],
)
def test_words_cut_at_the_first_interim_and_nothing_follows(text: str, reason: Literal["stop", "speech"]) -> None:
    steps = [agent(0), voice(1), interim(1.3, text), quiet(1.8), hush(1.9), final(2, text)]
    assert play(steps) == [
        (1, Duck()),
        (1.3, Cut(reason)),
        (1.3, passed(reason)),
        (2, passed("agent_silent")),
    ]


def test_a_final_alone_cuts_as_well() -> None:
    assert play([agent(0), voice(1), quiet(1.5), final(1.6, "stop")])[1:] == [
        (1.5, Restore("wordless")),
        (1.6, Cut("stop")),
        (1.6, passed("stop")),
    ]


def test_words_without_a_voice_cut() -> None:
    assert play([agent(0), interim(1, "stop")]) == [(1, Cut("stop")), (1, passed("stop"))]


def test_everything_that_follows_a_cut_is_passed() -> None:
    steps = [agent(0), voice(1), interim(1.5, "wait"), final(1.9, "Wait. Okay."), final(2.1, "Yeah."), quiet(2.2)]
    assert play(steps)[3:] == [(1.9, passed("cut")), (2.1, passed("cut"))]


def test_a_listeners_word_after_a_cut_is_a_turn() -> None:
    steps = [agent(0), voice(1), interim(1.5, "wait"), quiet(1.8), voice(2), final(2.5, "okay"), hush(3)]
    assert play(steps)[3:] == [(2.5, passed("cut"))]


def test_the_next_speech_is_listened_to_like_the_first() -> None:
    steps = [agent(0), voice(1), interim(1.5, "stop"), quiet(1.8), hush(1.9), agent(4), voice(5), quiet(5.5)]
    assert play(steps)[-2:] == [(5, Duck()), (5.5, Restore("wordless"))]


def test_the_rest_of_the_words_that_the_new_speech_answers_cuts_it() -> None:
    steps = [agent(0), voice(1), interim(1.5, "stop"), hush(1.6), agent(2), interim(2.1, "okay")]
    assert play(steps)[3:] == [(2, Duck()), (2.1, Cut("speech")), (2.1, passed("speech"))]


def test_a_new_speech_without_an_end_of_the_last_is_a_new_speech() -> None:
    assert play([agent(0), voice(1), agent(1.1), quiet(1.4)]) == [
        (1, Duck()),
        (1.1, Restore("agent_stopped")),
        (1.1, Duck()),
        (1.4, Restore("wordless")),
    ]


# --- unfinished words ---


def test_an_unfinished_word_is_waited_for_and_may_turn_out_a_listeners() -> None:
    steps = [agent(0), voice(1), interim(1.3, "ye"), interim(1.5, "yeah"), final(1.7, "Yeah."), quiet(1.7)]
    assert play(steps)[1:] == [
        (1.3, withheld("undecided")),
        (1.5, withheld("backchannel")),
        (1.7, Restore("backchannel")),
        (1.7, withheld("backchannel")),
    ]


def test_an_unfinished_word_that_turns_out_speech_cuts_at_once() -> None:
    steps = [agent(0), voice(1), interim(1.3, "ye"), interim(1.45, "yesterday I")]
    assert play(steps)[2:] == [(1.45, Cut("speech")), (1.45, passed("speech"))]


def test_an_unfinished_word_that_is_not_finished_cuts() -> None:
    assert play([agent(0), voice(1), interim(1.3, "ye")])[2:] == [(1.75, Cut("speech"))]


def test_the_same_unfinished_word_again_tells_that_no_other_has_come_but_not_for_ever() -> None:
    steps = [agent(0), voice(1), *[interim(round(1.3 + 0.2 * again, 1), "I") for again in range(4)]]
    assert play(steps)[-1] == (2.05, Cut("speech"))
    steps = [agent(0), voice(1), interim(1.3, "I"), interim(1.7, "I see"), final(1.9, "I see."), quiet(1.9)]
    assert play(steps)[-2:] == [(1.9, Restore("backchannel")), (1.9, withheld("backchannel"))]


def test_an_unfinished_word_whose_voice_has_ended_is_waited_for_as_long_as_any_text() -> None:
    steps = [agent(0), voice(1), interim(1.3, "ye"), quiet(1.7, after=0.1), final(1.85, "Yeah.")]
    assert play(steps)[2:] == [(1.85, Restore("backchannel")), (1.85, withheld("backchannel"))]


# --- sounds without words ---


def test_a_cough_lowers_the_voice_until_it_has_ended_and_no_text_has_come() -> None:
    assert play([agent(0), voice(1), quiet(1.6)]) == [(1, Duck()), (1.6, Restore("wordless"))]


def test_a_short_pause_does_not_raise_the_voice() -> None:
    steps = [agent(0), voice(1), quiet(1.6, after=0.1), voice(1.64), quiet(2)]
    assert play(steps) == [(1, Duck()), (2, Restore("wordless"))]


def test_noise_lowers_the_voice_for_a_while_and_not_again_before_a_silence() -> None:
    steps = [agent(0), voice(1), quiet(4), voice(4.3), quiet(5), voice(6.5)]
    assert play(steps, until=7) == [(1, Duck()), (3.5, Restore("noise")), (6.5, Duck())]


def test_noise_that_comes_and_goes_is_one_noise() -> None:
    steps = [agent(0)]
    for step in range(20):
        steps += [voice(1 + step), quiet(1.6 + step)]
    told = play(steps, until=20.5)
    assert [at for at, command in told if isinstance(command, Duck)] == [1, 2, 3]


def test_every_listeners_word_gives_the_sound_more_time() -> None:
    steps = [agent(0), voice(1), interim(3, "yeah"), interim(5, "yeah yeah")]
    assert play(steps, until=10)[-1] == (7.5, Restore("noise"))


def test_a_driver_that_comes_late_finds_the_voice_to_be_raised() -> None:
    overlap = Overlap(OverlapSettings(), WORDS)
    overlap.agent_started(0)
    overlap.caller_started(1)
    overlap.caller_stopped(2)
    overlap.caller_started(4, echo=True)
    assert overlap.deadline() == 1
    assert overlap.due(4) == [Duck(), Restore("noise")]


def test_words_through_noise_cut() -> None:
    steps = [agent(0), voice(1), interim(9, "excuse me")]
    assert play(steps) == [(1, Duck()), (3.5, Restore("noise")), (9, Cut("stop")), (9, passed("stop"))]


def test_noise_goes_on_through_the_next_speech() -> None:
    steps = [agent(0), voice(1), hush(5), agent(6), quiet(8), agent(20), voice(20.5), quiet(21)]
    assert play(steps) == [(1, Duck()), (3.5, Restore("noise")), (20.5, Duck()), (21, Restore("wordless"))]


def test_without_interims_a_long_voice_cuts() -> None:
    steps = [agent(0), voice(1), quiet(4), hush(2.7), final(5, "I would like to know the price")]
    settings = OverlapSettings(interims=False)
    assert play(sorted(steps, key=lambda step: step[0]), settings=settings) == [
        (1, Duck()),
        (2.6, Cut("voice")),
        (5, passed("agent_silent")),
    ]


def test_without_interims_a_listeners_word_leaves_the_agent_talking() -> None:
    steps = [agent(0), voice(1), quiet(2.5), final(2.9, "Yeah, okay, right.")]
    assert play(steps, settings=OverlapSettings(interims=False)) == [
        (1, Duck()),
        (2.5, Restore("wordless")),
        (2.9, withheld("backchannel")),
    ]


def test_without_interims_a_voice_that_was_there_before_the_agent_does_not_cut() -> None:
    steps = [voice(0), agent(1), quiet(3.4)]
    assert play(steps, settings=OverlapSettings(interims=False)) == [(1, Duck()), (2.5, Restore("noise"))]


def test_without_interims_noise_does_not_cut_every_speech() -> None:
    steps = [agent(0), voice(1), hush(3), agent(4), hush(10), agent(11), quiet(40)]
    told = play(steps, settings=OverlapSettings(interims=False))
    assert [command for _, command in told if isinstance(command, Cut)] == [Cut("voice")]


# --- questions ---


def test_yes_to_a_question_is_an_answer() -> None:
    steps = [agent(0), says(0.9, "Shall I bo", "ok it?"), voice(1), interim(1.5, "Yes")]
    assert play(steps) == [(1, Duck()), (1.5, Cut("answer")), (1.5, passed("answer"))]


def test_yes_in_an_explanation_is_a_listeners_word() -> None:
    steps = [agent(0), says(0.9, "We open at nine, ", "and close at five."), voice(1), interim(1.5, "Yes")]
    assert play(steps, until=2)[1:] == [(1.5, withheld("backchannel"))]


def test_the_beginning_of_an_answer_is_not_waited_for() -> None:
    steps = [agent(0), says(0.9, "Shall I book it?"), voice(1), interim(1.3, "ye")]
    assert play(steps)[1:] == [(1.3, Cut("speech")), (1.3, passed("speech"))]


def test_i_see_answers_no_question() -> None:
    steps = [agent(0), says(0.9, "Shall I book it?"), voice(1), interim(1.5, "I see")]
    assert play(steps, until=1.5)[1:] == [(1.5, withheld("backchannel"))]


@pytest.mark.parametrize(("asked_at", "is_answer"), [(0.9, True), (1.15, True), (1.3, False)])
def test_a_question_has_to_be_heard_before_it_is_answered(asked_at: float, is_answer: bool) -> None:
    steps = [agent(0), voice(1), says(asked_at, "Shall I book it?"), interim(1.5, "yes")]
    assert play(sorted(steps, key=lambda step: step[0]), until=2)[-1][1] == (
        passed("answer") if is_answer else withheld("backchannel")
    )


@pytest.mark.parametrize(("onset", "is_answer"), [(2, True), (3, False)])
def test_a_question_can_be_answered_for_a_while_when_the_agent_talks_on(onset: float, is_answer: bool) -> None:
    steps = [agent(0), says(1, "Shall I book it?"), says(1.2, "Shall I book it? It costs", " nothing."), voice(onset)]
    verdict = passed("answer") if is_answer else withheld("backchannel")
    assert play([*steps, interim(onset + 0.5, "yes")], until=4)[-1] == (onset + 0.5, verdict)


def test_a_question_at_the_end_stays_open() -> None:
    steps = [agent(0), says(1, "Shall I book it?"), voice(1.2), hush(1.4), final(3.5, "Yes.")]
    assert play(steps)[-1] == (3.5, passed("agent_silent"))


def test_a_question_of_the_last_speech_is_not_asked_in_this_one() -> None:
    steps = [agent(0), says(1, "Shall I book it?"), hush(1.1), agent(1.2), voice(1.5), interim(2, "okay")]
    assert play(steps, until=2)[-1] == (2, withheld("backchannel"))


# --- texts that come late ---


def test_speech_that_comes_after_the_agents_end_is_a_turn() -> None:
    steps = [agent(0), voice(1), hush(1.2), final(1.8, "What is the price?")]
    assert play(steps) == [(1, Duck()), (1.2, Restore("agent_stopped")), (1.8, passed("agent_silent"))]


def test_a_listeners_word_that_was_said_while_the_agent_spoke_is_no_turn() -> None:
    steps = [agent(0), voice(1), hush(1.6), final(1.8, "Yeah.")]
    assert play(steps)[2:] == [(1.8, withheld("backchannel"))]


def test_a_listeners_word_that_was_said_at_the_very_end_is_a_turn() -> None:
    steps = [agent(0), voice(1), hush(1.2), final(1.8, "Okay.")]
    assert play(steps)[2:] == [(1.8, passed("agent_silent"))]


def test_a_listeners_word_with_more_behind_it_is_a_turn_when_the_agent_has_ended() -> None:
    steps = [agent(0), voice(1), hush(1.6), final(1.8, "Yeah."), interim(2.2, "and what does it cost")]
    assert play(steps)[2:] == [
        (1.8, withheld("backchannel")),
        (2.2, Release(("Yeah.",))),
        (2.2, passed("agent_silent")),
    ]


def test_a_listeners_word_that_was_said_in_silence_is_a_turn() -> None:
    assert play([agent(0), hush(1), voice(2), final(2.5, "Okay.")])[-1] == (2.5, passed("agent_silent"))


def test_a_text_long_after_the_last_voice_belongs_to_another() -> None:
    steps = [agent(0), voice(1), quiet(1.5), hush(1.6), final(8, "Okay.")]
    assert play(steps)[-1] == (8, passed("agent_silent"))


def test_a_turn_whose_text_comes_when_the_agent_has_begun_cuts_it() -> None:
    steps = [voice(0), quiet(1), agent(1.1), final(1.3, "Yes.")]
    assert play(steps) == [(1.3, Cut("speech")), (1.3, passed("speech"))]


def test_an_agent_that_begins_while_the_caller_talks_lowers_its_voice_at_once() -> None:
    assert play([voice(0), agent(1), interim(1.2, "okay")]) == [
        (1, Duck()),
        (1.2, Cut("speech")),
        (1.2, passed("speech")),
    ]


# --- somebody else in the room ---


def test_a_remark_to_somebody_else_leaves_the_agent_talking() -> None:
    steps = [agent(0), voice(1), interim(1.4, "not"), interim(1.6, "not now"), final(2, "Not now, honey."), quiet(2)]
    assert play(steps) == [
        (1, Duck()),
        (1.4, withheld("undecided")),
        (1.6, withheld("undecided")),
        (2, Restore("aside")),
        (2, withheld("aside")),
    ]


def test_a_remark_that_may_be_for_the_agent_cuts_unless_it_is_soft() -> None:
    steps = [agent(0), voice(1), level(1.1, 0.0), final(1.9, "Not now.")]
    assert play(steps)[1:] == [(1.9, Cut("speech")), (1.9, passed("speech"))]
    steps = [agent(0), voice(1), level(1.1, -9.0), final(1.9, "Not now.")]
    assert play(steps)[1:] == [(1.9, Restore("aside")), (1.9, withheld("aside"))]


def test_soft_words_that_ask_the_agent_for_nothing_are_for_somebody_else() -> None:
    steps = [agent(0), voice(1), level(1.3, -7.0), interim(1.3, "your"), interim(1.5, "your shoes")]
    steps += [interim(1.7, "your shoes are"), final(2, "your shoes are in the hall"), quiet(2)]
    assert play(steps)[1:] == [
        (1.3, withheld("undecided")),
        (1.5, withheld("undecided")),
        (1.7, withheld("aside")),
        (2, Restore("aside")),
        (2, withheld("aside")),
    ]


@pytest.mark.parametrize(
    "text",
    ["stop", "hang on", "stop it right there", "no that's wrong", "sorry what did you say", "I want that", "why"],
)
def test_soft_words_for_the_agent_cut(text: str) -> None:
    steps = [agent(0), voice(1), level(1.3, -7.0), final(1.8, text)]
    assert any(isinstance(command, Cut) for _, command in play(steps))


def test_a_remark_stays_one_when_it_gets_a_little_louder() -> None:
    steps = [agent(0), voice(1), level(1.3, -6.0), interim(1.7, "your shoes are"), level(1.8, -4.0)]
    assert play([*steps, final(2, "your shoes are in the hall")])[-1] == (2, withheld("aside"))
    steps[-1] = level(1.8, -2.0)
    assert play([*steps, final(2, "your shoes are in the hall")])[-1] == (2, passed("speech"))


@pytest.mark.parametrize(("level_db", "waits"), [(-4.0, True), (-3.0, False)])
def test_a_first_word_that_is_nearly_soft_waits_for_the_next(level_db: float, waits: bool) -> None:
    steps = [agent(0), voice(1), level(1.3, level_db), interim(1.3, "did"), level(1.5, -6.0)]
    cut = Cut("speech") in [command for _, command in play([*steps, interim(1.5, "did you feed"), quiet(2.0)])]
    assert cut != waits


def test_two_words_are_a_remark_only_when_they_are_final_and_very_soft() -> None:
    steps = [agent(0), voice(1), level(1.3, -9.0), interim(1.5, "after you"), final(1.8, "after you")]
    assert play(steps)[1:] == [
        (1.5, withheld("undecided")),
        (1.8, Restore("aside")),
        (1.8, withheld("aside")),
    ]
    assert play([*steps[:3], final(1.8, "upstairs")])[-1] == (1.8, passed("speech"))


@pytest.mark.parametrize("answer", ["at five", "Robert Miller", "on Friday", "two people"])
def test_a_short_answer_that_is_somewhat_softer_is_heard(answer: str) -> None:
    assert play([agent(0), voice(1), level(1.3, -6.0), final(1.8, answer)])[-1] == (1.8, passed("speech"))


@pytest.mark.parametrize("pause", [[], [quiet(2.2), voice(2.3)]], ids=["one breath", "another breath"])
def test_who_goes_on_speaking_softly_is_heard_in_the_end(pause: list[Step]) -> None:
    steps = [agent(0), voice(1), level(1.3, -6.0), final(2.0, "the heating in the kitchen"), *pause]
    steps += [level(2.6, -6.0), final(2.8, "has been broken since Monday")]
    assert play(steps)[-2:] == [
        (2.8, Release(("the heating in the kitchen",))) if not pause else (2.8, Cut("speech")),
        (2.8, passed("speech")),
    ]


def test_after_a_cut_nothing_that_follows_is_a_remark() -> None:
    steps = [agent(0), voice(1), level(1.3, -6.0), interim(1.5, "did you feed"), level(1.8, 0.0)]
    steps += [final(2.0, "did you feed the invoice"), quiet(2.3), hush(2.4), agent(2.5), voice(2.8), level(3.0, -6.0)]
    assert play([*steps, final(3.2, "tomorrow")])[-1] == (3.2, passed("speech"))


@pytest.mark.parametrize("pause", [[], [quiet(1.9), voice(2.1)]], ids=["one breath", "another breath"])
def test_a_remark_goes_on_with_however_few_words(pause: list[Step]) -> None:
    steps = [agent(0), voice(1), level(1.3, -7.0), final(1.8, "don't touch that"), *pause, level(2.3, -7.0)]
    assert play([*steps, final(2.4, "hot")])[-1] == (2.4, withheld("aside"))
    assert play([*steps, level(2.4, 0.0), final(2.4, "hot")])[-1] == (2.4, passed("speech"))
    assert play([*steps, final(2.4, "stop")])[-1] == (2.4, passed("stop"))


def test_a_long_speech_is_no_remark_however_soft() -> None:
    text = "there is one more thing that I had in mind to ask you about"
    assert (1.8, passed("speech")) in play([agent(0), voice(1), level(1.3, -20), final(1.8, text)])


def test_a_remark_after_a_question_may_be_the_answer() -> None:
    steps = [agent(0), says(0.9, "Shall I send it?"), voice(1), final(1.8, "Not now, honey.")]
    assert play(steps)[-1] == (1.8, passed("speech"))


def test_remarks_can_be_left_to_cut() -> None:
    settings = OverlapSettings(aside_words=0)
    assert (1.8, passed("speech")) in play([agent(0), voice(1), final(1.8, "I'm on the phone")], settings=settings)


# --- echo ---


def test_an_echo_does_not_lower_the_voice_and_its_text_is_nobodys() -> None:
    steps = [agent(0), says(0.5, "We open at nine"), voice(1, echo=True), interim(1.5, "open at nine"), quiet(2)]
    assert play(steps) == [(1.5, withheld("echo"))]


def test_an_echo_does_not_keep_the_voice_low() -> None:
    steps = [agent(0), voice(1), quiet(1.6, after=0.1), voice(1.62, echo=True), quiet(4)]
    assert play(steps) == [(1, Duck()), (1.87, Restore("wordless"))]


def test_an_echo_that_is_known_late_raises_the_voice_again() -> None:
    assert play([agent(0), voice(1), voice(1.2, echo=True), quiet(2)]) == [(1, Duck()), (1.2, Restore("echo"))]


def test_a_voice_that_was_taken_for_an_echo_lowers_the_voice_late() -> None:
    steps = [agent(0), voice(1, echo=True), voice(1.2), voice(1.3), quiet(1.6)]
    assert play(steps) == [(1.2, Duck()), (1.6, Restore("wordless"))]


def test_a_text_that_was_taken_for_an_echo_wrongly_is_not_lost() -> None:
    steps = [agent(0), says(0.5, "We open at nine"), voice(1, echo=True), final(1.5, "at nine"), voice(1.6), quiet(2)]
    assert play(steps) == [
        (1.5, withheld("echo")),
        (1.6, Duck()),
        (1.6, Cut("speech")),
        (1.6, Release(("at nine",))),
    ]


def test_words_of_the_callers_own_in_an_echo_cut() -> None:
    steps = [agent(0), says(0.5, "We open at nine"), voice(1, echo=True), interim(1.5, "stop it please")]
    assert play(steps) == [(1.5, Cut("stop")), (1.5, passed("stop"))]


def test_the_agents_words_from_the_callers_mouth_are_speech() -> None:
    steps = [agent(0), says(0.5, "We open at nine"), voice(1), interim(1.5, "at nine")]
    assert play(steps)[1:] == [(1.5, Cut("speech")), (1.5, passed("speech"))]


# --- policies ---


def test_the_policy_cut_stops_for_any_voice() -> None:
    steps = [agent(0), voice(1), final(1.5, "mm-hmm"), hush(1.6)]
    assert play(steps, policy="cut") == [(1, Cut("voice")), (1.5, passed("cut"))]


def test_the_policy_cut_does_not_stop_for_an_echo() -> None:
    assert play([agent(0), voice(1, echo=True), quiet(2)], policy="cut") == []


def test_the_policy_duck_finishes_the_sentence_and_then_answers() -> None:
    steps = [agent(0), voice(1), interim(1.5, "what is"), final(2, "What is the price?"), quiet(2.1), hush(5)]
    assert play(steps, policy="duck") == [
        (1, Duck()),
        (1.5, withheld("held")),
        (2, Restore("held")),
        (2, withheld("held")),
        (5, Release(("What is the price?",))),
    ]


def test_the_policy_duck_obeys_stop_and_gives_back_what_was_said_before() -> None:
    steps = [agent(0), voice(1), final(2, "What is the price?"), quiet(2.1), voice(3), interim(3.5, "stop")]
    assert play(steps, policy="duck")[-3:] == [
        (3.5, Cut("stop")),
        (3.5, Release(("What is the price?",))),
        (3.5, passed("stop")),
    ]


def test_the_policy_duck_keeps_no_listeners_words() -> None:
    assert play([agent(0), voice(1), final(1.5, "mhm"), quiet(1.6), hush(5)], policy="duck")[-1] == (
        1.5,
        withheld("backchannel"),
    )


def test_the_policy_ignore_shows_nothing_and_loses_nothing() -> None:
    steps = [agent(0), voice(1), final(1.5, "stop"), quiet(1.6), voice(3), final(3.5, "I have a question"), hush(5)]
    assert play(steps, policy="ignore") == [
        (1.5, withheld("held")),
        (3.5, withheld("held")),
        (5, Release(("stop", "I have a question"))),
    ]


def test_an_answer_to_a_question_is_not_lost_either() -> None:
    steps = [agent(0), says(0.9, "Is that right?"), voice(1), final(1.5, "yes"), quiet(1.6), hush(5)]
    assert play(steps, policy="ignore")[-1] == (5, Release(("yes",)))


def test_an_important_sentence_is_finished_whatever_is_said() -> None:
    steps = [agent(0, "important"), voice(1), final(1.5, "stop"), quiet(1.6), hush(3)]
    assert play(steps) == [(1.5, withheld("held")), (3, Release(("stop",)))]


def test_a_situation_may_have_a_policy_of_its_own() -> None:
    settings = OverlapSettings(situations={"greeting": "cut", "reading_back": "duck"})
    assert play([agent(0, "greeting"), voice(1)], settings=settings) == [(1, Cut("voice"))]
    assert play([agent(0, "reading_back"), voice(1), interim(1.2, "what")], settings=settings, until=2) == [
        (1, Duck()),
        (1.2, withheld("held")),
    ]
    assert play([agent(0, "ordinary"), voice(1)], settings=settings, until=2) == [(1, Duck())]
    assert play([agent(0, "important"), voice(1)], settings=settings, until=2) == []
    important = OverlapSettings(situations={"important": "duck"})
    assert play([agent(0, "important"), voice(1)], settings=important, until=2) == [(1, Duck())]


def test_a_sentence_that_takes_no_notice_is_said_in_full_voice() -> None:
    steps = [agent(0), voice(1), interim(1.2, "ye"), comes_to(1.3, "important"), quiet(2)]
    assert play(steps) == [(1, Duck()), (1.2, withheld("undecided")), (1.3, Restore("situation"))]


# --- any order of anything ---

TEXTS = [
    "mm-hmm", "yeah okay", "um", "", "ye", "stop", "no no", "what is the price", "no", "not now honey", "put it",
    "we open at nine", "I see", "yes", "your shoes are in the hall",
]  # fmt: skip
ALWAYS: dict[Situation, Policy] = {"important": "duck_then_cut"}
SITUATIONS: list[Situation] = ["ordinary", "greeting", "important", "reading_back"]
POLICIES: list[Policy] = ["duck_then_cut", "cut", "duck", "ignore"]
Make = Callable[[float], Step]


def texts(make: Callable[[float, str], Step]) -> list[Make]:
    return [lambda now, text=text: make(now, text) for text in TEXTS]  # type: ignore[misc]


def situations(make: Callable[[float, Situation], Step]) -> list[Make]:
    return [lambda now, situation=situation: make(now, situation) for situation in SITUATIONS]  # type: ignore[misc]


STARTS: list[Make] = [agent, *situations(agent)]
OTHERS: list[Make] = [
    voice,
    quiet,
    lambda now: voice(now, echo=True),
    lambda now: quiet(now, after=0.0),
    lambda now: says(now, "Shall I book it?"),
    lambda now: says(now, "We open at nine", " and close at five."),
    lambda now: level(now, -9.0),
    *situations(comes_to),
    *texts(interim),
    *texts(final),
]
MAKES = st.one_of(st.sampled_from(STARTS), st.just(hush), st.sampled_from(OTHERS), st.sampled_from(OTHERS))
HISTORIES = st.lists(st.tuples(st.floats(0, 3), MAKES, st.booleans()), max_size=40)
History = list[tuple[float, Make, bool]]
ALL_SETTINGS = st.builds(
    OverlapSettings,
    policy=st.sampled_from(POLICIES),
    situations=st.dictionaries(st.sampled_from(SITUATIONS), st.sampled_from(POLICIES)),
    interims=st.booleans(),
)


class Agent:
    """What the commands make of the agent's voice; refuses what makes no sense."""

    def __init__(self, settings: OverlapSettings) -> None:
        self.overlap = Overlap(settings, WORDS)
        self.now = 0.0
        self.speaking = self.ducked = self.cut = False
        self.released: list[str] = []

    def play(self, history: History) -> list[tuple[Said, Verdict]]:
        """The texts with their verdicts. An event's last part: is the driver in time, or does it ask `due` with the
        next event only?"""
        verdicts: list[tuple[Said, Verdict]] = []
        for wait, make, in_time in history:
            if in_time:
                self.pass_time(self.now + wait)
            self.now += wait
            step = make(self.now)
            verdict = step[1](self.overlap, self.now)
            if make in STARTS:
                self.speaking, self.cut = True, False
            self.obey(self.overlap.due(self.now))
            if make is hush:
                self.speaking = self.cut = False
            if isinstance(step[1], Said) and verdict is not None:
                verdicts.append((step[1], verdict))
        return verdicts

    def pass_time(self, until: float) -> None:
        while (deadline := self.overlap.deadline()) is not None and deadline <= until:
            assert deadline > self.now
            self.now = deadline
            self.obey(self.overlap.due(deadline))
        self.now = until

    def obey(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Duck():
                    assert self.speaking
                    assert not self.cut
                    assert not self.ducked
                    self.ducked = True
                case Restore():
                    assert self.ducked
                    assert not self.cut
                    self.ducked = False
                case Cut():
                    assert self.speaking
                    assert not self.cut
                    self.cut, self.ducked = True, False
                case Release(texts):
                    self.released += texts
        deadline = self.overlap.deadline()
        assert deadline is None or deadline > self.now
        assert self.ducked == self.overlap.ducked
        assert not self.ducked or deadline is not None, "a duck with nothing to end it"


@given(ALL_SETTINGS, HISTORIES)
def test_whatever_happens_the_commands_make_sense_and_no_duck_is_stuck(
    settings: OverlapSettings, history: History
) -> None:
    told = Agent(settings)
    told.play(history)
    told.pass_time(told.now + settings.longest_duck_seconds)
    told.play([(0.0, quiet, True)])
    told.pass_time(told.now + settings.restore_seconds + 0.01)
    assert not told.ducked
    assert told.overlap.deadline() is None


@given(HISTORIES)
def test_whatever_happens_no_stop_and_no_speech_is_withheld_for_good(history: History) -> None:
    settings = OverlapSettings(situations=ALWAYS, aside_words=0)
    told = Agent(settings)
    for said, verdict in told.play(history):
        if verdict.pass_on or verdict.reason == "echo":
            continue
        if verdict.reason == "undecided":
            assert WORDS.may_become(said.text) is not None
            assert not said.final
        else:
            assert WORDS.kind(said.text) in ("backchannel", "nothing")


@given(HISTORIES)
def test_whatever_is_undecided_is_decided_within_a_second(history: History) -> None:
    told = Agent(OverlapSettings(situations=ALWAYS))
    told.play([*history, (3.0, agent, True), (0.1, voice, True), (0.3, lambda now: interim(now, "ye"), True)])
    told.pass_time(told.now + 1.0)
    assert told.cut


@given(st.sampled_from(["duck", "ignore"]), HISTORIES)
def test_whatever_is_held_comes_back_when_the_agent_has_ended(policy: Policy, history: History) -> None:
    told = Agent(OverlapSettings(policy, situations={"important": policy}))
    verdicts = told.play([*history, (0.0, hush, True)])
    held = Counter(said.text for said, verdict in verdicts if verdict.reason == "held" and said.final)
    assert held <= Counter(told.released)
