from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("faster_whisper", reason="faster-whisper is not installed", exc_type=ImportError)

from livekit.plugins.fasterwhisper.agreement import agreed

words = st.lists(st.sampled_from(["I'd", "like", "to", "book", "a", "hair", "cut"]), max_size=6)


@pytest.mark.parametrize(
    ("before", "now", "count"),
    [
        ("", "I'd", 0),
        ("I'd like to look", "I'd like to book a", 3),
        ("Yes.", "yes, that", 1),
        ("I'd", "I'd like", 1),
        ("No", "Yes no", 0),
        ("on Monday", "on", 1),
    ],
)
def test_words_are_sure_when_two_decodings_begin_with_them(before: str, now: str, count: int) -> None:
    assert agreed(before.split(), now.split()) == count


@given(words, words)
def test_they_are_the_longest_common_beginning(before: list[str], now: list[str]) -> None:
    count = agreed(before, now)
    assert before[:count] == now[:count]
    assert before[count : count + 1] != now[count : count + 1] or count == len(before) == len(now)
    assert agreed(now, before) == count
