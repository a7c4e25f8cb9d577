"""The general US English model that pocketsphinx's wheel carries, read into arrays.

pocketsphinx 5.1.1 can read its own binary form but crashes when it writes that model as ARPA, so the file is read here:
a reversed trie (word, then the word before it, then the one before that), bit-packed, with 16-bit quantised values
(pocketsphinx: src/lm/lm_trie.c, lm_trie_quant.c).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import pocketsphinx

from .grammar import END, START
from .ngram import BackoffModel, Floats, Ids, normalised

_MAGIC = b"Trie Language Model"
_BINS = 1 << 16
_LOG_BASE = 1.0001
# The general model is made of film dialogue. Noise must not come out as these words; a grammar may still hold them.
_VULGAR = re.compile(r"(mother)?fuck|(bull)?shit|(ass|arse)holes?$|bitch|cunt|whore|slut|nigg|fag(s|got.*)?$|cocksuck")
Bytes = npt.NDArray[np.uint8]


def general_model_path() -> Path:
    return Path(pocketsphinx.get_model_path("en-us/en-us.lm.bin"))


@dataclass(frozen=True)
class Trie:
    """The file's content. Values are natural probabilities; `next` numbers say where a node's children begin."""

    words: list[str]
    unigrams: Floats
    unigram_next: Ids
    pair_words: Ids
    "the word before, int64[pairs]"
    pair_probabilities: Floats
    pair_next: Ids
    triple_words: Ids
    "the word before that, int64[triples]"
    triple_probabilities: Floats


def read_trie(path: Path) -> Trie:
    """Raises ValueError when the file is not a trigram model in pocketsphinx's binary form."""
    data = path.read_bytes()
    if not data.startswith(_MAGIC) or data[len(_MAGIC)] != 3:
        raise ValueError(f"{path} is not a trigram model in pocketsphinx's binary form")
    at = len(_MAGIC) + 1
    counts = [int(count) for count in np.frombuffer(data, "<u4", 3, at)]
    at += 3 * 4 + 4  # after the counts stands a number without meaning
    bins = np.frombuffer(data, "<f4", 3 * _BINS, at).astype(np.float64).reshape(3, _BINS)
    pair_bins, _, triple_bins = np.power(_LOG_BASE, bins)
    at += bins.size * 4
    unigrams = np.frombuffer(data, [("probability", "<f4"), ("backoff", "<f4"), ("next", "<u4")], counts[0] + 1, at)
    at += unigrams.nbytes

    word_bits, next_bits = counts[0].bit_length(), counts[2].bit_length()
    pairs = _Packed(data, at, counts[1], word_bits + 32 + next_bits)
    at += pairs.size_bytes
    triples = _Packed(data, at, counts[2], word_bits + 16)
    at += triples.size_bytes
    size = int(np.frombuffer(data, "<u4", 1, at)[0])
    # The counts of the wheel's file are a few too high: how far the records really go stands in the `next` numbers.
    unigram_next = unigrams["next"].astype(np.int64)
    pair_next = pairs.read(word_bits + 32, next_bits)[: unigram_next[-1] + 1]
    return Trie(
        words=data[at + 4 : at + 4 + size].decode().split("\0")[: counts[0]],
        unigrams=np.power(_LOG_BASE, unigrams["probability"][:-1].astype(np.float64)),
        unigram_next=unigram_next,
        pair_words=pairs.read(0, word_bits)[: unigram_next[-1]],
        pair_probabilities=pair_bins[pairs.read(word_bits + 16, 16)[: unigram_next[-1]]],
        pair_next=pair_next,
        triple_words=triples.read(0, word_bits)[: pair_next[-1]],
        triple_probabilities=triple_bins[triples.read(word_bits, 16)[: pair_next[-1]]],
    )


class _Packed:
    """`count` + 1 records of `bits` bits each, little endian, without gaps."""

    def __init__(self, data: bytes, at: int, count: int, bits: int) -> None:
        self.size_bytes = ((count + 1) * bits + 7) // 8 + 8
        self._bytes: Bytes = np.frombuffer(data, np.uint8, self.size_bytes, at)
        self._starts = np.arange(count + 1, dtype=np.int64) * bits

    def read(self, offset: int, bits: int) -> Ids:
        """The field of `bits` bits (at most 25) that stands `offset` bits into each record."""
        place, shift = np.divmod(self._starts + offset, 8)
        value = np.zeros(len(place), np.int64)
        for byte in range(4):
            value |= self._bytes[place + byte].astype(np.int64) << (8 * byte)
        return (value >> shift) & ((1 << bits) - 1)


def frequent_words(trie: Trie, how_many: int, known: Container[str]) -> list[str]:
    """The most frequent decent words of the general model that `known` (a dictionary) can pronounce."""
    order = np.argsort(-trie.unigrams)
    words = (trie.words[place] for place in order)
    chosen = (word for word in words if word in known and word not in (START, END) and not _VULGAR.match(word))
    return list(itertools.islice(chosen, how_many))


def restricted(trie: Trie, words: tuple[str, ...]) -> BackoffModel:
    """The general model over another vocabulary: n-grams with other words fall away, what they had goes to the rest."""
    size = len(words)
    ids = {word: place for place, word in enumerate(words)}
    new_id = np.array([ids.get(word, -1) for word in trie.words], np.int64)
    unigrams = np.zeros(size)
    unigrams[new_id[new_id >= 0]] = trie.unigrams[new_id >= 0]
    if START in ids:
        unigrams[ids[START]] = 0.0  # nothing is ever followed by it

    last = np.repeat(np.arange(len(trie.words)), np.diff(trie.unigram_next))
    keep = (new_id[last] >= 0) & (new_id[trie.pair_words] >= 0)
    pairs = new_id[trie.pair_words] * size + new_id[last]

    middle = np.repeat(np.arange(len(trie.pair_words)), np.diff(trie.pair_next))
    keep_triples = keep[middle] & (new_id[trie.triple_words] >= 0)
    triples = new_id[trie.triple_words] * size * size + pairs[middle]
    # A trigram whose first two words were pruned from the file has no place for its back-off weight.
    keep_triples &= np.isin(triples // size, pairs[keep])

    pair_order, triple_order = np.argsort(pairs[keep]), np.argsort(triples[keep_triples])
    return normalised(
        BackoffModel(
            words=words,
            unigrams=unigrams,
            unigram_backoffs=np.ones(size),
            pairs=pairs[keep][pair_order],
            pair_probabilities=trie.pair_probabilities[keep][pair_order],
            pair_backoffs=np.ones(int(keep.sum())),
            triples=triples[keep_triples][triple_order],
            triple_probabilities=trie.triple_probabilities[keep_triples][triple_order],
        )
    )
