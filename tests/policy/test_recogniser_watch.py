from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.recogniser_watch import RecogniserWatch, WatchSettings

SETTINGS = WatchSettings()


def watching(*, has_interims: bool = True) -> RecogniserWatch:
    watch = RecogniserWatch()
    watch.engine_began(0, has_interims=has_interims)
    return watch


def spoken(begin: float = 1, end: float = 2.5, **options: bool) -> RecogniserWatch:
    watch = watching(**options)
    watch.voice_began(begin, begin)
    watch.voice_ended(end, end + 0.25)
    return watch


def test_silence_is_owed_nothing() -> None:
    assert watching().deadline() is None


def test_a_final_transcript_is_due_after_the_end_of_speech() -> None:
    watch = spoken()
    assert watch.deadline() == 2.75 + SETTINGS.final_seconds
    watch.final(2.3, 2.9)
    assert watch.deadline() is None
    assert not watch.owes


def test_signs_of_life_give_time_but_not_for_ever() -> None:
    watch = spoken()
    watch.interim(3.5)
    assert watch.deadline() == 3.5 + SETTINGS.final_seconds
    watch.interim(4.4)
    assert watch.deadline() == 2.75 + SETTINGS.latest_seconds


def test_an_engine_that_is_known_to_take_its_time_gets_it() -> None:
    watch = spoken()
    watch.engine_began(4, has_interims=True, final_seconds=6)
    assert watch.deadline() == 10
    for moment in range(5, 10):
        watch.interim(moment)
    assert watch.deadline() == 4 + SETTINGS.latest_seconds + 5


def test_a_final_transcript_of_the_first_half_leaves_the_second_owed() -> None:
    watch = watching()
    watch.voice_began(1, 1)
    watch.voice_ended(2, 2.25)
    watch.voice_began(3, 3)
    watch.voice_ended(4, 4.25)
    watch.final(1.9, 4.3)
    assert watch.owed_since == 3
    assert watch.deadline() == 4.3 + SETTINGS.final_seconds


def test_a_caller_who_speaks_on_and_on_is_heard_or_not() -> None:
    watch = watching()
    watch.voice_began(1, 1)
    assert watch.deadline() == 1 + SETTINGS.mute_seconds
    watch.interim(2)
    assert watch.deadline() == 2 + SETTINGS.mute_seconds
    assert watch.is_overdue(4)


def test_an_engine_that_tells_nothing_meanwhile_is_not_expected_to() -> None:
    watch = watching(has_interims=False)
    watch.voice_began(1, 1)
    assert watch.deadline() is None
    watch.voice_ended(9, 9.25)
    assert watch.deadline() == 9.25 + SETTINGS.final_seconds


def test_a_click_is_no_word() -> None:
    assert spoken(1, 1.2).deadline() is None


def test_a_word_that_was_begun_is_owed_however_short_the_voice() -> None:
    watch = spoken(1, 1.2)
    watch.interim(1.3)
    assert watch.deadline() is not None


def test_an_engine_that_says_that_the_speech_is_over_owes_nothing_more() -> None:
    watch = spoken()
    watch.sign(2.8)
    watch.engine_ended_speech()
    assert watch.deadline() is None
    watch.engine_began(5, has_interims=True)  # but the next one gets the sound, and is asked
    assert watch.deadline() == 5 + SETTINGS.final_seconds


def test_noise_raises_what_it_takes_until_there_are_words() -> None:
    watch = spoken(1, 1.4)
    assert watch.owes
    watch.was_noise()
    assert not watch.owes
    watch.voice_began(5, 5)
    watch.voice_ended(5.4, 5.7)
    assert watch.deadline() is None
    watch.final(5.4, 6)
    watch.voice_began(7, 7)
    watch.voice_ended(7.4, 7.7)
    assert watch.deadline() is not None


def test_the_next_engine_gets_its_own_time() -> None:
    watch = spoken()
    watch.engine_began(4, has_interims=True)
    assert watch.deadline() == 4 + SETTINGS.final_seconds


steps = st.lists(
    st.tuples(
        st.sampled_from(["voice", "silence", "interim", "final", "sign", "end", "engine", "noise"]),
        st.floats(0, 3, allow_nan=False),
    ),
    max_size=40,
)


@given(steps)
def test_whatever_happens_nothing_is_owed_for_ever_after_the_last_word(events: list[tuple[str, float]]) -> None:
    watch, now = watching(), 0.0
    for kind, wait in events:
        now += wait
        match kind:
            case "voice":
                watch.voice_began(now, now)
            case "silence":
                watch.voice_ended(now, now)
            case "interim":
                watch.interim(now)
            case "final":
                watch.final(now, now)
            case "sign":
                watch.sign(now)
            case "end":
                watch.engine_ended_speech()
            case "engine":
                watch.engine_began(now, has_interims=True)
            case "noise":
                watch.was_noise()
        deadline = watch.deadline()
        longest = max(SETTINGS.mute_seconds, SETTINGS.latest_seconds)
        assert deadline is None or deadline <= now + longest
    watch.voice_ended(now, now)
    watch.final(now, now)
    assert watch.deadline() is None
    assert watch.owed_since is None
