from __future__ import annotations

from pathlib import Path

from livekit.plugins.pocketsphinx.dictionary import pronounce, read_dictionary, write_dictionary

SOUNDS = {"hair": ["HH EH R"], "cut": ["K AH T"], "bus": ["B AH S"], "the": ["DH AH", "DH IY"], "is": ["IH Z"]}


def sound(word: str, **extra: str) -> list[str]:
    found, missing = pronounce([word], SOUNDS, extra)
    assert bool(missing) != bool(found)
    return found.get(word, [])


def test_plurals_possessives_and_compounds_of_known_words_are_pronounced() -> None:
    assert sound("cuts") == ["K AH T S"]
    assert sound("hair's") == ["HH EH R Z"]
    assert sound("bus's") == ["B AH S IH Z"]
    assert sound("haircut") == ["HH EH R K AH T"]
    assert sound("hair-cut") == ["HH EH R K AH T"]


def test_a_word_without_pronunciation_is_named() -> None:
    assert pronounce(["cut", "xyzzy"], SOUNDS, {}) == ({"cut": ["K AH T"]}, ["xyzzy"])


def test_a_given_pronunciation_goes_before_the_dictionary() -> None:
    assert sound("xyzzy", xyzzy="Z IH Z IY") == ["Z IH Z IY"]
    assert sound("cut", cut="K UH T") == ["K UH T"]


def test_a_dictionary_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_dictionary(tmp_path / "words.dict", SOUNDS)
    assert "the(2) DH IY" in (tmp_path / "words.dict").read_text().splitlines()
    assert read_dictionary(tmp_path / "words.dict") == SOUNDS


def test_the_wheel_pronounces_english() -> None:
    assert read_dictionary()["either"] == ["IY DH ER", "AY DH ER"]
