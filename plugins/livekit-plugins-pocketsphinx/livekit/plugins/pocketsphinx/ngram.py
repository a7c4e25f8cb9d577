"""Back-off trigram models as sorted arrays: made from counts, pruned, written as ARPA.

A model gives P(word | the two words before). An n-gram it does not hold gets the back-off weight of its history times
the probability by the shorter history (Katz 1987); what is stored is the known n-grams and those weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from .grammar import END, START, Counts

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]
_SMALLEST = 1e-99  # ARPA's -99, its way to write zero


@dataclass(frozen=True)
class BackoffModel:
    """A trigram model. A pair is kept as the number `first * len(words) + second`, a triple likewise."""

    words: tuple[str, ...]
    unigrams: Floats
    "P(word), float64[words]"
    unigram_backoffs: Floats
    "weight of each word as a history, float64[words]"
    pairs: Ids
    "int64[pairs], ascending"
    pair_probabilities: Floats
    pair_backoffs: Floats
    triples: Ids
    "int64[triples], ascending"
    triple_probabilities: Floats

    @property
    def size(self) -> int:
        """Number of stored n-grams."""
        return len(self.unigrams) + len(self.pairs) + len(self.triples)

    def after_one(self, pairs: Ids) -> Floats:
        """P(second | first) of each pair."""
        first, second = np.divmod(pairs, len(self.words))
        backed_off = self.unigram_backoffs[first] * self.unigrams[second]
        return _look_up(self.pairs, self.pair_probabilities, pairs, otherwise=backed_off)

    def after_two(self, triples: Ids) -> Floats:
        """P(third | first, second) of each triple."""
        size = len(self.words)
        weight = _look_up(self.pairs, self.pair_backoffs, triples // size, otherwise=np.ones(len(triples)))
        backed_off = weight * self.after_one(triples % (size * size))
        return _look_up(self.triples, self.triple_probabilities, triples, otherwise=backed_off)


def _look_up(keys: Ids, values: Floats, wanted: Ids, *, otherwise: Floats) -> Floats:
    if not len(keys):
        return otherwise
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found: Floats = np.where(keys[places] == wanted, values[places], otherwise)
    return found


def from_counts(counts: Counts, words: Sequence[str], *, leaving: Sequence[float]) -> BackoffModel:
    """A model with the counts' own relative frequencies that gives `leaving[n]` of each history to the shorter one.

    The frequencies of a grammar are exact, so what is kept back is not for rare n-grams but for a caller who leaves the
    pattern (Jelinek and Mercer 1980, with one weight an order). N-grams with a word outside `words` are left out.
    """
    ids = {word: place for place, word in enumerate(words)}
    size = len(words)
    unigrams = np.zeros(size)
    for (word,), count in counts[0].items():
        if word in ids:
            unigrams[ids[word]] = count
    unigrams /= unigrams.sum()
    pairs, pair_counts = _keyed(counts[1], ids)
    triples, triple_counts = _keyed(counts[2], ids)
    unigram_backoffs = np.ones(size)
    unigram_backoffs[np.unique(pairs // size)] = leaving[0]
    model = BackoffModel(
        words=tuple(words),
        unigrams=unigrams,
        unigram_backoffs=unigram_backoffs,
        pairs=pairs,
        pair_probabilities=(1 - leaving[0]) * _shares(pairs // size, pair_counts) + leaving[0] * unigrams[pairs % size],
        pair_backoffs=np.where(np.isin(pairs, triples // size), leaving[1], 1.0),
        triples=triples,
        triple_probabilities=np.zeros(len(triples)),
    )
    shorter = model.after_one(triples % (size * size))
    probabilities = (1 - leaving[1]) * _shares(triples // size, triple_counts) + leaving[1] * shorter
    return replace(model, triple_probabilities=probabilities)


def _keyed(counts: dict[tuple[str, ...], float], ids: dict[str, int]) -> tuple[Ids, Floats]:
    keys, values = [], []
    for ngram, count in counts.items():
        places = [ids.get(word, -1) for word in ngram]
        if min(places) >= 0:
            key = 0
            for place in places:
                key = key * len(ids) + place
            keys.append(key)
            values.append(count)
    order = np.argsort(np.array(keys, np.int64))
    return np.array(keys, np.int64)[order], np.array(values, np.float64)[order]


def _shares(histories: Ids, counts: Floats) -> Floats:
    """Each count's share of its history's total."""
    _, place = np.unique(histories, return_inverse=True)
    totals = np.bincount(place, counts)
    return np.asarray(counts / totals[place], np.float64)


def normalised(model: BackoffModel) -> BackoffModel:
    """The same n-grams, with the back-off weights that make every history's probabilities sum to one."""
    size = len(model.words)
    unigrams = model.unigrams / model.unigrams.sum()
    history, weights, pairs = _balanced(model.pairs // size, model.pair_probabilities, unigrams[model.pairs % size])
    unigram_backoffs = np.ones(size)
    unigram_backoffs[history] = weights
    model = replace(model, unigrams=unigrams, unigram_backoffs=unigram_backoffs, pair_probabilities=pairs)
    shorter = model.after_one(model.triples % (size * size))
    history, weights, triples = _balanced(model.triples // size, model.triple_probabilities, shorter)
    pair_backoffs = np.ones(len(model.pairs))
    pair_backoffs[np.searchsorted(model.pairs, history)] = weights
    return replace(model, pair_backoffs=pair_backoffs, triple_probabilities=triples)


def _balanced(histories: Ids, probabilities: Floats, shorter: Floats) -> tuple[Ids, Floats, Floats]:
    """The distinct histories, each with (what its n-grams leave) / (what they leave by the shorter history), and the
    probabilities. These change only where a history knows every word: nothing else could take what they leave."""
    unique, place = np.unique(histories, return_inverse=True)
    total = np.bincount(place, probabilities, len(unique))
    left_shorter = 1 - np.bincount(place, shorter, len(unique))
    is_complete = left_shorter < 1e-6
    weights = np.where(is_complete, 1.0, np.clip(1 - total, _SMALLEST, 1) / np.where(is_complete, 1.0, left_shorter))
    return unique, weights, np.where(is_complete[place], probabilities / total[place], probabilities)


def pruned(model: BackoffModel, threshold: float) -> BackoffModel:
    """Leaves out the n-grams whose loss changes the model least.

    A simple form of relative entropy pruning (Stolcke 1998): an n-gram stays when P(n-gram) times the change of its
    log probability, in nats, is more than `threshold`, or when a longer one needs it.
    """
    size = len(model.words)
    first, second = np.divmod(model.pairs, size)
    # <s> has no probability of its own, but every sentence begins with it.
    histories = np.where(np.array(model.words) == START, model.unigrams[model.words.index(END)], model.unigrams)
    pair_mass = histories[first] * model.pair_probabilities
    keep_pairs = pair_mass * _loss(first, model.pair_probabilities, model.unigrams[second]) > threshold

    shorter = model.after_one(model.triples % (size * size))
    mass = pair_mass[np.searchsorted(model.pairs, model.triples // size)] * model.triple_probabilities
    keep_triples = mass * _loss(model.triples // size, model.triple_probabilities, shorter) > threshold
    triples = model.triples[keep_triples]
    keep_pairs |= np.isin(model.pairs, triples // size) | np.isin(model.pairs, triples % (size * size))
    return normalised(
        replace(
            model,
            pairs=model.pairs[keep_pairs],
            pair_probabilities=model.pair_probabilities[keep_pairs],
            pair_backoffs=np.ones(int(keep_pairs.sum())),
            triples=triples,
            triple_probabilities=model.triple_probabilities[keep_triples],
        )
    )


def _loss(histories: Ids, probabilities: Floats, shorter: Floats) -> Floats:
    """By how many nats the probability of each n-gram changes when it alone is left out of its history."""
    _, place = np.unique(histories, return_inverse=True)
    left = 1 - np.bincount(place, probabilities)[place] + probabilities
    left_shorter = 1 - np.bincount(place, shorter)[place] + shorter
    without = shorter * np.maximum(left, _SMALLEST) / np.maximum(left_shorter, 1e-9)
    loss: Floats = np.abs(np.log(np.maximum(probabilities, _SMALLEST)) - np.log(np.maximum(without, _SMALLEST)))
    return loss


def write_arpa(model: BackoffModel, file: TextIO) -> None:
    """ARPA's text form, which pocketsphinx and every other tool reads."""
    size = len(model.words)
    words: npt.NDArray[Any] = np.array(model.words, dtype=object)

    def logarithms(values: Floats) -> list[str]:
        return [f"{value:.4f}" for value in np.log10(np.maximum(values, _SMALLEST))]

    sections = [
        (words, logarithms(model.unigrams), logarithms(model.unigram_backoffs)),
        (
            words[model.pairs // size] + " " + words[model.pairs % size],
            logarithms(model.pair_probabilities),
            logarithms(model.pair_backoffs),
        ),
        (
            words[model.triples // size // size]
            + " "
            + words[model.triples // size % size]
            + " "
            + words[model.triples % size],
            logarithms(model.triple_probabilities),
            [""] * len(model.triples),
        ),
    ]
    file.write("\\data\\\n")
    for order, (ngrams, _, _) in enumerate(sections, 1):
        file.write(f"ngram {order}={len(ngrams)}\n")
    for order, (ngrams, probabilities, backoffs) in enumerate(sections, 1):
        file.write(f"\n\\{order}-grams:\n")
        lines = zip(probabilities, ngrams, backoffs, strict=True)
        file.writelines(f"{probability} {ngram} {backoff}\n" for probability, ngram, backoff in lines)
    file.write("\n\\end\\\n")
