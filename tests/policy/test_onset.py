from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.onset import Onset, Samples, level_db

RATE = 24_000
FRAME = RATE // 50
_random = np.random.default_rng(3)


def frames(level: float, seconds: float) -> list[Samples]:
    """Noise of a level in dB of full scale, in frames of 20 ms."""
    return [
        _random.normal(0, 32768 * 10 ** (level / 20), FRAME).clip(-32768, 32767).astype(np.int16)
        for _ in range(round(seconds * 50))
    ]


def heard(onset: Onset, sound: list[Samples]) -> list[bool]:
    return [onset.hear(frame, RATE) for frame in sound]


def in_a_silence(speech: float = -22, room: float = -65) -> Onset:
    onset = Onset()
    heard(onset, frames(speech, 1) + frames(room, 0.25))
    onset.silence_began()
    return onset


def test_the_first_frame_of_a_word_is_noticed() -> None:
    onset = in_a_silence()
    assert heard(onset, frames(-65, 0.3)) == [False] * 15
    assert heard(onset, frames(-40, 0.04)) == [True, True]


def test_a_breath_is_no_onset() -> None:
    assert not any(heard(in_a_silence(), frames(-52, 0.3)))


def test_a_noisy_room_is_no_onset() -> None:
    assert not any(heard(in_a_silence(room=-40), frames(-38, 0.3)))


def test_a_soft_voice_in_a_quiet_room_is_noticed_as_well() -> None:
    assert all(heard(in_a_silence(speech=-40), frames(-55, 0.1)))


def test_speech_itself_is_no_onset() -> None:
    onset = in_a_silence()
    onset.silence_ended()
    assert not any(heard(onset, frames(-22, 0.5)))


def test_digital_silence_has_a_level() -> None:
    assert -91 < level_db(np.zeros(FRAME, np.int16)) < -90
    onset = in_a_silence(room=-200)
    assert not any(heard(onset, [np.zeros(FRAME, np.int16)] * 10))
    assert not onset.hear(np.zeros(0, np.int16), RATE)


@given(st.lists(st.tuples(st.floats(-90, 0), st.sampled_from(["began", "ended", ""])), max_size=40))
def test_outside_a_silence_nothing_is_noticed(rows: list[tuple[float, str]]) -> None:
    onset, silent = Onset(), False
    for level, happened in rows:
        if happened:
            silent = happened == "began"
            (onset.silence_began if silent else onset.silence_ended)()
        noticed = onset.hear(frames(level, 0.02)[0], RATE)
        assert silent or not noticed
