from __future__ import annotations

from pathlib import Path

import numpy as np
import pocketsphinx
import pytest
from livekit.plugins.pocketsphinx.dictionary import read_dictionary
from livekit.plugins.pocketsphinx.general import Trie, frequent_words, general_model_path, read_trie, restricted


@pytest.fixture(scope="module")
def trie() -> Trie:
    return read_trie(general_model_path())


def test_the_file_is_read_as_pocketsphinx_reads_it(trie: Trie) -> None:
    log_math = pocketsphinx.LogMath()
    theirs = pocketsphinx.NGramModel(pocketsphinx.Config(lm=None), log_math, str(general_model_path()))
    place = {word: number for number, word in enumerate(trie.words)}
    assert trie.unigrams[place["tuesday"]] == pytest.approx(log_math.exp(theirs.prob(["tuesday"])), rel=1e-3)
    begin, end = trie.unigram_next[place["you"] : place["you"] + 2]
    before = begin + int(np.flatnonzero(trie.pair_words[begin:end] == place["thank"])[0])
    expected = log_math.exp(theirs.prob(["you", "thank"]))
    assert trie.pair_probabilities[before] == pytest.approx(expected, rel=1e-3)
    begin, end = trie.pair_next[before : before + 2]
    first = begin + int(np.flatnonzero(trie.triple_words[begin:end] == place["to"])[0])
    expected = log_math.exp(theirs.prob(["you", "thank", "to"]))
    assert trie.triple_probabilities[first] == pytest.approx(expected, rel=1e-3)


def test_a_smaller_vocabulary_still_sums_to_one(trie: Trie) -> None:
    words = tuple(sorted({*frequent_words(trie, 500, read_dictionary()), "<s>", "</s>"}))
    model = restricted(trie, words)
    for first, second in (("to", "the"), ("<s>", "i"), ("thank", "you")):
        history = words.index(first) * len(words) + words.index(second)
        assert model.after_two(history * len(words) + np.arange(len(words))).sum() == pytest.approx(1)


def test_frequent_words_are_decent_ones_that_can_be_pronounced(trie: Trie) -> None:
    words = frequent_words(trie, 3000, read_dictionary())
    assert words[:3] == ["the", "to", "i"] or set(words[:5]) >= {"the", "i"}
    assert not {"<s>", "</s>", "fuck", "shit"} & set(words)
    assert {"assistant", "shift", "class"} <= set(frequent_words(trie, 10000, read_dictionary()))


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.lm.bin").write_bytes(b"Darpa Trigram LM")
    with pytest.raises(ValueError, match="trigram"):
        read_trie(tmp_path / "other.lm.bin")
