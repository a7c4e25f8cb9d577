from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voiceworker.lab.audio import SAMPLE_RATE, Samples, read_speech
from voiceworker.lab.emulators.delays import FAST, TYPICAL, Delays
from voiceworker.lab.emulators.hearing import Expectations
from voiceworker.lab.emulators.listening import ListenOptions
from voiceworker.lab.emulators.tones import encode
from voiceworker.lab.emulators.transcribing import Transcriber
from voiceworker.lab.speech import Speech

MakeSpeech = Callable[..., Speech]

STOCK = ListenOptions(
    interim_results=True, punctuate=True, filler_words=True, vad_events=True, endpointing_seconds=0.025
)
RATE = 16000


class Line:
    """A caller's line into a transcriber, in steps of 10 ms of a clock of its own that begins at 100 s."""

    def __init__(self, options: ListenOptions = STOCK, delays: Delays = TYPICAL, *, late: float = 0.0) -> None:
        self.now = 100.0
        self.expectations = Expectations()
        self.options = options
        self.delays = delays
        self.said: list[tuple[float, dict[str, Any]]] = []
        "what the transcriber sends, with its time after the beginning of the last speech"
        self.started_at = 0.0
        self.late = late
        self.reconnect()

    def reconnect(self) -> None:
        self.stream = Transcriber(self.options, self.delays, self.expectations, "key", self.now, "id", self.late)

    def say(self, speech: Speech, *, transit: float = 0.05, announced: bool = True, noise: float = 6.0) -> None:
        if announced:
            self.expectations.add(speech, self.now)
        self.quiet(transit)
        self.started_at = self.now
        self.send(read_speech(speech.path), noise)

    def send(self, samples: Samples, noise: float = 6.0) -> None:
        hiss = np.random.default_rng(1).normal(0, noise, len(samples))
        heard = soxr.resample(np.clip(samples + hiss, -32768, 32767).astype(np.int16), SAMPLE_RATE, RATE)
        for begin in range(0, len(heard), RATE // 100):
            piece = heard[begin : begin + RATE // 100]
            self.now += len(piece) / RATE
            self.stream.receive(piece, self.now)
            self.collect()

    def quiet(self, seconds: float) -> None:
        self.send(np.zeros(round(seconds * SAMPLE_RATE), np.int16))

    def wait(self, seconds: float) -> None:
        """No audio comes; the transcriber is asked when it said that it wants to be."""
        until = self.now + seconds
        while (due_at := self.stream.next_due_at()) is not None and due_at <= until:
            self.now = max(self.now, due_at)
            self.collect()
        self.now = until

    def collect(self) -> None:
        for sent in self.stream.send_due(self.now):
            self.said.append((round(self.now - self.started_at, 3), sent.message))

    def of_type(self, kind: str) -> list[tuple[float, dict[str, Any]]]:
        return [(at, message) for at, message in self.said if message["type"] == kind]

    def transcripts(self, *, final: bool) -> list[tuple[float, str]]:
        return [
            (at, message["channel"]["alternatives"][0]["transcript"])
            for at, message in self.of_type("Results")
            if message["is_final"] == final
        ]


def test_interims_begin_after_their_delay_and_grow_at_their_cadence(make_speech: MakeSpeech) -> None:
    line = Line()
    line.say(make_speech("what is the price today"))
    line.quiet(0.15)
    interims = line.transcripts(final=False)
    assert [at for at, _ in interims] == pytest.approx([0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5], abs=0.03)
    assert [text for _, text in interims][:4] == ["what", "what is", "what is", "what is the"]
    assert interims[-1][1] == "what is the price today"


def test_the_first_interim_is_not_empty_however_early_it_comes(make_speech: MakeSpeech) -> None:
    line = Line(delays=FAST)
    line.say(make_speech("what is | the price"))
    line.quiet(0.5)
    first = line.transcripts(final=False)[0]
    resumed = next((at, text) for at, text in line.transcripts(final=False) if text.startswith("the"))
    assert [first[0], resumed[0]] == pytest.approx([0.15, 1.15], abs=0.04)
    assert [first[1], resumed[1]] == ["what", "the"]


def test_the_final_comes_after_its_delay_with_words_and_their_times(make_speech: MakeSpeech) -> None:
    line = Line()
    line.quiet(1.0)
    line.say(make_speech("what is the price"))
    line.quiet(0.5)
    ((at, message),) = [(at, one) for at, one in line.of_type("Results") if one["is_final"]]
    assert at == pytest.approx(1.2 + 0.2, abs=0.03)
    assert message["speech_final"]
    words = message["channel"]["alternatives"][0]["words"]
    assert [word["word"] for word in words] == ["what", "is", "the", "price"]
    assert [word["start"] for word in words] == pytest.approx([1.05, 1.35, 1.65, 1.95], abs=0.02)
    assert all(0.9 < word["confidence"] < 1 for word in words)


def test_a_pause_ends_a_segment(make_speech: MakeSpeech) -> None:
    line = Line()
    line.say(make_speech("what is | the price"))
    line.quiet(0.5)
    assert [text for _, text in line.transcripts(final=True)] == ["what is", "the price"]
    assert [at for at, _ in line.transcripts(final=True)] == pytest.approx([0.8, 1.8], abs=0.03)
    after_the_pause = [(at, text) for at, text in line.transcripts(final=False) if at > 0.9]
    assert [at for at, _ in after_the_pause[:2]] == pytest.approx([1.0 + 0.3, 1.0 + 0.5], abs=0.03)
    assert after_the_pause[0][1] == "the"


def test_a_pause_that_the_client_cuts_short_moves_what_follows_it(make_speech: MakeSpeech) -> None:
    line = Line()
    speech = make_speech("what is | the price | today", pause_seconds=1.2)
    samples = read_speech(speech.path)
    line.expectations.add(speech, line.now)
    line.started_at = line.now
    for begin, end in ((0.0, 0.9), (1.5, 2.7), (3.3, 3.9)):  # of each pause 0.3 s at its beginning, and at its end
        line.send(samples[round(begin * SAMPLE_RATE) : round(end * SAMPLE_RATE)])
        line.stream.finalize(line.now)
    line.quiet(0.5)
    assert [text for _, text in line.transcripts(final=True) if text] == ["what is", "the price", "today"]
    words = [
        word
        for _, message in line.of_type("Results")
        if message["is_final"]
        for word in message["channel"]["alternatives"][0]["words"]
    ]
    assert [word["start"] for word in words] == pytest.approx([0, 0.3, 1.2, 1.5, 2.4], abs=0.03)


def test_what_a_lost_stream_had_heard_is_heard_again_when_it_is_sent_again(make_speech: MakeSpeech) -> None:
    line = Line()
    speech = make_speech("what is the price")
    samples = read_speech(speech.path)
    line.expectations.add(speech, line.now)
    line.started_at = line.now
    half = round(0.7 * SAMPLE_RATE)
    line.send(samples[:half])
    line.now += 0.2
    line.reconnect()
    now, heard = line.now, soxr.resample(samples[:half], SAMPLE_RATE, RATE)
    for begin in range(0, len(heard), RATE // 20):  # all at once
        line.stream.receive(heard[begin : begin + RATE // 20], now)
    line.send(samples[half:])
    line.quiet(0.5)
    assert [text for _, text in line.transcripts(final=True)] == ["what is the price"]


def test_who_finds_out_late_that_a_stream_hears_nothing_may_send_it_again(make_speech: MakeSpeech) -> None:
    line = Line()
    speech = make_speech("what is the price")
    line.say(speech)
    line.said.clear()
    line.wait(5.0)
    line.reconnect()
    heard = soxr.resample(read_speech(speech.path), SAMPLE_RATE, RATE)
    for begin in range(0, len(heard), RATE // 20):  # all at once
        line.stream.receive(heard[begin : begin + RATE // 20], line.now)
    line.quiet(0.5)
    assert [text for _, text in line.transcripts(final=True)] == ["what is the price"]


def test_a_pause_shorter_than_the_endpointing_ends_none(make_speech: MakeSpeech) -> None:
    line = Line(ListenOptions(interim_results=True, endpointing_seconds=0.5))
    line.say(make_speech("what is | the price"))
    line.quiet(0.7)
    finals = line.transcripts(final=True)
    assert [text for _, text in finals] == ["what is the price"]
    assert finals[0][0] == pytest.approx(1.6 + 0.5, abs=0.03)


def test_without_endpointing_finals_are_no_ends_of_speech(make_speech: MakeSpeech) -> None:
    line = Line(ListenOptions.of_query({"endpointing": "false"}))
    line.say(make_speech("what is | the price"))
    line.quiet(1.5)
    ((_, message),) = line.of_type("Results")
    assert message["is_final"]
    assert not message["speech_final"]


def test_a_final_waits_for_the_silence_that_tells_the_end(make_speech: MakeSpeech) -> None:
    line = Line()
    line.say(make_speech("stop"))
    line.wait(1.0)
    assert line.transcripts(final=True) == []
    line.quiet(0.05)
    assert [text for _, text in line.transcripts(final=True)] == ["stop"]


def test_finalize_gives_the_final_without_silence_and_says_so(make_speech: MakeSpeech) -> None:
    line = Line()
    line.say(make_speech("stop"))
    line.stream.finalize(line.now)
    line.wait(1.0)
    ((at, message),) = [(at, one) for at, one in line.of_type("Results") if one["is_final"]]
    assert at == pytest.approx(0.3 + 0.2, abs=0.02)
    assert message["from_finalize"]
    assert line.stream.is_idle


def test_finalize_in_the_midst_of_speech_gives_what_was_heard(make_speech: MakeSpeech) -> None:
    line = Line()
    speech = make_speech("what is the price")
    line.expectations.add(speech, line.now)
    line.started_at = line.now
    samples = read_speech(speech.path)
    line.send(samples[: round(0.62 * SAMPLE_RATE)])
    line.stream.finalize(line.now)
    line.send(samples[round(0.62 * SAMPLE_RATE) :])
    line.quiet(0.4)
    assert [text for _, text in line.transcripts(final=True)] == ["what is", "the price"]


def test_finalize_with_nothing_to_say_is_answered(make_speech: MakeSpeech) -> None:
    line = Line()
    line.quiet(0.2)
    line.stream.finalize(line.now)
    line.collect()
    ((_, message),) = line.of_type("Results")
    assert message["from_finalize"]
    assert message["channel"]["alternatives"][0]["transcript"] == ""


def test_without_interims_only_finals_are_sent(make_speech: MakeSpeech) -> None:
    line = Line(ListenOptions())
    line.say(make_speech("what is the price"))
    line.quiet(0.5)
    assert line.transcripts(final=False) == []
    assert [text for _, text in line.transcripts(final=True)] == ["what is the price"]


def test_speech_started_and_utterance_end_are_sent_to_who_asks(make_speech: MakeSpeech) -> None:
    options = ListenOptions(interim_results=True, vad_events=True, utterance_end_seconds=1.0)
    line = Line(options)
    line.say(make_speech("what is | the price"))
    line.quiet(1.5)
    assert [at for at, _ in line.of_type("SpeechStarted")] == pytest.approx([0.15, 1.15], abs=0.03)
    ((at, message),) = line.of_type("UtteranceEnd")
    assert at == pytest.approx(2.6, abs=0.03)
    assert message["last_word_end"] == pytest.approx(1.65, abs=0.02)
    plain = Line(ListenOptions(interim_results=True))
    plain.say(make_speech("what is | the price"))
    plain.quiet(1.5)
    assert {message["type"] for _, message in plain.said} == {"Results"}


def test_fillers_are_left_out_unless_asked_for(make_speech: MakeSpeech) -> None:
    for filler_words, expected in ((True, ["Mm-hmm."]), (False, [""])):
        line = Line(ListenOptions(punctuate=True, filler_words=filler_words))
        line.say(make_speech("Mm-hmm.", kind="backchannel"))
        line.quiet(0.5)
        assert [text for _, text in line.transcripts(final=True)] == expected


def test_punctuation_is_shown_to_who_asks(make_speech: MakeSpeech) -> None:
    for punctuate, expected in ((True, "Yes, please."), (False, "yes please")):
        line = Line(ListenOptions(punctuate=punctuate))
        line.say(make_speech("Yes, please."))
        line.quiet(0.5)
        assert line.transcripts(final=True)[0][1] == expected


def test_noise_and_what_nobody_announced_give_nothing(make_speech: MakeSpeech) -> None:
    line = Line()
    line.say(make_speech("cough cough", kind="noise"))
    line.say(make_speech("who is there"), announced=False)
    line.quiet(1.0)
    assert line.said == []
    assert line.expectations.unheard(line.now) == []


def test_speech_that_does_not_arrive_in_time_is_unheard(make_speech: MakeSpeech) -> None:
    line = Line()
    line.say(make_speech("stop"), transit=1.7)
    line.quiet(1.0)
    assert line.said == []
    assert [speech.name for speech in line.expectations.unheard(line.now)] == ["stop"]


def test_speech_is_known_in_loud_noise(make_speech: MakeSpeech) -> None:
    line = Line()
    line.send(np.zeros(SAMPLE_RATE, np.int16), noise=2500)
    line.say(make_speech("what is the price"), noise=2500)
    line.send(np.zeros(SAMPLE_RATE, np.int16), noise=2500)
    assert [text for _, text in line.transcripts(final=True)] == ["what is the price"]
    assert line.transcripts(final=False)[0][0] == pytest.approx(0.3, abs=0.05)


def test_speech_is_known_under_the_echo_of_the_agent(make_speech: MakeSpeech) -> None:
    line = Line()
    speech = make_speech("what is the price")
    line.expectations.add(speech, line.now)
    line.started_at = line.now
    said = read_speech(speech.path)
    echo = encode("amber castle river spider meadow mirror kettle")[3000 : 3000 + len(said)] // 4
    line.send((said // 3 + echo).astype(np.int16))
    line.quiet(0.4)
    assert [text for _, text in line.transcripts(final=True)] == ["what is the price"]
    assert line.transcripts(final=False)[0][0] == pytest.approx(0.3, abs=0.05)


def test_speech_is_known_though_a_buffer_that_runs_full_has_squeezed_its_beginning(make_speech: MakeSpeech) -> None:
    line, speech = Line(), make_speech("what is the price of a ticket")
    line.quiet(0.5)
    line.expectations.add(speech, line.now)
    line.quiet(0.05)
    samples = read_speech(speech.path)
    step, lost = round(0.06 * SAMPLE_RATE), round(0.01 * SAMPLE_RATE)
    squeezed = [samples[place + lost : place + step] for place in range(0, 7 * step, step)]
    line.send(np.concatenate([*squeezed, samples[7 * step :]]))
    line.quiet(1.0)
    assert [text for _, text in line.transcripts(final=True)] == ["what is the price of a ticket"]


def test_two_speeches_one_after_the_other_are_both_heard(make_speech: MakeSpeech) -> None:
    line = Line()
    line.say(make_speech("mm-hmm"))
    line.quiet(0.5)
    line.say(make_speech("mm-hmm"))
    line.quiet(0.1)
    line.say(make_speech("stop"))
    line.quiet(0.5)
    assert [text for _, text in line.transcripts(final=True)] == ["mm-hmm", "mm-hmm", "stop"]


def test_a_stream_opened_anew_in_the_midst_of_speech_hears_the_rest(make_speech: MakeSpeech) -> None:
    line = Line()
    speech = make_speech("what is the price today")
    line.expectations.add(speech, line.now)
    samples = read_speech(speech.path)
    line.send(samples[: round(0.5 * SAMPLE_RATE)])
    line.reconnect()
    line.send(samples[round(0.5 * SAMPLE_RATE) :])
    line.quiet(0.5)
    assert [text for _, text in line.transcripts(final=True)] == ["the price today"]


def test_late_finals_are_late(make_speech: MakeSpeech) -> None:
    line = Line(late=0.7)
    line.say(make_speech("stop"))
    line.quiet(1.5)
    assert line.transcripts(final=True)[0][0] == pytest.approx(0.3 + 0.2 + 0.7, abs=0.03)


def test_a_burst_of_audio_gives_one_interim_and_finals_by_the_clock(make_speech: MakeSpeech) -> None:
    line = Line()
    speech = make_speech("what is the price")
    line.expectations.add(speech, line.now)
    whole = np.concatenate([read_speech(speech.path), np.zeros(SAMPLE_RATE // 5, np.int16)])
    line.started_at = line.now
    line.stream.receive(soxr.resample(whole, SAMPLE_RATE, RATE), line.now)
    line.collect()
    line.wait(0.5)
    assert line.transcripts(final=False) == [(0.0, "what is the price")]
    assert line.transcripts(final=True) == [(0.2, "what is the price")]


@pytest.mark.parametrize(
    "query", [{"sample_rate": "fast"}, {"encoding": "opus"}, {"sample_rate": "1"}, {"channels": "9"}]
)
def test_a_query_that_is_not_understood_is_an_error(query: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        ListenOptions.of_query(query)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_word_is_in_one_final_whatever_the_frames_the_pauses_and_the_finalizes(
    make_speech: MakeSpeech, data: st.DataObject
) -> None:
    options = ListenOptions(
        interim_results=data.draw(st.booleans()),
        endpointing_seconds=data.draw(st.sampled_from([None, 0.01, 0.025, 0.3])),
        vad_events=data.draw(st.booleans()),
        utterance_end_seconds=data.draw(st.sampled_from([None, 1.0])),
    )
    speech = make_speech(data.draw(st.sampled_from(["yes", "what is | the price", "one | two | three four"])))
    line = Line(options)
    line.expectations.add(speech, line.now)
    samples = np.concatenate([read_speech(speech.path), np.zeros(SAMPLE_RATE * 3 // 2, np.int16)])
    audio = soxr.resample(samples, SAMPLE_RATE, RATE)
    place = 0
    while place < len(audio):
        piece = audio[place : place + data.draw(st.sampled_from([160, 320, 800, 3200]))]
        place += len(piece)
        line.now += len(piece) / RATE
        line.stream.receive(piece, line.now)
        if data.draw(st.integers(0, 30)) == 0:
            line.stream.finalize(line.now)
        line.collect()
    line.stream.finalize(line.now)
    line.wait(2.0)
    line.collect()
    finals = [text for _, text in line.transcripts(final=True) if text]
    assert " ".join(finals) == speech.text
    assert line.stream.is_idle
    times = [
        word["start"]
        for _, one in line.of_type("Results")
        if one["is_final"]
        for word in one["channel"]["alternatives"][0]["words"]
    ]
    assert times == sorted(times)
    assert all(text in speech.text for _, text in line.transcripts(final=False))
