from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest
from livekit.plugins.pocketsphinx.evaluation import WordErrors, spoken_words, through_opus, word_errors


@pytest.mark.parametrize(
    ("said", "heard", "errors"),
    [
        ("move it to monday", "move it to monday", 0),
        ("move it to monday", "move to sunday", 2),
        ("move it", "please move it now", 2),
        ("move it", "", 2),
        ("", "hello", 1),
    ],
)
def test_each_word_put_left_out_or_changed_is_an_error(said: str, heard: str, errors: int) -> None:
    assert word_errors(said.split(), heard.split()) == WordErrors(len(said.split()), errors)


def test_rates_add_up_by_words_and_not_by_sentences() -> None:
    assert (WordErrors(8, 1) + WordErrors(2, 2)).rate == pytest.approx(0.3)
    assert WordErrors().rate == 0


def test_case_and_punctuation_are_not_heard() -> None:
    assert spoken_words("No, I said Tuesday — it’s fine!") == ["no", "i", "said", "tuesday", "it's", "fine"]


def test_opus_keeps_the_speech_and_its_length(speech: Mapping[str, npt.NDArray[np.int16]]) -> None:
    said = speech["frontdesk-10"]
    received = through_opus(said)
    assert len(received) == pytest.approx(len(said), abs=800)
    assert np.abs(received.astype(int)).max() > 0.5 * np.abs(said.astype(int)).max()
