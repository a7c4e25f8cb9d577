"""Rows of (time, what happened) and the commands that must come; then properties over any order of events."""

from __future__ import annotations

from collections.abc import Callable

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
)

WORDS = Backchannels(lexicon_of("en"))
Step = tuple[float, Callable[[Overlap, float], Verdict | None]]
Told = Command | Verdict


def agent(now: float, situation: Situation | None = None) -> Step:
    return now, lambda overlap, at: overlap.agent_started(at, situation=situation)


def hush(now: float) -> Step:
    return now, lambda overlap, at: overlap.agent_stopped(at)


def says(now: float, heard: str, upcoming: str = "") -> Step:
    return now, lambda overlap, at: overlap.agent_said(at, heard, upcoming)


def voice(now: float, *, echo: bool = False) -> Step:
    return now, lambda overlap, at: overlap.caller_started(at, echo=echo)


def quiet(now: float, *, after: float = 0.25) -> Step:
    """The voice detector needs a silence to be sure of the end."""
    return now, lambda overlap, at: overlap.caller_stopped(at, quiet_seconds=after)


def soft(now: float) -> Step:
    return now, lambda overlap, _at: overlap.caller_level(-12.0)


def interim(now: float, text: str) -> Step:
    return now, lambda overlap, at: overlap.transcript(at, text, final=False)


def final(now: float, text: str) -> Step:
    return now, lambda overlap, at: overlap.transcript(at, text, final=True)


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


def passed(reason: str) -> Verdict:
    return Verdict(True, reason)  # type: ignore[arg-type]


def withheld(reason: str) -> Verdict:
    return Verdict(False, reason)  # type: ignore[arg-type]


def test_a_listeners_word_lowers_the_voice_and_raises_it_again() -> None:
    steps = [agent(0), voice(1), interim(1.4, "Mm-hmm."), final(1.6, "Mm-hmm."), quiet(1.7)]
    assert play(steps) == [
        (1, Duck()),
        (1.4, withheld("backchannel")),
        (1.6, Restore("backchannel")),
        (1.6, withheld("backchannel")),
    ]


def test_stop_cuts_at_the_first_interim_and_nothing_follows() -> None:
    steps = [agent(0), voice(1), interim(1.5, "stop"), quiet(1.8), hush(1.9), final(2, "Stop, wait please.")]
    assert play(steps) == [(1, Duck()), (1.5, Cut("stop")), (1.5, passed("stop")), (2, passed("agent_silent"))]


def test_speech_cuts_and_is_passed() -> None:
    steps = [agent(0), voice(1), interim(1.5, "no that's wrong"), hush(1.6)]
    assert play(steps) == [(1, Duck()), (1.5, Cut("speech")), (1.5, passed("speech"))]


def test_a_cough_lowers_the_voice_until_it_has_ended_and_no_text_has_come() -> None:
    assert play([agent(0), voice(1), quiet(1.6)]) == [(1, Duck()), (1.65, Restore("wordless"))]


def test_more_words_in_the_same_breath_cut_and_bring_back_what_was_withheld() -> None:
    steps = [agent(0), voice(1), final(1.6, "Mm-hmm."), interim(1.9, "what is")]
    assert play(steps)[2:] == [
        (1.6, withheld("backchannel")),
        (1.9, Cut("speech")),
        (1.9, Release(("Mm-hmm.",))),
        (1.9, passed("speech")),
    ]


def test_yes_to_a_question_is_an_answer() -> None:
    steps = [agent(0), says(0.9, "Shall I bo", "ok it?"), voice(1), interim(1.5, "Yes")]
    assert play(steps) == [(1, Duck()), (1.5, Cut("answer")), (1.5, passed("answer"))]


def test_noise_lowers_the_voice_for_a_while_and_not_again_before_a_silence() -> None:
    steps = [agent(0), voice(1), quiet(4), voice(4.3), quiet(5), voice(6.5)]
    assert play(steps, until=7) == [(1, Duck()), (3.5, Restore("noise")), (6.5, Duck())]
