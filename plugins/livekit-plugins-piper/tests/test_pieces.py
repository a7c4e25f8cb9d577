from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("piper", reason="piper-tts is not installed", exc_type=ImportError)

from livekit.plugins.piper.pieces import LONGEST_PIECE, PieceCutter

texts = st.text(alphabet=st.one_of(st.sampled_from("abc .,!?\n"), st.characters(codec="utf-8")), max_size=80)


def pieces(*parts: str) -> list[str]:
    cutter = PieceCutter()
    return [piece for part in parts for piece in cutter.push(part)] + cutter.flush()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Certainly sir, I can, and more. Which day?",
            ["Certainly sir,", " I can, and more.", " Which day?"],
        ),
        ("Yes, of course we can. Which day?", ["Yes, of course we can.", " Which day?"]),
        (
            "I will ask Dr. Smith at 3:30 p.m. today. He knows.",
            ["I will ask Dr. Smith at 3:30 p.m. today.", " He knows."],
        ),
        ("It costs 1,000 dollars", ["It costs 1,000 dollars"]),
        ("", []),
    ],
)
def test_the_first_clause_goes_ahead_and_then_whole_sentences(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected
    assert pieces(*text) == expected


def test_the_first_clause_leaves_with_the_space_after_it() -> None:
    cutter = PieceCutter()
    assert cutter.push("Certainly sir,") == []
    assert cutter.push(" ") == ["Certainly sir,"]


def test_what_follows_a_flush_begins_with_a_clause_again() -> None:
    cutter = PieceCutter()
    cutter.push("Certainly sir, I")
    assert cutter.flush() == [" I"]
    assert cutter.push("On the other hand, no") == ["On the other hand,"]


def test_a_run_without_punctuation_is_cut_at_a_space() -> None:
    cut = pieces("word " * 200)
    assert max(len(piece) for piece in cut) <= LONGEST_PIECE
    assert all(piece.strip().startswith("word") and piece.rstrip().endswith("word") for piece in cut)


@given(st.lists(texts, max_size=6))
def test_nothing_is_lost(parts: list[str]) -> None:
    cut = pieces(*parts)
    assert "".join(cut) == "".join(parts)
    assert all(len(piece) > 0 for piece in cut)


def test_half_a_character_is_no_error() -> None:
    assert pieces("so\ud800", " it is") == ["so\ufffd it is"]
