from __future__ import annotations

import pytest

from voiceworker.policy.situations import Situations

MARKS = Situations({"reading_back": ["shall I book it", "is that right"], "important": ["this call is recorded"]})


@pytest.mark.parametrize(
    ("heard", "upcoming", "kind"),
    [
        ("That's a haircut", " on Tuesday at two. Shall I book it?", None),
        ("That's a haircut on Tuesday at two. Shall", " I book it?", "reading_back"),
        ("That's Tuesday, is", "that right? Or not.", "reading_back"),
        ("Hello.", " This call is recorded. How can I help?", None),
        ("Hello. This", "call is recorded. How can I help?", "important"),
        ("Hello. This call is recorded.", " How can I help?", "important"),
        ("Hello. This call is recorded. How", " can I help?", None),
        ("THIS CALL, is recorded", "", "important"),
        ("", "This call is recorded.", "important"),
        ("This call is recordedly", " odd.", None),
    ],
)
def test_a_sentence_is_known_by_its_phrase(heard: str, upcoming: str, kind: str | None) -> None:
    assert MARKS.of(heard, upcoming) == kind


def test_without_phrases_every_sentence_is_ordinary() -> None:
    assert Situations({}).of("This call is", "recorded.") is None
