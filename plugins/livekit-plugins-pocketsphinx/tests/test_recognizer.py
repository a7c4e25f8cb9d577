from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import pytest
from livekit.plugins.pocketsphinx.build import ModelSettings, Vocabulary, build
from livekit.plugins.pocketsphinx.channel import Channel
from livekit.plugins.pocketsphinx.recognizer import Recognizer, Transcript, Word, without_scraps
from livekit.plugins.pocketsphinx.stt import REJECTION_CONFIDENCE

pytestmark = pytest.mark.slow

Samples = npt.NDArray[np.int16]
Speech = Mapping[str, Samples]
SENTENCE = "frontdesk-10"
QUIET = np.zeros(4800, np.int16)


@pytest.fixture
def recognizer(grammar: str, cache_folder: Path) -> Iterator[Recognizer]:
    settings = ModelSettings(general_words=2000, general_pruning=3e-6)
    recognizer = Recognizer(build(Vocabulary(grammar), settings, cache_folder))
    yield recognizer
    recognizer.close()


def noise(like: Samples) -> Samples:
    return np.random.default_rng(7).normal(0, 1500, len(like)).astype(np.int16)


def babble(one: Samples, other: Samples) -> Samples:
    """Two voices at once, backwards."""
    length = min(len(one), len(other))
    return np.clip(one[:length][::-1].astype(int) + other[:length][::-1], -32768, 32767).astype(np.int16)


def padded(samples: Samples) -> bytes:
    return np.concatenate([QUIET, samples, QUIET]).tobytes()


def test_clear_speech_is_trusted_and_noise_is_not(recognizer: Recognizer, speech: Speech) -> None:
    assert recognizer.recognize(padded(speech[SENTENCE])).confidence > 0.5
    assert recognizer.recognize(noise(speech[SENTENCE]).tobytes()).confidence == 0
    mixed = babble(speech[SENTENCE], speech["frontdesk-20"])
    assert recognizer.recognize(padded(mixed)).confidence < 0.4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "spoiled", "least", "most"),
    [
        ("as they are", lambda one, other: one, 0, 1),
        ("two at once, backwards", babble, 8, 30),
        ("as loud white noise", lambda one, other: noise(one), 30, 30),
    ],
)
def test_the_table_of_confidence(
    recognizer: Recognizer,
    speech: Speech,
    what: str,
    spoiled: Callable[[Samples, Samples], Samples],
    least: int,
    most: int,
) -> None:
    said = list(speech.values())
    found = [
        recognizer.recognize(padded(spoiled(one, other))).confidence
        for one, other in zip(said, said[1:] + said[:1], strict=True)
    ]
    withheld = sum(confidence < REJECTION_CONFIDENCE for confidence in found)
    print(f"| {what} | {median(found):.2f} | {withheld} of {len(found)} |")  # noqa: T201
    assert least <= withheld <= most


def test_an_utterance_may_be_thrown_away_in_the_middle(recognizer: Recognizer, speech: Speech) -> None:
    recognizer.begin()
    recognizer.feed(speech["frontdesk-20"].tobytes())
    first = recognizer.recognize(padded(speech[SENTENCE])).text
    recognizer.begin()
    recognizer.forget_caller()
    assert first == recognizer.recognize(padded(speech[SENTENCE])).text


def test_nothing_said_is_no_words(recognizer: Recognizer) -> None:
    assert recognizer.recognize(b"") == Transcript(())
    assert recognizer.recognize(QUIET.tobytes()).text == ""


def test_confidence_is_the_words_geometric_mean() -> None:
    words = (Word("move", 0, 0.3, 0.9), Word("it", 0.3, 0.4, 0.4))
    assert Transcript(words).confidence == pytest.approx(0.6)
    assert Transcript((*words, Word("so", 0.4, 3, 0.0))).confidence == 0


def test_what_is_too_short_and_doubtful_at_either_end_is_left_out() -> None:
    click, right, hint = Word("but", 0, 0.1, 0.01), Word("right", 0.1, 0.5, 0.9), Word("a", 0.5, 0.55, 0.02)
    word = Word("now", 0.6, 0.9, 0.9)
    assert without_scraps((click, right, hint, word, click)) == (right, hint, word)
    assert without_scraps((click, hint)) == (click, hint)
    assert without_scraps(()) == ()


def test_words_that_nobody_says_alone_are_no_speech() -> None:
    the, right = Word("the", 0, 0.3, 0.9), Word("right", 0.3, 0.6, 0.9)
    assert not Transcript((the,)).is_speech(0.12)
    assert Transcript((the, right)).is_speech(0.12)
    assert not Transcript((the, right)).is_speech(0.95)
    assert not Transcript(()).is_speech(0)


def test_the_channel_is_known_after_seconds_and_moves_towards_what_was_heard() -> None:
    heard = [60.0] + [0.0] * 12
    once = Channel().with_speech(heard, frames=100)
    assert once.mean[0] == pytest.approx((41 + 60) / 2)
    assert not once.is_known
    assert once.with_speech(heard, frames=300).is_known
