from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from livekit.plugins.pocketsphinx.build import ModelSettings, Vocabulary, build

pytestmark = pytest.mark.slow

SETTINGS = ModelSettings(general_words=2000, general_pruning=3e-6)
ODD = "#JSGF V1.0;\ngrammar odd;\npublic <a> = book (zumba | qqfx);\n"


def test_files_are_made_once_and_english_is_shared(cache_folder: Path, grammar: str) -> None:
    files = build(Vocabulary(grammar), SETTINGS, cache_folder)
    made = {path: path.stat().st_mtime_ns for path in cache_folder.rglob("*")}
    assert build(Vocabulary(grammar), SETTINGS, cache_folder) == files
    other = build(Vocabulary(grammar.replace("haircut", "shave")), SETTINGS, cache_folder)
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert other.language_models[0] != files.language_models[0]
    assert other.language_models[1] == files.language_models[1]
    assert sum(weight for _, weight in files.language_models) == pytest.approx(1)
    assert not list(cache_folder.glob("making-*"))


def test_without_grammar_there_are_english_and_the_words_of_every_call(cache_folder: Path) -> None:
    files = build(Vocabulary(), SETTINGS, cache_folder)
    assert [weight for _, weight in files.language_models] == [0.9, 0.1]
    assert "hello HH" in files.dictionary.read_text()
    assert "mm-hmm M HH" in files.dictionary.read_text()
    alone = build(Vocabulary(), replace(SETTINGS, interjection_weight=0), cache_folder)
    assert alone.language_models == ((files.language_models[0][0], 1.0),)


def test_an_agent_may_pronounce_a_listeners_word_in_its_own_way(cache_folder: Path) -> None:
    files = build(Vocabulary(ODD, {"zumba": "Z UH M B AH", "mm-hmm": "IH M HH IH M"}), SETTINGS, cache_folder)
    assert "mm-hmm IH M HH IH M" in files.dictionary.read_text()


def test_words_that_cannot_be_pronounced_are_warned_of_by_name(
    cache_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        build(Vocabulary(ODD, {"zumba": "Z UH M B AH"}), SETTINGS, cache_folder)
    assert "qqfx" in caplog.text
    assert "zumba" not in caplog.text


def test_a_model_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    endless = "#JSGF V1.0;\ngrammar endless;\npublic <a> = yes <a>;\n"
    with pytest.raises(ValueError, match="<a>"):
        build(Vocabulary(endless), SETTINGS, tmp_path)
    assert [path.name.split("-")[0] for path in tmp_path.iterdir()] == ["english"]
