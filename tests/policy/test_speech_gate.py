from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voiceworker.policy.speech_gate import Command, Finalize, Gate, GateSettings, Send, SentAudio

RATE = 16_000
WINDOW = 512
"of the detector"
PLAIN = GateSettings()
PRE_ROLL, HANG_OVER = round(PLAIN.pre_roll_seconds * RATE), round(PLAIN.hang_over_seconds * RATE)

Verdicts = list[float]


def seconds(count: float) -> int:
    return round(count * RATE)


def windows(length_seconds: float, probability: float) -> Verdicts:
    return [probability] * round(length_seconds * RATE / WINDOW)


def live(gate: Gate, verdicts: Verdicts, since: int = 0) -> list[Command]:
    """Each window is received and judged before the next one comes."""
    done: list[Command] = []
    for nth, probability in enumerate(verdicts, 1):
        done += gate.received(since + nth * WINDOW)
        done += gate.judged(since + nth * WINDOW, probability)
    return done


def stretches(commands: list[Command]) -> list[tuple[int, int]]:
    """What was sent, whatever follows without a gap put together."""
    joined: list[tuple[int, int]] = []
    for sent in commands:
        if isinstance(sent, Send):
            if joined and joined[-1][1] == sent.since:
                joined[-1] = (joined[-1][0], sent.until)
            else:
                joined.append((sent.since, sent.until))
    return joined


SILENCE, VOICE = windows(1, 0.02), windows(0.5, 0.9)


def test_silence_is_not_sent() -> None:
    assert live(Gate(PLAIN, RATE), windows(60, 0.1)) == []


def test_speech_is_sent_with_what_came_just_before_it_and_until_a_little_after() -> None:
    commands = live(Gate(PLAIN, RATE), SILENCE + VOICE + SILENCE)
    began, ended = len(SILENCE) * WINDOW, len(SILENCE + VOICE) * WINDOW
    (stretch,) = stretches(commands)
    assert stretch[0] == began - PRE_ROLL
    assert ended + HANG_OVER <= stretch[1] < ended + HANG_OVER + WINDOW
    assert commands[-1] == Finalize()
    assert commands.count(Finalize()) == 1


def test_the_first_evidence_opens_before_any_more_audio_comes() -> None:
    gate = Gate(PLAIN, RATE)
    live(gate, SILENCE)
    now = len(SILENCE) * WINDOW + WINDOW
    assert gate.received(now) == []
    assert gate.judged(now, PLAIN.opening_probability) == [Send(now - WINDOW - PRE_ROLL, now)]
    assert gate.received(now + 10) == [Send(now, now + 10)]  # and what follows waits for no verdict


def test_at_the_beginning_there_is_less_to_send_ahead() -> None:
    assert stretches(live(Gate(PLAIN, RATE), VOICE))[0][0] == 0


def test_a_pause_within_an_utterance_passes() -> None:
    commands = live(Gate(PLAIN, RATE), VOICE + windows(0.16, 0.02) + VOICE)
    assert len(stretches(commands)) == 1
    assert Finalize() not in commands


def test_a_caller_who_goes_on_after_the_gate_has_shut_loses_nothing() -> None:
    pause = windows(0.4, 0.02)
    commands = live(Gate(PLAIN, RATE), VOICE + pause + VOICE + SILENCE)
    assert len(stretches(commands)) == 1  # the pre-roll reaches back to where it was shut, and no further
    assert commands.count(Finalize()) == 2


def test_a_voice_that_fades_holds_the_gate_and_does_not_open_it() -> None:
    fading = windows(1, PLAIN.staying_probability)
    assert live(Gate(PLAIN, RATE), fading) == []
    gate = Gate(PLAIN, RATE)
    live(gate, VOICE + fading)
    assert gate.is_open


def test_an_engine_that_cannot_be_told_to_end_is_given_the_silence_that_it_needs() -> None:
    gate = Gate(replace(PLAIN, patience_seconds=5), RATE)
    live(gate, VOICE)
    gate.engine_began()
    silence, since = windows(2, 0.02), len(VOICE) * WINDOW
    assert Finalize() not in live(gate, silence, since)
    gate.engine_ended()
    assert live(gate, silence[:1], since + len(silence) * WINDOW)[-1] == Finalize()


def test_an_engine_that_never_ends_is_not_waited_for_for_ever() -> None:
    gate = Gate(replace(PLAIN, patience_seconds=1), RATE)
    gate.engine_began()
    assert len(stretches(live(gate, VOICE + windows(10, 0.02)))) == 1
    assert not gate.is_open


