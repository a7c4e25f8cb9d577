from __future__ import annotations

import numpy as np

from voiceworker.lab.emulators.tones import VOCABULARY, decode, encode


def test_every_word_of_the_vocabulary_is_read_back() -> None:
    assert [word.text for word in decode(encode(" ".join(VOCABULARY)))] == list(VOCABULARY)
