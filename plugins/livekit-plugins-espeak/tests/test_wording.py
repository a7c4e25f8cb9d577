import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.espeak.wording import is_speakable, word


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("It is $45.", "It is 45 dollars."),
        ("£1, €9.99 and $1,250.50", "1 pound, 9 euros 99 and 1250 dollars 50"),
        ("at 10:00, 9:00 am or 3:30 p.m.", "at 10 o'clock, 9 am or 3:30 p.m."),
        ("on November 23rd, 2026", "on November 23rd, 20 26"),
        ("2026!", "20 26!"),
        ("2026-11-23 is 10:00:00 and 2000 in 2005", "2026-11-23 is 10:00:00 and 2000 in 2005"),
        ("$1.2.3", "$1.2.3"),
        ("a\x01b\x00c 😀 \ud800", "a b c      "),
    ],
)
def test_english_is_put_the_way_it_is_said(written: str, spoken: str) -> None:
    assert word(written, "en-us").spoken.rstrip() == spoken.rstrip()


def test_other_languages_are_left_as_they_are_written() -> None:
    assert word("Das kostet $45.", "de").spoken == "Das kostet $45."


@given(st.text())
def test_every_spoken_character_stands_for_a_written_one(written: str) -> None:
    wording = word(written, "en")
    assert len(wording.origins) == len(wording.spoken)
    assert list(wording.origins) == sorted(wording.origins)
    assert all(0 <= origin < len(written) for origin in wording.origins)


@pytest.mark.parametrize(
    ("text", "expected"), [("a", True), ("7", True), ("&", True), ("... - !", False), (" ", False)]
)
def test_punctuation_alone_is_not_speakable(text: str, expected: bool) -> None:
    assert is_speakable(text) is expected