def test_an_engine_without_a_keep_alive_of_its_own_gets_a_little_silence() -> None:
    gate = Gate(replace(PLAIN, keep_alive_seconds=5), RATE)
    sent = stretches(live(gate, windows(16, 0.02)))
    assert [until // RATE for _, until in sent] == [5, 10, 15]
    assert all(until - since == PRE_ROLL for since, until in sent)


def test_a_burst_is_cut_as_live_audio_is() -> None:
    verdicts = SILENCE + VOICE + windows(10, 0.02) + VOICE + SILENCE
    gate = Gate(replace(PLAIN, ahead_seconds=0, blind_seconds=60), RATE)
    commands = gate.received(len(verdicts) * WINDOW)
    for nth, probability in enumerate(verdicts, 1):
        commands += gate.judged(nth * WINDOW, probability)
    for (since, until), (began, ended) in zip(
        stretches(commands), stretches(live(Gate(PLAIN, RATE), verdicts)), strict=True
    ):
        assert since == began
        assert until == pytest.approx(ended, abs=WINDOW)


def test_a_detector_that_lags_holds_up_nothing_for_a_second() -> None:
    gate = Gate(PLAIN, RATE)
    live(gate, VOICE)
    judged = len(VOICE) * WINDOW
    assert gate.received(judged + seconds(0.9)) == [Send(judged, judged + seconds(0.9))]
    assert gate.all_sent
    assert gate.received(judged + seconds(2)) == [Send(judged + seconds(0.9), judged + seconds(1))]
    assert not gate.all_sent


def test_words_that_have_gone_ahead_of_the_verdicts_are_not_cut_in_two() -> None:
    gate = Gate(PLAIN, RATE)
    live(gate, VOICE)
    judged = len(VOICE) * WINDOW
    gone = judged + seconds(0.8)
    gate.received(gone)
    silence = windows(0.4, 0.02)
    for nth, probability in enumerate(silence, 1):
        assert gate.judged(judged + nth * WINDOW, probability) == []
    assert gate.received(gone + seconds(0.1)) == []  # it is silent, as far as is known
    judged += len(silence) * WINDOW
    assert gate.judged(judged + WINDOW, 0.9) == [Send(gone, gone + seconds(0.1))]


def test_a_detector_that_has_failed_makes_nobody_deaf() -> None:
    gate = Gate(PLAIN, RATE)
    live(gate, SILENCE)
    judged = len(SILENCE) * WINDOW
    late = judged + seconds(PLAIN.blind_seconds)
    assert gate.received(late) == []
    assert gate.received(late + 1) == [Send(judged - PRE_ROLL, late + 1)]
    assert gate.received(late + seconds(9)) == [Send(late + 1, late + seconds(9))]
    for nth in range(1, round(seconds(12.1) / WINDOW)):  # it was only slow: from here on it is believed again
        gate.judged(judged + nth * WINDOW, 0.02)
    assert not gate.is_open


def test_what_was_not_final_is_sent_again_to_a_new_connection() -> None:
    gate = Gate(PLAIN, RATE)
    live(gate, SILENCE + VOICE)
    began, now = len(SILENCE) * WINDOW - PRE_ROLL, len(SILENCE + VOICE) * WINDOW
    assert gate.reconnected() == [Send(began, now)]
    gate.settled(now - seconds(0.4))
    assert gate.reconnected() == [Send(now - seconds(0.4), now)]
    gate.settled(None)
    assert gate.reconnected() == []


def test_the_last_words_are_asked_for_again_when_the_gate_is_shut() -> None:
    gate = Gate(PLAIN, RATE)
    live(gate, VOICE + SILENCE)
    again = gate.reconnected()
    assert again[-1] == Finalize()
    assert stretches(again)[0][0] == 0


def test_words_of_long_ago_are_not_sent_again() -> None:
    gate = Gate(PLAIN, RATE)
    live(gate, VOICE + windows(PLAIN.replay_seconds + 1, 0.02))
    assert gate.reconnected() == []


def test_the_end_of_the_input_sends_what_no_verdict_has_come_for() -> None:
    gate = Gate(replace(PLAIN, ahead_seconds=0), RATE)
    live(gate, VOICE)
    gate.received(len(VOICE) * WINDOW + 100)
    assert gate.ended() == [Send(len(VOICE) * WINDOW, len(VOICE) * WINDOW + 100)]
    assert Gate(PLAIN, RATE).ended() == []


@pytest.mark.parametrize("probabilities", [(0.0, 0.3), (0.4, 0.3), (0.2, 1.5)])
def test_probabilities_out_of_order_are_refused(probabilities: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="staying_probability"):
        GateSettings(staying_probability=probabilities[0], opening_probability=probabilities[1])


# --- whatever is heard ---

_VERDICTS = st.lists(st.tuples(st.integers(1, 40), st.sampled_from([0.01, 0.1, 0.2, 0.35, 0.9])), max_size=30).map(
    lambda runs: [probability for count, probability in runs for _ in range(count)]
)
_ENGINE = st.sampled_from(["", "", "", "began", "ended", "settled", "reconnected"])


@given(_VERDICTS, st.lists(st.integers(0, 40), max_size=200), st.floats(0, 2))
def test_all_speech_is_sent_once_in_order_and_with_its_pre_roll(
    verdicts: Verdicts, lags: list[int], ahead: float
) -> None:
    """However late the verdicts come: `lags` in windows."""
    gate = Gate(replace(PLAIN, ahead_seconds=ahead), RATE)
    commands: list[Command] = []
    judged = 0
    for nth in range(1, len(verdicts) + 1):
        commands += gate.received(nth * WINDOW)
        lag = lags[nth % len(lags)] if lags else 0
        while judged < nth - lag:
            judged += 1
            commands += gate.judged(judged * WINDOW, verdicts[judged - 1])
    for rest in range(judged + 1, len(verdicts) + 1):
        commands += gate.judged(rest * WINDOW, verdicts[rest - 1])
    commands += gate.ended()
    sent = stretches(commands)
    assert all(since < until for since, until in sent)
    assert all(one[1] < other[0] for one, other in pairwise(sent))
    for place, probability in enumerate(verdicts):
        if probability >= PLAIN.opening_probability:
            begin, end = max(0, place * WINDOW - PRE_ROLL), (place + 1) * WINDOW
            assert any(since <= begin and end <= until for since, until in sent)


@given(_VERDICTS)
def test_silence_costs_no_more_than_the_edges_of_speech(verdicts: Verdicts) -> None:
    commands = live(Gate(PLAIN, RATE), verdicts)
    sent = sum(until - since for since, until in stretches(commands))
    sounding = sum(probability >= PLAIN.staying_probability for probability in verdicts) * WINDOW
    openings = sum(
        after >= PLAIN.opening_probability and before < PLAIN.opening_probability
        for before, after in pairwise([0.0, *verdicts])
    )
    edges = PRE_ROLL + HANG_OVER + WINDOW
    assert sent <= sounding + openings * edges + commands.count(Finalize()) * edges


@given(_VERDICTS, st.lists(_ENGINE, min_size=1, max_size=50))
@example([0.01] * 18 + [0.35] + [0.01] * 9 + [0.2] * 3, ["", "", "", "reconnected", "began", "", "settled"])
def test_nothing_is_asked_for_that_was_forgotten(verdicts: Verdicts, events: list[str]) -> None:
    gate = Gate(replace(PLAIN, patience_seconds=0.5), RATE)
    forgotten = 0
    for nth, probability in enumerate(verdicts, 1):
        commands = gate.received(nth * WINDOW) + gate.judged(nth * WINDOW, probability)
        match events[nth % len(events)]:
            case "began":
                gate.engine_began()
            case "ended":
                gate.engine_ended()
            case "settled":
                gate.settled(max(0, nth * WINDOW - seconds(0.3)))
            case "reconnected":
                commands += gate.reconnected()
        assert all(sent.since >= forgotten for sent in commands if isinstance(sent, Send))
        forgotten = max(forgotten, gate.needed_since)
        longest = PLAIN.replay_seconds + PLAIN.pre_roll_seconds + 0.1
        assert nth * WINDOW - gate.needed_since <= seconds(longest + PLAIN.replay_seconds)


# --- time ---


def test_times_are_those_of_the_call() -> None:
    sent = SentAudio(RATE)
    sent.add(Send(seconds(1), seconds(2)))
    sent.add(Send(seconds(2), seconds(3)))
    sent.add(Send(seconds(10), seconds(11)))
    assert sent.samples == seconds(3)
    assert [sent.began(second) for second in (0, 0.5, 1.5, 2, 2.5)] == [1, 1.5, 2.5, 10, 10.5]
    assert [sent.ended(second) for second in (0.5, 2, 2.5, 3)] == [1.5, 3, 10.5, 11]


def test_before_anything_was_sent_a_time_stays_as_it_is() -> None:
    assert SentAudio(RATE).began(1.5) == 1.5


def test_only_the_last_stretches_are_kept() -> None:
    sent = SentAudio(RATE, kept_stretches=2)
    for nth in range(5):
        sent.add(Send(seconds(10 * nth), seconds(10 * nth + 1)))
    assert sent.began(4.5) == 40.5
    assert sent.began(3.5) == 30.5


@given(st.lists(st.tuples(st.integers(0, RATE), st.integers(1, RATE)), min_size=1, max_size=40))
def test_every_sample_is_found_where_it_was(gaps: list[tuple[int, int]]) -> None:
    sent, place, at = SentAudio(RATE), 0, 0
    for gap, length in gaps:
        place += gap
        sent.add(Send(place, place + length))
        for inner in (0, length // 2, length - 1):
            assert round(sent.began((at + inner) / RATE) * RATE) == place + inner
            assert round(sent.ended((at + inner + 1) / RATE) * RATE) == place + inner + 1
        place, at = place + length, at + length
