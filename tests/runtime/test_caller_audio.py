"""How loud is the caller, with and without the agent's own voice on the line?"""

from __future__ import annotations

import numpy as np
import pytest

from voiceworker.lab.audio import Samples
from voiceworker.runtime.caller_audio import SAMPLE_RATE, CallerAudio
from voiceworker.runtime.echo import EchoGuard

FRAME = SAMPLE_RATE // 50


def noise(seconds: float, decibel: float, seed: int) -> Samples:
    """int16[samples] that sounds at this level of full scale."""
    samples = np.random.default_rng(seed).normal(0, 32768 * 10 ** (decibel / 20), round(seconds * SAMPLE_RATE))
    rounded: Samples = np.clip(samples, -32768, 32767).astype(np.int16)
    return rounded


class Line:
    def __init__(self) -> None:
        self.now = 10.0
        self.echo = EchoGuard()
        self.caller = CallerAudio(self.echo, clock=lambda: self.now)

    def pass_by(self, heard: Samples, played: Samples | None = None) -> None:
        for place in range(0, len(heard) - FRAME + 1, FRAME):
            if played is not None:
                self.echo.played(played[place : place + FRAME], self.now)
            self.now += FRAME / SAMPLE_RATE
            self.caller._hear(heard[place : place + FRAME], self.now)

    def speak(self, decibel: float, seed: int) -> None:
        self.caller.voice(speaking=True)
        self.pass_by(noise(0.6, decibel, seed))
        self.caller.voice(speaking=False)
        self.caller.was_spoken_to_us()


@pytest.fixture
def line() -> Line:
    line = Line()
    line.speak(-22, 1)
    return line


def test_a_voice_is_as_loud_as_it_was(line: Line) -> None:
    assert line.caller.level_db() == pytest.approx(0, abs=0.5)
    line.caller.voice(speaking=True)
    assert line.caller.level_db() is None
    line.pass_by(noise(0.4, -29, 2))
    assert line.caller.level_db() == pytest.approx(-7, abs=0.5)


def test_a_soft_voice_that_was_a_turn_after_all_counts_once_however_many_texts_it_had(line: Line) -> None:
    for seed in range(2, 5):
        line.speak(-22, seed)
    line.caller.voice(speaking=True)
    for seed in range(5, 12):
        line.pass_by(noise(0.1, -30, seed))
        line.caller.was_spoken_to_us()
    line.caller.voice(speaking=True)
    line.pass_by(noise(0.4, -29, 12))
    assert line.caller.level_db() == pytest.approx(-7, abs=0.5)


def test_the_agents_echo_is_no_part_of_the_callers_level(line: Line) -> None:
    agent = noise(2.0, -12, 3)
    echo = np.concatenate([np.zeros(SAMPLE_RATE // 10, np.int16), (agent * 10 ** (-12 / 20)).astype(np.int16)])
    second = SAMPLE_RATE
    line.pass_by(echo[:second], agent[:second])
    line.echo.verdict(line.now - 0.5, line.now)
    line.caller.voice(speaking=True)
    line.pass_by(echo[second : second + FRAME * 10], agent[second : second + FRAME * 10])
    assert line.caller.level_db() is None, "an echo tells nothing of him"
    rest = slice(second + FRAME * 10, 2 * second)
    mixed = echo[rest] + noise(1.0, -22, 4)[: len(echo[rest])]
    line.pass_by(mixed, agent[rest])
    assert line.caller.level_db() == pytest.approx(0, abs=2)


def test_a_voice_that_never_stops_is_as_loud_as_it_was_lately_and_no_more_of_it_is_kept() -> None:
    line = Line()
    line.speak(-30, seed=1)
    line.caller.voice(speaking=True)
    for minute in range(3):
        line.pass_by(noise(30, -20 if minute == 0 else -36, seed=minute))
    assert line.caller.level_db() == pytest.approx(-6, abs=1)
    assert len(line.caller._present) == 3000
