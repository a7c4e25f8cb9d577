import pytest

from voiceworker.lab.bench.latency import Turn, report, self_reported, sum_of_providers
from voiceworker.lab.bench.line import ReceivedEvent


def turns(ours: float | None, peer: float | None, rounds: int = 20, **of_ours: object) -> list[Turn]:
    found = []
    for number in range(rounds):
        found.append(Turn(number, "ours", "hours", ours, cut_off=False))
        found.append(Turn(number, "livekit", "hours", peer, cut_off=False))
        for name, value in of_ours.items():
            setattr(found[-2], name, value)
    return found


def test_the_ratio_is_judged_against_the_goal() -> None:
    found = report(turns(0.35, 0.70), {}, 0.5, 0.036)
    p50, p95 = found.lines
    assert (p50.metric, p50.ours, p50.theirs, p50.interval.value) == ("v2v p50", "350 ms", "700 ms", 0.5)
    assert (p50.verdict, p95.verdict) == ("met", "missed")


def test_turns_without_an_answer_are_counted_and_not_averaged() -> None:
    some = [*turns(0.35, 0.70, rounds=9), *turns(None, 0.70, rounds=1)]
    some[-2].round = some[-1].round = 9
    found = report(some, {}, 0.5, 0.036)
    assert found.lines[0].interval.pairs == 9
    assert "1 of 10 not answered" in found.notes[0]


def test_what_is_reported_is_held_against_what_was_heard() -> None:
    found = report(turns(0.35, 0.70, reported=0.33, parts={"end_of_turn": 0.2, "answer": 0.12}), {}, 0.5, 0.036)
    off, gap = found.lines[2:]
    assert (off.ours, off.verdict) == ("20 ms", "met")
    assert (gap.ours, gap.verdict) == ("10 ms", "met")


def test_the_report_of_this_turn_is_taken_and_not_that_of_another() -> None:
    events = [
        ReceivedEvent(5.0, {"type": "agent.speech_started", "first_audio_ms": 111}),
        ReceivedEvent(10.4, {"type": "agent.speech_started", "first_audio_ms": 350, "parts": {"commit": 350}}),
        ReceivedEvent(10.5, {"type": "user.transcript"}),
        ReceivedEvent(15.0, {"type": "agent.speech_started", "first_audio_ms": 222}),
    ]
    assert self_reported(events, ended_at=10.0, onset=10.35) == (0.35, {"commit": 0.35})
    assert self_reported(events, ended_at=11.0, onset=11.5) == (None, {})


def test_the_providers_take_half_a_second_by_default() -> None:
    assert sum_of_providers("typical") == pytest.approx(0.5)
    assert sum_of_providers("slow") == pytest.approx(1.0)
