from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.pocketsphinx.interims import FEWEST_WORDS, LATER_SECONDS, SOON_SECONDS, Interims

Guesses = list[tuple[float, str]]


def shown(guesses: Guesses, *, until: float) -> Guesses:
    """What a listener sees, and when; the decoder is asked every 32 ms."""
    interims, seen = Interims(), []
    for tick in range(int(until / 0.032) + 1):
        now = tick * 0.032
        words = [text for at, text in guesses if at <= now][-1].split()
        count = interims.guess(words, now)
        if count is not None:
            seen.append((round(now, 2), " ".join(words[:count])))
    return seen


def texts(guesses: Guesses, *, until: float) -> list[str]:
    return [text for _, text in shown(guesses, until=until)]


def test_stop_is_shown_as_soon_as_it_stands() -> None:
    seen = shown([(0, ""), (0.2, "it's"), (0.32, "still"), (0.4, "stop")], until=1.0)
    assert [text for _, text in seen] == ["stop"]
    assert seen[0][0] <= 0.4 + SOON_SECONDS + 0.064


def test_a_guess_that_stands_for_a_moment_is_not_shown() -> None:
    assert texts([(0, ""), (0.2, "stop"), (0.3, "so"), (0.4, "")], until=1.0) == []


def test_mm_hmm_is_not_mistaken_on_the_way() -> None:
    guesses = [(0, ""), (0.25, "mm"), (0.35, "and"), (0.5, "and yeah"), (0.6, "mm-hmm")]
    assert texts(guesses, until=1.0) == ["mm-hmm"]


def test_one_or_two_other_words_wait_for_the_end_of_speech() -> None:
    assert texts([(0, ""), (0.2, "the"), (0.5, "pop up")], until=2.0) == []


def test_a_sentence_is_shown_from_its_third_word_on() -> None:
    guesses = [(0, ""), (0.2, "can"), (0.4, "can you"), (0.6, "can you hear"), (1.0, "can you hear me")]
    seen = shown(guesses, until=2.0)
    assert [text for _, text in seen] == ["can you hear", "can you hear me"]
    assert 0.6 + LATER_SECONDS <= seen[0][0] <= 0.6 + LATER_SECONDS + 0.064


def test_a_listeners_words_ahead_do_not_count() -> None:
    guesses = [(0, ""), (0.2, "yeah"), (0.5, "yeah you know"), (1.0, "yeah you know it")]
    assert texts(guesses, until=2.0) == ["yeah", "yeah you know it"]


def test_a_stop_is_shown_after_a_listeners_word() -> None:
    assert texts([(0, ""), (0.2, "okay"), (0.5, "okay wait")], until=1.0) == ["okay", "okay wait"]


@given(st.lists(st.lists(st.sampled_from(["stop", "yeah", "the", "book", "it"]), max_size=6), max_size=40))
def test_only_words_of_the_present_guess_are_shown_and_never_twice(guesses: list[list[str]]) -> None:
    interims, seen = Interims(), []
    for tick, words in enumerate(guesses):
        count = interims.guess(words, tick * 0.1)
        if count is not None:
            assert 0 < count <= len(words)
            seen.append(words[:count])
    assert all(before != after for before, after in pairwise(seen))


@given(st.lists(st.sampled_from(["book", "the", "haircut", "for", "monday"]), min_size=FEWEST_WORDS, max_size=9))
def test_what_stands_is_shown_whole(words: list[str]) -> None:
    interims = Interims()
    assert interims.guess(words, 0.0) is None
    assert interims.guess(words, LATER_SECONDS) == len(words)
    assert interims.guess(words, 2 * LATER_SECONDS) is None
