"""Makes the files a decoder reads, language models and dictionary, out of an agent's phrases, and caches them.

There are three models, which the decoder mixes: one of the phrases; a cut of general English, so that speech outside
the phrases is heard as what it is instead of being forced onto the nearest phrase; and one of the short words that are
said over an agent that speaks.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import interjections
from .dictionary import pronounce, read_dictionary, write_dictionary
from .general import frequent_words, general_model_path, read_trie, restricted
from .grammar import END, START, Counts, automata, expected_counts
from .log import logger
from .native import library
from .ngram import BackoffModel, from_counts, pruned, write_arpa

_MAKING = 2  # part of the cache's keys: raised when the same input makes other files
_BINARY_FORM = 2  # NGRAM_BIN of pocketsphinx/model.h
_UNHEARD = "(elsewhere)"
_WITHIN_SENTENCES = 0.05  # share of the interjections' model after other words
_LANGUAGE_MODEL, _DICTIONARY, _WORDS = "model.lm.bin", "words.dict", "words.txt"


@dataclass(frozen=True)
class ModelSettings:
    """How the phrases and general English are put together. The README's figures were measured with the defaults."""

    phrase_weight: float = 0.8
    "share of the phrases' model in the mixture, 0 to 1; the rest is general English"
    phrase_pruning: float = 1e-7
    "n-grams of the phrases that change their model less than this (nats) are left out, to save memory; 0 keeps all"
    interjection_weight: float = 0.1
    "share of the short words of listeners and interrupters in the mixture, 0 to 1; it is taken from both others"
    general_words: int = 15_000
    "how many of the most frequent English words can be heard beside the phrases' own"
    general_pruning: float = 1e-7
    "the same for general English"
    leave_word: float = 0.1
    "share a word of the phrases gives to words that never follow it there"
    leave_pair: float = 0.08
    "share a pair of words gives to words that never follow the pair"


@dataclass(frozen=True)
class Vocabulary:
    """What an agent's callers say, and how its unusual words sound."""

    grammar: str | None = None
    "JSGF 1.0: each public rule is something a caller may say; None is general English alone"
    pronunciations: Mapping[str, str] = field(default_factory=dict)
    'word to ARPAbet phones, for words the dictionary lacks: `{"zumba": "Z UH M B AH"}`'


@dataclass(frozen=True)
class ModelFiles:
    """What a decoder is made of."""

    dictionary: Path
    language_models: tuple[tuple[Path, float], ...]
    "files and their shares, which sum to one"


def default_cache_folder() -> Path:
    return Path.home() / ".cache" / "livekit-plugins-pocketsphinx"


def build(vocabulary: Vocabulary, settings: ModelSettings, cache_folder: Path) -> ModelFiles:
    """The files for these phrases, from the cache or made in a few seconds; safe in several processes at once.

    Raises ValueError when the grammar is wrong, OSError when the cache folder cannot be written.
    """
    english = (_MAKING, general_model_path().stat().st_size, settings.general_words, settings.general_pruning)
    general = _cached(cache_folder, "english", english, lambda folder: _make_general(settings, folder))
    words = (general / _WORDS).read_text(encoding="utf-8").split()
    shape = (settings.leave_word, settings.leave_pair, settings.phrase_pruning)
    sounds = {word: list(phones) for word, phones in interjections.PRONUNCIATIONS.items()}
    phrases_key = (english, vocabulary.grammar, dict(vocabulary.pronunciations), shape, interjections.GRAMMAR, sounds)
    phrases = _cached(
        cache_folder, "phrases", phrases_key, lambda folder: _make_phrases(vocabulary, settings, words, folder)
    )
    short_key = (_MAKING, shape, interjections.GRAMMAR, _WITHIN_SENTENCES)
    short = _cached(cache_folder, "interjections", short_key, lambda folder: _make_interjections(settings, folder))
    rest = 1 - settings.interjection_weight
    of_phrases = rest * settings.phrase_weight if vocabulary.grammar is not None else 0.0
    shares = ((phrases, of_phrases), (general, rest - of_phrases), (short, settings.interjection_weight))
    models = tuple((folder / _LANGUAGE_MODEL, share) for folder, share in shares if share)
    return ModelFiles(phrases / _DICTIONARY, models)


