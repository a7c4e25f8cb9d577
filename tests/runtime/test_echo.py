from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr

from voiceworker.lab.audio import read_speech
from voiceworker.runtime.echo import EchoGuard, EchoScore, Samples, Verdict

RATE = 24_000
SPEECH = Path(__file__).parents[1] / "audio" / "scenarios"
Signal = npt.NDArray[np.float64]
STARTED = 50.0
"monotonic moment of the first sample"


def spoken(voice: str, *parts: str) -> Signal:
    """Sentences at -20 dB, one after another."""
    pieces: list[Signal] = []
    for part in parts:
        (path,) = (SPEECH / voice).glob(f"{part}-*.flac")
        speech = read_speech(path) / 32768
        pieces += [speech / np.sqrt(np.mean(speech**2)) * 0.1, np.zeros(RATE // 10)]
    return np.concatenate(pieces)


AGENT = spoken("slt", "can-i-book-a-haircut-on", "good-morning-id-like-to-make")[: round(2.8 * RATE)]
SAME_VOICE = spoken("slt", "i-want-to-book-a-haircut", "could-you-book-me-in-for", "i-want-to-cancel-the-appointment")[
    : 3 * RATE
]
MAN = spoken("rms", "could-you-book-me-in-for", "hello-i-have-an-appointment-on", "i-want-to-book-a-haircut")[
    : 3 * RATE
]


def through_opus(signal: Signal) -> Signal:
    file = io.BytesIO()
    soundfile.write(file, np.clip(signal, -1, 1), RATE, format="OGG", subtype="OPUS")
    file.seek(0)
    decoded: Signal = soundfile.read(file)[0][: len(signal)]
    return np.pad(decoded, (0, len(signal) - len(decoded)))


AGENT_CODED = through_opus(AGENT)


def room(seconds: float, *, reverberation_db: float, seed: int = 3) -> Signal:
    """An impulse response: direct sound, then noise that falls by 60 dB in `seconds`."""
    time_axis = np.arange(round(seconds * RATE)) / RATE
    tail = np.random.default_rng(seed).normal(0, 1, len(time_axis)) * 10 ** (-3 * time_axis / seconds)
    tail[: RATE // 500] = 0
    tail *= 10 ** (reverberation_db / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1
    return tail


def come_back(played: Signal, *, delay_seconds: float, gain_db: float, response: Signal | None = None) -> Signal:
    """What the caller's microphone gets of `played`: coded, distorted by a small loudspeaker, and by the room."""
    echo = np.tanh(3 * (AGENT_CODED if played is AGENT else through_opus(played))) / 3
    if response is not None:
        size = len(echo) + len(response)
        echo = np.fft.irfft(np.fft.rfft(echo, size) * np.fft.rfft(response, size), size)[: len(echo)]
    echo *= np.sqrt(np.mean(played**2) / np.mean(echo**2)) * 10 ** (gain_db / 20)
    return np.concatenate([np.zeros(round(delay_seconds * RATE)), echo])[: len(played)]


class Scene:
    """What the agent plays, and what comes from the caller's microphone: noise added, coded."""

    def __init__(self, played: Signal, microphone: Signal) -> None:
        noise = np.random.default_rng(5).normal(0, 10 ** (-62 / 20), len(microphone))
        self._received = _int16(through_opus(microphone + noise))
        self._sent = _int16(played)

    def judged(self, *, until: float, seconds: float, guard: EchoGuard | None = None) -> EchoScore:
        """The verdict `until` seconds into the scene about the last `seconds`."""
        guard = guard or EchoGuard()
        for place in range(0, round(until * RATE) - 239, 240):
            guard.played(self._sent[place : place + 240], STARTED + place / RATE)
            guard.heard(self._received[place : place + 240], STARTED + (place + 240) / RATE)
        return guard.verdict(STARTED + until - seconds, STARTED + until)

    def power(self, until: float, seconds: float) -> float:
        """Mean square of what was received, int16."""
        heard = self._received[round((until - seconds) * RATE) : round(until * RATE)]
        return float(np.mean(np.square(heard.astype(np.float64))))


def _int16(signal: Signal) -> Samples:
    return np.round(np.clip(signal, -1, 1) * 32767).astype(np.int16)


@pytest.mark.parametrize("delay_seconds", [0.02, 0.08, 0.2, 0.5])
@pytest.mark.parametrize("gain_db", [-6, -12, -20])
def test_the_agents_own_voice_is_an_echo_at_any_delay_and_level(delay_seconds: float, gain_db: float) -> None:
    echo = come_back(AGENT, delay_seconds=delay_seconds, gain_db=gain_db, response=room(0.25, reverberation_db=-3.0))
    score = Scene(AGENT, echo).judged(until=1.6, seconds=0.4)
    assert score.verdict is Verdict.ECHO
    assert score.delay_seconds == pytest.approx(delay_seconds, abs=0.012)
    assert score.caller_share < 0.04


@pytest.mark.parametrize("delay_seconds", [0.08, 0.2])
def test_the_very_first_words_are_no_interruption_by_their_echo(delay_seconds: float) -> None:
    echo = come_back(AGENT, delay_seconds=delay_seconds, gain_db=-12, response=room(0.4, reverberation_db=0.0))
    scene = Scene(AGENT, echo)
    for until in np.arange(delay_seconds + 0.2, 2.8, 0.1):
        score = scene.judged(until=float(until), seconds=min(0.6, float(until) - delay_seconds))
        assert score.verdict is not Verdict.CALLER, until


def test_an_echo_that_is_hardly_there_is_never_taken_for_a_caller() -> None:
    echo = come_back(AGENT, delay_seconds=0.15, gain_db=-30, response=room(0.25, reverberation_db=-3.0))
    scene = Scene(AGENT, echo)
    for until in np.arange(0.6, 2.8, 0.2):
        assert scene.judged(until=float(until), seconds=0.4).verdict is not Verdict.CALLER


@pytest.mark.parametrize("caller", [SAME_VOICE, MAN], ids=["same voice", "another voice"])
def test_a_caller_without_echo_is_a_caller(caller: Signal) -> None:
    length = min(len(AGENT), len(caller))
    scene = Scene(AGENT[:length], caller[:length])
    verdicts = [scene.judged(until=until, seconds=0.4).verdict for until in (0.8, 1.2, 1.6, 2.0, 2.4)]
    assert Verdict.ECHO not in verdicts
    assert verdicts.count(Verdict.CALLER) >= 4


@pytest.mark.parametrize("louder_db", [6, 0, -6])
@pytest.mark.parametrize("caller", [SAME_VOICE, MAN], ids=["same voice", "another voice"])
def test_a_caller_over_the_echo_is_heard(caller: Signal, louder_db: float) -> None:
    length = min(len(AGENT), len(caller))
    played = AGENT[:length]
    echo = come_back(played, delay_seconds=0.15, gain_db=-12, response=room(0.25, reverberation_db=-3.0))
    window = slice(round(1.0 * RATE), round(1.6 * RATE))
    scale = np.sqrt(np.mean(echo[window] ** 2) / np.mean(caller[window] ** 2)) * 10 ** (louder_db / 20)
    score = Scene(played, echo + scale * caller[:length]).judged(until=1.6, seconds=0.6)
    if louder_db >= 0:
        assert score.verdict is Verdict.CALLER
    else:
        assert score.verdict is not Verdict.ECHO


@pytest.mark.parametrize("gain_db", [-6, -12, -20])
def test_an_echo_that_was_judged_tells_how_loud_it_is(gain_db: float) -> None:
    echo = come_back(AGENT, delay_seconds=0.15, gain_db=gain_db, response=room(0.25, reverberation_db=-3.0))
    scene, guard = Scene(AGENT, echo), EchoGuard()
    assert guard.echo_power(STARTED + 1.6, 0.4) == 0
    scene.judged(until=1.6, seconds=0.5, guard=guard)
    told = guard.echo_power(STARTED + 1.6, 0.4)
    assert 10 * np.log10(told / scene.power(1.6, 0.4)) == pytest.approx(0, abs=3)


def test_too_short_a_sound_does_not_tell_how_loud_an_echo_is() -> None:
    """A filter explains a good part of any sound that is short, a caller's too."""
    scene, guard = Scene(AGENT, come_back(AGENT, delay_seconds=0.15, gain_db=-12)), EchoGuard()
    assert scene.judged(until=1.6, seconds=0.35, guard=guard).verdict is Verdict.ECHO
    assert guard.echo_power(STARTED + 1.6, 0.4) == 0


def test_without_its_loudspeaker_a_line_has_no_echo_any_more() -> None:
    echo = come_back(AGENT, delay_seconds=0.15, gain_db=-12)
    guard = EchoGuard()
    Scene(AGENT, echo).judged(until=1.6, seconds=0.5, guard=guard)
    assert guard.echo_power(STARTED + 1.6, 0.4) > 0
    Scene(AGENT[: len(MAN)], 0.2 * MAN[: len(AGENT)]).judged(until=1.6, seconds=0.6, guard=guard)
    assert guard.echo_power(STARTED + 1.6, 0.4) == 0


def test_when_the_agent_is_silent_whoever_speaks_is_the_caller() -> None:
    score = Scene(np.zeros(2 * RATE), MAN[: 2 * RATE]).judged(until=1.5, seconds=0.4)
    assert score.verdict is Verdict.CALLER
    assert score.caller_share == 1.0


def test_too_little_and_too_soft_is_not_judged() -> None:
    echo = come_back(AGENT, delay_seconds=0.1, gain_db=-12)
    guard = EchoGuard()
    guard.heard(_int16(MAN[:RATE]), STARTED + 1)
    assert guard.verdict(STARTED, STARTED + 5).verdict is Verdict.UNKNOWN  # his network is gone
    assert EchoGuard().verdict(0.0, 1.0).verdict is Verdict.UNKNOWN
    assert Scene(AGENT, echo).judged(until=1.5, seconds=0.1).verdict is Verdict.UNKNOWN
    assert Scene(AGENT, echo * 0).judged(until=1.5, seconds=0.4).verdict is Verdict.UNKNOWN


def test_frames_of_the_microphone_may_come_at_its_own_rate() -> None:
    echo = come_back(AGENT, delay_seconds=0.1, gain_db=-12)
    guard = EchoGuard(heard_rate=16_000)
    sent, received = _int16(AGENT), _int16(echo)
    received16: Samples = soxr.resample(received, RATE, 16_000)
    for place in range(0, round(1.5 * RATE), 240):
        guard.played(sent[place : place + 240], STARTED + place / RATE)
    for place in range(0, round(1.5 * 16_000), 160):
        guard.heard(received16[place : place + 160], STARTED + (place + 160) / 16_000)
    assert guard.verdict(STARTED + 1.1, STARTED + 1.5).verdict is Verdict.ECHO


def test_a_verdict_costs_little() -> None:
    guard = EchoGuard()
    sent = _int16(AGENT)
    for place in range(0, 2 * RATE, 240):
        guard.played(sent[place : place + 240], STARTED + place / RATE)
        guard.heard(sent[place : place + 240], STARTED + (place + 240) / RATE)
    began = time.process_time()
    for _ in range(20):
        guard.verdict(STARTED + 1.4, STARTED + 2)
    assert (time.process_time() - began) / 20 < 0.01  # ten times what it takes: the machine may be busy
