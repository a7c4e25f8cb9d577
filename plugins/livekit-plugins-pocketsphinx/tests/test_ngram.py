from __future__ import annotations

import io
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.plugins.pocketsphinx.grammar import END, START, Counts, Ngram
from livekit.plugins.pocketsphinx.ngram import BackoffModel, from_counts, pruned, write_arpa

WORDS = ("a", "b", "c", "d")
VOCABULARY = (*WORDS, END, START)
sentences = st.lists(st.tuples(st.lists(st.sampled_from(WORDS), max_size=5), st.floats(0.1, 5)), min_size=1, max_size=6)
shares = st.tuples(st.floats(0.05, 0.9), st.floats(0.05, 0.9))


def counted(weighted: list[tuple[list[str], float]]) -> Counts:
    counts: list[dict[Ngram, float]] = [defaultdict(float) for _ in range(3)]
    for words, weight in weighted:
        said = (START, *words, END)
        for end in range(1, len(said)):
            for order in range(min(3, end + 1)):
                counts[order][said[end - order : end + 1]] += weight
    return counts


def after(model: BackoffModel, first: str, second: str) -> list[float]:
    """P(word | first, second) of every word."""
    size = len(model.words)
    history = model.words.index(first) * size + model.words.index(second)
    return [float(value) for value in model.after_two(history * size + np.arange(size))]


@given(sentences, shares, st.floats(1e-4, 0.3))
@settings(max_examples=60, deadline=None)
def test_the_probabilities_after_any_two_words_sum_to_one(
    weighted: list[tuple[list[str], float]], leaving: tuple[float, float], threshold: float
) -> None:
    model = from_counts(counted(weighted), VOCABULARY, leaving=leaving)
    for variant in (model, pruned(model, threshold)):
        for first in VOCABULARY:
            for second in (*WORDS, START):
                assert sum(after(variant, first, second)) == pytest.approx(1)


def test_what_was_counted_keeps_its_share_and_the_rest_goes_to_shorter_histories() -> None:
    model = from_counts(counted([(["a", "b"], 3.0), (["a", "c"], 1.0)]), VOCABULARY, leaving=(0.2, 0.1))
    unigram_b, pair_b = 3 / 12, 0.8 * 3 / 4 + 0.2 * 3 / 12
    assert model.unigrams[1] == pytest.approx(unigram_b)
    assert after(model, START, "a")[1] == pytest.approx(0.9 * 3 / 4 + 0.1 * pair_b)
    assert after(model, "b", "a")[1] == pytest.approx(pair_b)  # never counted: the pair alone
    assert after(model, "a", "d")[1] == pytest.approx(unigram_b)


def test_pruning_leaves_out_what_the_shorter_history_says_as_well() -> None:
    counts = counted([([first, "b", "c"], 1.0) for first in WORDS])
    model = from_counts(counts, VOCABULARY, leaving=(0.2, 0.1))
    smaller = pruned(model, 0.01)
    assert len(smaller.triples) < len(model.triples)
    assert after(smaller, "a", "b")[2] == pytest.approx(after(model, "a", "b")[2], abs=0.15)


def test_the_text_form_names_every_ngram_with_its_logarithms() -> None:
    text = io.StringIO()
    write_arpa(from_counts(counted([(["a", "b"], 1.0)]), ("a", "b", END, START), leaving=(0.5, 0.5)), text)
    lines = text.getvalue().splitlines()
    assert lines[:4] == ["\\data\\", "ngram 1=4", "ngram 2=3", "ngram 3=2"]
    assert "-99.0000 <s> -0.3010" in lines
    assert f"{np.log10(0.5 + 0.5 / 3):.4f} a b -0.3010" in lines
    assert lines[-1] == "\\end\\"