def _cached(cache_folder: Path, kind: str, key: object, make: Callable[[Path], None]) -> Path:
    """The folder of the cache that `make` filled for this key. It appears whole or not at all."""
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    folder = cache_folder / f"{kind}-{digest}"
    if folder.exists():
        return folder
    cache_folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=cache_folder, prefix="making-"))
    try:
        make(work)
        work.rename(folder)
    except OSError:
        if not folder.exists():  # else another process was first
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def _make_general(settings: ModelSettings, folder: Path) -> None:
    trie = read_trie(general_model_path())
    frequent = frequent_words(trie, settings.general_words, read_dictionary())
    model = restricted(trie, tuple(sorted({*frequent, START, END})))
    if settings.general_pruning:
        model = pruned(model, settings.general_pruning)
    _write_model(model, folder)
    (folder / _WORDS).write_text("\n".join(frequent), encoding="utf-8")


def _make_phrases(vocabulary: Vocabulary, settings: ModelSettings, general_words: list[str], folder: Path) -> None:
    """The phrases' model, and the dictionary of all words that can be heard."""
    counts = expected_counts(automata(vocabulary.grammar)) if vocabulary.grammar else None
    dictionary = read_dictionary() | dict(interjections.PRONUNCIATIONS)
    pronunciations, missing = pronounce(_spoken(counts) if counts else [], dictionary, vocabulary.pronunciations)
    if missing:
        logger.warning(
            "words of the grammar that no dictionary pronounces cannot be heard: %s; `pronunciations` takes them",
            ", ".join(missing),
        )
    if counts:
        _write_model(_phrase_model(counts, pronunciations, settings), folder)
    short, _ = pronounce(_spoken(_short_counts()), dictionary, vocabulary.pronunciations)
    others = (word for word in general_words if word not in pronunciations)
    write_dictionary(folder / _DICTIONARY, {word: dictionary[word] for word in others} | short | pronunciations)


def _make_interjections(settings: ModelSettings, folder: Path) -> None:
    counts = _short_counts()
    # They are said alone, or begin an utterance: within a sentence of the phrases' they have no business, so there a
    # word that cannot be heard takes their place.
    total = sum(counts[0].values())
    counts[0][_UNHEARD,] = total * (1 / _WITHIN_SENTENCES - 1)
    _write_model(_phrase_model(counts, [*_spoken(counts), _UNHEARD], settings), folder)


def _short_counts() -> Counts:
    return expected_counts(automata(interjections.GRAMMAR))


def _spoken(counts: Counts) -> list[str]:
    return sorted({word for (word,) in counts[0]} - {END})


def _phrase_model(counts: Counts, words: Iterable[str], settings: ModelSettings) -> BackoffModel:
    leaving = (settings.leave_word, settings.leave_pair)
    model = from_counts(counts, tuple(sorted({*words, START, END})), leaving=leaving)
    return pruned(model, settings.phrase_pruning) if settings.phrase_pruning else model


def _write_model(model: BackoffModel, folder: Path) -> None:
    """Writes pocketsphinx's binary form, which it loads ten times faster than ARPA."""
    arpa, binary = folder / "model.arpa", folder / _LANGUAGE_MODEL
    with arpa.open("w", encoding="utf-8") as file:
        write_arpa(model, file)
    c = library()
    log_math = c.logmath_init(1.0001, 0, 0)
    read = c.ngram_model_read(None, str(arpa).encode(), 0, log_math)
    if read is None:
        raise RuntimeError(f"pocketsphinx does not read the language model made for it: {arpa}")
    try:
        if c.ngram_model_write(read, str(binary).encode(), _BINARY_FORM) != 0 or not os.path.getsize(binary):
            raise OSError(f"cannot write {binary}")
    finally:
        c.ngram_model_free(read)
        c.logmath_free(log_math)
    arpa.unlink()
