from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceworker.lab.audio import SAMPLE_RATE, Samples, read_speech, room_noise
from voiceworker.lab.emulators.tones import OTHER_WORD, VOCABULARY, WORD_SECONDS, HeardWord, decode, encode, words_of

SENTENCE = "Amber river willow, ocean. Kettle; lantern needle ribbon!"
"a sentence with one word that is not of the vocabulary"
HEARD = ["amber", "river", OTHER_WORD, "ocean", "kettle", "lantern", "needle", "ribbon"]


def texts(words: list[HeardWord]) -> list[str]:
    return [word.text for word in words]


def scaled(samples: Samples, factor: float) -> Samples:
    return np.round(samples * factor).astype(np.int16)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * SAMPLE_RATE), np.int16)


def noisy(samples: Samples, level: float) -> Samples:
    noise = np.random.default_rng(3).normal(0, level, len(samples))
    return np.clip(samples + noise, -32768, 32767).astype(np.int16)


def through_opus(samples: Samples) -> Samples:
    """Coded and decoded at 48 kHz, as a call does."""
    file = io.BytesIO()
    wide = soxr.resample(samples, SAMPLE_RATE, 48000)
    soundfile.write(file, wide, 48000, format="OGG", subtype="OPUS")
    file.seek(0)
    decoded, rate = soundfile.read(file, dtype="int16")
    return np.asarray(soxr.resample(decoded, rate, SAMPLE_RATE), np.int16)


def test_every_word_of_the_vocabulary_is_read_back() -> None:
    assert len(set(VOCABULARY)) == 64
    assert texts(decode(encode(" ".join(VOCABULARY)))) == list(VOCABULARY)


def test_punctuation_and_capitals_are_not_heard() -> None:
    assert texts(decode(encode(SENTENCE))) == HEARD


def test_a_word_is_heard_where_it_begins_and_as_long_as_it_is() -> None:
    words = decode(np.concatenate([silence(0.4), encode("castle"), silence(0.3), encode("spider")]))
    assert [word.started_seconds for word in words] == pytest.approx([0.4, 0.95], abs=0.02)
    assert [word.seconds for word in words] == pytest.approx([WORD_SECONDS, WORD_SECONDS], abs=0.03)
    assert [word.level_db for word in words] == pytest.approx([0, 0], abs=0.5)


def test_a_ducked_word_is_heard_softer() -> None:
    speech = np.concatenate([encode("apple arrow"), scaled(encode("autumn basket"), 0.25), encode("beacon")])
    words = decode(speech)
    assert texts(words) == ["apple", "arrow", "autumn", "basket", "beacon"]
    assert [word.level_db for word in words] == pytest.approx([0, 0, -12, -12, 0], abs=0.5)


def test_words_are_heard_in_noise() -> None:
    assert texts(decode(noisy(scaled(encode(SENTENCE), 0.25), 300))) == HEARD


def test_a_cut_word_is_heard_with_the_length_that_it_has() -> None:
    speech = encode("marble meadow mirror")[: round(0.6 * SAMPLE_RATE)]
    words = decode(np.concatenate([speech, silence(0.5)]))
    assert texts(words) == ["marble", "meadow", "mirror"]
    assert words[-1].seconds == pytest.approx(0.1, abs=0.03)


def test_a_word_that_is_cut_at_its_beginning_is_heard() -> None:
    speech = encode("marble meadow")[round(0.19 * SAMPLE_RATE) :]
    assert texts(decode(np.concatenate([silence(0.1), speech]))) == ["marble", "meadow"]


def test_a_repeated_word_is_told_by_its_length() -> None:
    assert texts(decode(encode("coral coral coral"))) == ["coral"] * 3


@pytest.mark.parametrize("hole_seconds", [0.02, 0.06, 0.1])
def test_a_word_with_a_hole_in_it_is_one_word(hole_seconds: float) -> None:
    sound = encode("river ocean amber")
    begin, length = round(1.4 * WORD_SECONDS * SAMPLE_RATE), round(hole_seconds * SAMPLE_RATE)
    late = np.concatenate([sound[:begin], np.zeros(length, np.int16), sound[begin:]])
    lost = sound.copy()
    lost[begin : begin + length] = 0
    assert texts(decode(late)) == texts(decode(lost)) == ["river", "ocean", "amber"]


def test_a_word_that_breaks_off_and_is_said_anew_is_heard_twice() -> None:
    broken = encode("river")[: round(0.6 * WORD_SECONDS * SAMPLE_RATE)]
    assert texts(decode(np.concatenate([broken, silence(0.05), encode("river ocean")]))) == ["river", "river", "ocean"]


def test_nothing_is_heard_in_silence_noise_or_speech() -> None:
    assert decode(silence(0.0)) == []
    assert decode(silence(1.0)) == []
    assert decode(room_noise()) == []
    assert decode(noisy(silence(2.0), 3000)) == []


@pytest.mark.parametrize("factor", [1.0, 0.25])
def test_words_are_heard_through_opus(factor: float) -> None:
    speech = np.concatenate([silence(0.2), scaled(encode(" ".join(VOCABULARY)), factor), silence(0.2)])
    words = decode(through_opus(speech))
    assert texts(words) == list(VOCABULARY)
    expected = [0.2 + WORD_SECONDS * index for index in range(len(VOCABULARY))]
    assert [word.started_seconds for word in words] == pytest.approx(expected, abs=0.03)


def test_words_are_heard_at_a_telephone_s_rate() -> None:
    assert texts(decode(encode(" ".join(VOCABULARY), 8000), 8000)) == list(VOCABULARY)


@settings(max_examples=30, deadline=None)
@given(
    words=st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=8, unique=True),
    factor=st.sampled_from([1.0, 0.5, 0.25]),
    cut=st.floats(0.06, 0.25),
    lead=st.floats(0, 0.3),
)
def test_what_was_heard_is_read_whatever_the_level_the_cut_and_the_place(
    words: list[str], factor: float, cut: float, lead: float
) -> None:
    whole = encode(" ".join(words))
    speech = whole[: len(whole) - round((WORD_SECONDS - cut) * SAMPLE_RATE)]
    heard = decode(np.concatenate([silence(lead), scaled(speech, factor), silence(0.2)]))
    assert texts(heard) == words
    assert heard[0].started_seconds == pytest.approx(lead, abs=0.02)


def test_recorded_speech_is_not_taken_for_words() -> None:
    speech = read_speech(Path(__file__).parents[2] / "audio" / "booking.wav")
    assert decode(speech) == []


def test_words_are_what_is_spoken() -> None:
    assert words_of("It's ten o'clock - well, 'roughly'.") == ["it's", "ten", "o'clock", "well", "roughly"]
