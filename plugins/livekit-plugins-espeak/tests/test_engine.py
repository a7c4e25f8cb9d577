import asyncio
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.plugins.espeak.alignment import align, audible_length, quiet_lead
from livekit.plugins.espeak.engine import EngineError, Style, shared_engine
from livekit.plugins.espeak.wording import is_speakable, word

STYLE = Style("gmw/en-US")


def seconds(text: str, style: Style = STYLE) -> float:
    return len(shared_engine().speak_blocking(text, style).samples) / shared_engine().sample_rate


def test_the_rate_changes_the_length_and_the_volume_the_loudness() -> None:
    assert seconds("I will be there tomorrow.", Style("gmw/en-US", rate_words_per_minute=300)) < 0.7 * seconds(
        "I will be there tomorrow."
    )
    loud = shared_engine().speak_blocking("hello", STYLE).samples
    quiet = shared_engine().speak_blocking("hello", Style("gmw/en-US", volume=20)).samples
    assert np.abs(quiet.astype(int)).max() < 0.5 * np.abs(loud.astype(int)).max()


def test_markup_is_read_out_and_not_obeyed() -> None:
    assert seconds('<break time="9s"/>') < 5
    assert seconds("[[h@l'oU]]") > seconds("hello")


def test_a_voice_that_is_not_there_is_an_error_and_the_engine_goes_on() -> None:
    with pytest.raises(EngineError, match="nowhere"):
        shared_engine().speak_blocking("hello", Style("nowhere"))
    assert seconds("hello") > 0.2


def test_words_lie_where_the_sound_is_and_pauses_belong_to_none() -> None:
    text = "Monday, at nine; Tuesday, at ten."
    speech = shared_engine().speak_blocking(text, STYLE)
    words = align(text, word(text, "en"), speech)
    assert [item.text for item in words] == ["Monday, ", "at ", "nine; ", "Tuesday, ", "at ", "ten."]
    loudness = np.abs(speech.samples.astype(int))
    for item in words:
        assert loudness[item.start_sample : item.end_sample].mean() > 500
    for before, after in [(0, 1), (2, 3), (3, 4)]:
        pause = loudness[words[before].end_sample : words[after].start_sample]
        assert len(pause) > 0.1 * shared_engine().sample_rate
        assert pause.max() <= 64


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("It costs $45 at 3:30 p.m. today", ["It ", "costs ", "$45 ", "at ", "3:30 ", "p.m. ", "today"]),
        ("well - yes, 1,234.56!", ["well ", "- ", "yes, ", "1,234.56!"]),
        ("  hi 😀 there  ", ["  hi ", "😀 ", "there  "]),
    ],
)
def test_a_written_word_has_one_place_even_when_it_is_spoken_as_several(text: str, texts: list[str]) -> None:
    speech = shared_engine().speak_blocking(word(text, "en").spoken, STYLE)
    words = align(text, word(text, "en"), speech)
    assert [item.text for item in words] == texts
    heard = [item for item in words if is_speakable(word(item.text, "en").spoken)]
    assert all(item.end_sample - item.start_sample > 0.03 * 22050 for item in heard)
    silent = [item for item in words if item not in heard]
    assert all(item.start_sample == item.end_sample for item in silent)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.one_of(st.sampled_from("abc 19:.,-$&😀\n"), st.characters()), max_size=40))
def test_the_words_of_any_text_join_to_the_text_and_follow_one_another(text: str) -> None:
    wording = word(text, "en")
    speech = shared_engine().speak_blocking(wording.spoken, STYLE)
    words = align(text, wording, speech)
    assert "".join(item.text for item in words) == text
    places = [place for item in words for place in (item.start_sample, item.end_sample)]
    assert places == sorted(places)
    assert all(0 <= place <= len(speech.samples) for place in places)


def test_two_threads_at_once_hear_what_one_alone_hears() -> None:
    styles = [Style("gmw/en-US"), Style("gmw/de", pitch=80, rate_words_per_minute=220)]
    text = "One two three four five six seven eight nine ten."
    alone = [seconds(text, style) for style in styles]
    together: list[list[float]] = [[], []]

    def talk(index: int) -> None:
        together[index] += [seconds(text, styles[index]) for _ in range(5)]

    threads = [threading.Thread(target=talk, args=(index,)) for index in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index in (0, 1):
        # the engine's phase differs from take to take by some milliseconds; another voice or rate by a second
        assert together[index] == pytest.approx([alone[index]] * 5, rel=0.02)
    assert abs(alone[0] - alone[1]) > 0.5


async def test_a_cancelled_clause_frees_the_engine_at_once() -> None:
    engine = shared_engine()
    text = "This clause is far too long to be spoken at one go. " * 200
    loop = asyncio.get_running_loop()
    began = loop.time()
    await engine.speak(text, STYLE, pause_after=False)
    whole = loop.time() - began
    task = asyncio.ensure_future(engine.speak(text, STYLE, pause_after=False))
    await asyncio.sleep(0)  # the task hands its clause to the owner thread
    task.cancel()
    began = loop.time()
    with pytest.raises(asyncio.CancelledError):
        await task
    await engine.speak("hi", STYLE, pause_after=False)
    assert loop.time() - began < 0.5 * whole


def test_silence_has_no_audible_sample() -> None:
    silence = np.zeros(100, np.int16)
    assert audible_length(silence) == 0
    assert quiet_lead(silence) == 100
    assert audible_length(np.array([0, -32768, 0], np.int16)) == 2
