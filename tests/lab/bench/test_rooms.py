import numpy as np
import pytest

from voiceworker.lab.audio import SAMPLE_RATE
from voiceworker.lab.bench.ear import levels_of
from voiceworker.lab.bench.rooms import EchoRoom, NoisyRoom, pink_noise, room

FRAME = SAMPLE_RATE // 100


def test_what_the_agent_says_comes_back_softer_and_later() -> None:
    echo, sent, got = EchoRoom(-12, 0.12), [], []
    tone = (8000 * np.sin(2 * np.pi * 700 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)).astype(np.int16)
    for place in range(0, len(tone), FRAME):
        echo.hear(tone[place : place + FRAME])
        sent.append(tone[place : place + FRAME])
        got.append(echo.next_frame())
    heard = np.concatenate(got).astype(np.float64)
    delay = round(0.12 * SAMPLE_RATE)
    assert np.abs(heard[:delay]).max() < 50  # faint noise alone
    expected = tone[: len(heard) - delay] * 10 ** (-12 / 20)
    assert np.abs(heard[delay:] - expected).max() < 50


def test_an_agent_that_falls_silent_has_no_echo_for_ever() -> None:
    echo = EchoRoom(-12, 0.05)
    echo.hear(np.full(FRAME, 8000, np.int16))
    for _ in range(20):
        echo.next_frame()
    assert np.abs(echo.next_frame()).max() < 50


def test_pink_noise_has_its_level_and_falls_towards_high_tones() -> None:
    noise = pink_noise(10, -42, seed=5)
    power = 20 * np.log10(np.sqrt(np.mean((noise / 32768) ** 2)))
    assert power == pytest.approx(-42, abs=0.5)
    spectrum = np.abs(np.fft.rfft(noise.astype(np.float64))) ** 2
    hertz = np.fft.rfftfreq(len(noise), 1 / SAMPLE_RATE)
    low, high = (spectrum[(hertz > edge) & (hertz < 2 * edge)].mean() for edge in (200, 1600))
    assert 10 * np.log10(low / high) == pytest.approx(9, abs=1.5)  # three octaves


def test_a_noisy_room_never_falls_silent() -> None:
    noisy = NoisyRoom()
    frames = np.concatenate([noisy.next_frame() for _ in range(1200)])  # longer than its loop
    assert levels_of(frames).min() > -70
    assert len(room("quiet").next_frame()) == len(room("echo").next_frame()) == FRAME
