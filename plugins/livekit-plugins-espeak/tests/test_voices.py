import pytest
from livekit.plugins.espeak.engine import shared_engine


@pytest.mark.parametrize(
    ("wanted", "identifier", "language"),
    [
        ("en-us", "gmw/en-US", "en-us"),
        ("en_US", "gmw/en-US", "en-us"),
        ("en-gb", "gmw/en", "en-gb"),
        ("en", "gmw/en", "en-gb"),
        ("de", "gmw/de", "de"),
        ("English (America)", "gmw/en-US", "en-us"),
        ("gmw/de", "gmw/de", "de"),
        ("en-us+F3", "gmw/en-US+f3", "en-us"),
    ],
)
def test_a_voice_is_found_by_tag_name_or_identifier(wanted: str, identifier: str, language: str) -> None:
    chosen = shared_engine().voices.find(wanted)
    assert (chosen.identifier, chosen.language) == (identifier, language)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("en-uk", r"no voice 'en-uk'; nearest: .*en-gb"),
        ("germann", r"nearest: german"),
        ("", r"no voice ''; languages: af, .*zh"),
        ("en-us+f33", r"no voice variant 'f33'; nearest: f3"),
        ("en-us+", r"no voice variant ''; variants: "),
    ],
)
def test_a_wrong_name_is_refused_with_the_nearest_ones(wanted: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shared_engine().voices.find(wanted)


def test_every_language_of_the_catalog_can_be_chosen() -> None:
    voices = shared_engine().voices
    assert len(voices.languages()) > 100
    assert all(voices.find(tag).identifier for tag in voices.languages())
