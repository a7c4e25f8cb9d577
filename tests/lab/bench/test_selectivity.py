"""A minute of an agent's sound with known answers; the event always lasts from 10.0 to 10.8 s."""

import numpy as np
import pytest

from voiceworker.lab.audio import SAMPLE_RATE, Samples
from voiceworker.lab.bench.ear import Ear
from voiceworker.lab.bench.selectivity import Event, callers, judge, report, shares
from voiceworker.lab.bench.speeches import Speeches
from voiceworker.lab.speech import SpeechKind

FRAME = SAMPLE_RATE // 100


def sound(seconds: float, amplitude: float = 8000) -> Samples:
    steps = np.arange(round(seconds * SAMPLE_RATE))
    return (amplitude * np.sin(2 * np.pi * 600 * steps / SAMPLE_RATE)).astype(np.int16)


def judged(kind: SpeechKind, *parts: tuple[float, float], whole: bool = True) -> Event:
    """An agent heard from second 5 on, as (seconds, amplitude) parts."""
    ear = Ear()
    samples = np.concatenate([sound(seconds, amplitude) for seconds, amplitude in parts])
    for place in range(0, len(samples) - FRAME + 1, FRAME):
        ear.hear(samples[place : place + FRAME], 5 + (place + FRAME) / SAMPLE_RATE)
    event = Event("quiet", 0, "ours", kind, "mm-hmm", "slt", whole=whole)
    judge(ear, event, 10.0, 10.8, ear.level(9, 10))
    return event


def test_an_agent_that_goes_on_is_right_about_a_backchannel_and_wrong_about_a_stop() -> None:
    assert judged("backchannel", (20, 8000)).right
    assert judged("interruption", (20, 8000)).right is False


def test_an_agent_that_stops_in_time_is_right_about_a_stop_and_wrong_about_a_backchannel() -> None:
    event = judged("interruption", (5.6, 8000), (5, 0))
    assert event.stopped == pytest.approx(0.6, abs=0.01)
    assert event.right
    assert judged("noise", (5.6, 8000), (5, 0)).right is False
    assert judged("interruption", (7.3, 8000), (5, 0)).right is False  # 2.3 s after its beginning


def test_a_duck_is_right_when_it_is_restored_within_half_a_second_after_the_end() -> None:
    event = judged("backchannel", (5.2, 8000), (0.9, 2000), (10, 8000))
    assert event.restored == pytest.approx(0.3, abs=0.03)
    assert event.right
    assert judged("backchannel", (5.2, 8000), (1.4, 2000), (10, 8000)).right is False  # restored after 0.8 s
    assert judged("backchannel", (5.2, 8000), (15, 2000)).right is False  # never


def test_a_lost_word_is_wrong_and_a_reply_that_was_over_is_not_judged() -> None:
    assert judged("backchannel", (20, 8000), whole=False).right is False
    assert judged("backchannel", (3, 8000), (10, 0)).right is None


def test_what_the_machine_or_the_emulated_recogniser_spoilt_is_not_judged_and_is_counted() -> None:
    events = [judged("backchannel", (20, 8000), whole=False) for _ in range(3)]
    events[0].held_up, events[1].unheard = 0.3, True
    assert [event.right for event in events] == [None, None, False]
    notes = " ".join(report(events, {}).notes)
    assert "1 sounds not judged: the emulated recogniser" in notes
    assert "1 sounds not judged: this machine" in notes


def test_the_table_has_a_row_for_each_kind_and_all_together() -> None:
    events = [
        judged("backchannel", (20, 8000)),
        judged("backchannel", (5.6, 8000), (5, 0)),
        judged("interruption", (5.6, 8000), (5, 0)),
    ]
    found = report(events, {})
    assert [(line.metric, line.ours, line.verdict) for line in found.lines] == [
        ("quiet: backchannel, survived", "50 %", "open"),
        ("quiet: interruption, stopped within 2 s", "100 %", "open"),
        ("quiet: all that must not stop it, survived", "50 %", "open"),
    ]
    assert shares(events)["interruption"]["ours"].pairs == 1


@pytest.mark.parametrize("count", [6, 120, 240])
def test_a_caller_has_one_voice_and_every_sound_is_made_once(count: int) -> None:
    speeches = Speeches(seed=1)
    questions, events = speeches.whole_turns(), speeches.overlaps(count)
    calls = callers(questions, events)
    voices = {question.voice for question in questions}
    assert sorted(event.name for _, own in calls for event in own) == sorted(event.name for event in events)
    for asked, own in calls:
        assert asked
        assert len({one.voice for one in [*asked, *own]} & voices) == 1
    assert {asked[0].voice for asked, _ in calls} == voices or count == 6
