"""Makes the files a decoder reads, language models and dictionary, out of an agent's phrases, and caches them.

There are two models, which the decoder mixes: one of the phrases, and a cut of general English, so that speech outside
the phrases is heard as what it is instead of being forced onto the nearest phrase.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .dictionary import pronounce, read_dictionary, write_dictionary
from .general import frequent_words, general_model_path, read_trie, restricted
from .grammar import END, START, automata, expected_counts
from .log import logger
from .native import library
from .ngram import BackoffModel, from_counts, pruned, write_arpa

_MAKING = 2  # part of the cache's keys: raised when the same input makes other files
_BINARY_FORM = 2  # NGRAM_BIN of pocketsphinx/model.h
_LANGUAGE_MODEL, _DICTIONARY, _WORDS = "model.lm.bin", "words.dict", "words.txt"


@dataclass(frozen=True)
class ModelSettings:
    """How the phrases and general English are put together. The README's figures were measured with the defaults."""

    phrase_weight: float = 0.8
    "share of the phrases' model in the mixture, 0 to 1; the rest is general English"
    phrase_pruning: float = 1e-7
    "n-grams of the phrases that change their model less than this (nats) are left out, to save memory; 0 keeps all"
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
    phrases_key = (english, vocabulary.grammar, dict(vocabulary.pronunciations), shape)
    phrases = _cached(
        cache_folder, "phrases", phrases_key, lambda folder: _make_phrases(vocabulary, settings, words, folder)
    )
    if vocabulary.grammar is None:
        return ModelFiles(phrases / _DICTIONARY, ((general / _LANGUAGE_MODEL, 1.0),))
    weight = settings.phrase_weight
    models = ((phrases / _LANGUAGE_MODEL, weight), (general / _LANGUAGE_MODEL, 1 - weight))
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
    counts = expected_counts(automata(vocabulary.grammar)) if vocabulary.grammar else None
    spoken = sorted({word for (word,) in counts[0]} - {END}) if counts else []
    dictionary = read_dictionary()
    pronunciations, missing = pronounce(spoken, dictionary, vocabulary.pronunciations)
    if missing:
        logger.warning(
            "words of the grammar that no dictionary pronounces cannot be heard: %s; `pronunciations` takes them",
            ", ".join(missing),
        )
    if counts:
        model = from_counts(
            counts, tuple(sorted({*pronunciations, START, END})), leaving=(settings.leave_word, settings.leave_pair)
        )
        if settings.phrase_pruning:
            model = pruned(model, settings.phrase_pruning)
        _write_model(model, folder)
    others = (word for word in general_words if word not in pronunciations)
    write_dictionary(folder / _DICTIONARY, pronunciations | {word: dictionary[word] for word in others})


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
