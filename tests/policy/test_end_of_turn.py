"""Rows of (time, what happened) and the commands that must come; then properties over any order of events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.end_of_turn import (
    AskModel,
    Command,
    Commit,
    Completeness,
    EndOfTurn,
    EndOfTurnSettings,
    Patience,
    Words,
    likelihood,
)

SETTINGS = EndOfTurnSettings(
    closed=Patience(0.2, 0.3),
    complete=Patience(0.2, 0.7),
    neutral=Patience(0.3, 0.9),
    grouped=Patience(0.4, 0.9),
    dictating=Patience(0.8, 1.6),
    unfinished=Patience(1.0, 2.0),
    sure_likelihood=0.9,
    complete_odds=1.0,
    ask_after_seconds=(0.2, 0.4),
    rhythm_seconds=0.15,
    handover_seconds=0.0,
    words_seconds=1.5,
    sound_seconds=1.0,
    hold_seconds=0.12,
    longest_hold_seconds=0.3,
)
LONGEST_SECONDS = 2.0
Event = Callable[[EndOfTurn, float], None]
Step = tuple[float, Event]


def hush(turn: EndOfTurn, now: float) -> None:
    turn.silence_started(now, began_at=now - 0.2)


def sound(turn: EndOfTurn, now: float) -> None:
    turn.speech_resumed(now)


def noise(turn: EndOfTurn, now: float) -> None:
    turn.sound_suspected(now)


def taken(turn: EndOfTurn, now: float) -> None:
    turn.turn_over(now)


def final(completeness: Completeness, *, in_groups: bool = False) -> Event:
    words = Words(completeness, completeness, final=True, in_groups=in_groups)
    return lambda turn, now: turn.words_heard(now, words)


def interim(completeness: Completeness, *, any_final: bool = False) -> Event:
    words = Words(completeness, completeness, final=False, any_final=any_final)
    return lambda turn, now: turn.words_heard(now, words)


digits = final("dictating", in_groups=True)
groups = final("neutral", in_groups=True)


def score(likelihood: float) -> Event:
    return lambda turn, now: turn.scored(now, likelihood)


def play(steps: list[Step], until: float = 9, settings: EndOfTurnSettings = SETTINGS) -> list[tuple[float, Command]]:
    """What a driver does: tells each step at its time, asks `due` at each deadline; the commands with their times."""
    turn, told, now = EndOfTurn(settings), [], 0.0
    for at, step in [*steps, (until, lambda _turn, _now: None)]:
        while (deadline := turn.deadline()) is not None and deadline <= at:
            assert deadline >= now, "a deadline in the past"
            now = deadline
            told += [(round(now, 3), command) for command in turn.due(now)]
        now = at
        step(turn, now)
        told += [(round(now, 3), command) for command in turn.due(now)]
    return told


def commits(steps: list[Step], settings: EndOfTurnSettings = SETTINGS) -> list[float]:
    until = steps[-1][0] + 9 if steps else 9
    return [at for at, command in play(steps, until, settings) if isinstance(command, Commit)]


def test_a_goodbye_is_answered_as_people_do() -> None:
    # the caller is silent from 1.0 on; the voice detector says so at 1.2
    assert commits([(0, sound), (1.2, hush), (1.2, final("closed"))]) == [1.3]


def test_a_whole_sentence_is_taken_at_once_when_the_model_is_sure() -> None:
    steps: list[Step] = [(0, sound), (1.2, hush), (1.2, final("complete")), (1.25, score(0.9))]
    assert commits(steps) == [1.25]


def test_a_whole_sentence_never_waits_out_the_maximum_when_the_model_is_wrong() -> None:
    steps: list[Step] = [(0, sound), (1.2, hush), (1.2, final("complete")), (1.25, score(0.0)), (1.45, score(0.0))]
    assert commits(steps) == [1.7]


def test_the_wait_falls_with_the_likelihood() -> None:
    def waited(likelihood: float) -> float:
        return commits([(0, sound), (1.2, hush), (1.2, final("neutral")), (1.25, score(likelihood))])[0] - 1

    assert [round(waited(likelihood), 3) for likelihood in (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)] == [
        0.9,
        0.9,
        0.75,
        0.6,
        0.45,
        0.3,
    ]


def test_a_whole_sentence_needs_less_of_the_models_word() -> None:
    steps: list[Step] = [(0, sound), (1.2, hush), (1.2, final("complete")), (1.25, score(0.6))]
    waits = [commits(steps, replace(SETTINGS, complete_odds=odds))[0] - 1 for odds in (1.0, 2.0, 3.0)]
    assert [round(wait, 3) for wait in waits] == [0.575, 0.388, 0.302]


def test_the_model_is_asked_again_while_the_silence_grows() -> None:
    steps: list[Step] = [(0, sound), (1.2, hush), (1.2, final("neutral")), (1.25, score(0.0)), (1.45, score(0.8))]
    commit = (1.45, Commit(1.45 - 1.0, "neutral", 0.8))
    assert play(steps) == [(1.2, AskModel()), (1.4, AskModel()), commit]


def test_the_model_is_not_asked_again_before_it_has_answered() -> None:
    assert play([(0, sound), (1.2, hush)], until=3) == [(1.2, AskModel())]


def test_the_words_outweigh_a_model_that_hears_an_end_in_my_number_is() -> None:
    steps: list[Step] = [(0, sound), (1.2, hush), (1.2, final("unfinished")), (1.25, score(1.0))]
    assert commits(steps) == [2.0]


def test_an_unfinished_sentence_is_taken_at_last() -> None:
    assert commits([(0, sound), (1.2, hush), (1.2, final("unfinished"))]) == [3.0]


def test_digits_are_given_time_for_their_next_group() -> None:
    steps: list[Step] = [
        (0, sound),
        (1.2, hush),
        (1.2, final("dictating")),
        (1.25, score(0.4)),
        (2.1, sound),
        (3.0, hush),
        (3.05, final("closed")),
    ]
    assert commits(steps) == [3.1]


def test_the_last_of_several_groups_is_waited_out_as_long_as_the_pause_before_it() -> None:
    def waited(pause: float) -> float:
        steps: list[Step] = [(0, sound), (1.2, hush), (1.2, digits), (1 + pause, sound), (3.2, hush)]
        return commits([*steps, (3.2, groups)])[0] - 3

    assert [round(waited(pause), 3) for pause in (0.3, 0.5, 1.0, 1.5)] == [0.45, 0.65, 1.15, 1.6]


def test_a_pause_before_the_dictation_says_nothing_of_its_rhythm() -> None:
    steps: list[Step] = [(0, sound), (1.2, hush), (1.2, final("neutral")), (1.5, sound), (3.2, hush)]
    assert commits([*steps, (3.2, groups)]) == [3.9]


def test_a_pause_of_an_earlier_turn_says_nothing_of_this_one() -> None:
    steps: list[Step] = [(0, sound), (1.2, hush), (1.2, digits), (1.4, sound), (1.5, taken), (3.2, hush)]
    assert commits([*steps, (3.2, groups)]) == [3.9]


def test_a_likelihood_of_a_half_is_the_models_own_threshold() -> None:
    assert likelihood(0.36, 0.36, 0.2) == 0.5
    assert likelihood(0.2, 0.2, 0.256) == 0.5
    assert likelihood(0.2, 0.36, 0.2) < 0.5 < likelihood(0.5, 0.36, 0.2)
    assert (likelihood(0.0, 0.36, 1), likelihood(1.0, 0.36, 1)) == (0.0, 1.0)


def test_a_later_verdict_has_to_be_stronger() -> None:
    assert likelihood(0.6, 0.36, 0.2) > likelihood(0.6, 0.36, 0.4) > likelihood(0.6, 0.36, 0.6)


def test_without_a_final_transcript_there_is_no_turn() -> None:
    steps: list[Step] = [(0, sound), (0.8, interim("complete")), (1.2, hush), (1.25, score(1.0))]
    assert commits(steps) == []


def test_nothing_is_added_after_a_late_final_transcript() -> None:
    steps: list[Step] = [(0, sound), (1.2, hush), (1.25, score(0.9)), (2.6, final("complete"))]
    assert commits(steps) == [2.6]


def test_a_final_transcript_gets_the_time_to_reach_the_framework() -> None:
    steps: list[Step] = [(0, sound), (1.2, hush), (2.6, final("complete"))]
    assert commits(steps, replace(SETTINGS, handover_seconds=0.01)) == [2.61]


def test_words_that_stay_interim_do_not_hold_what_is_final_for_ever() -> None:
    steps: list[Step] = [
        (0, sound),
        (0.7, final("neutral")),
        (1.1, interim("neutral", any_final=True)),
        (1.2, hush),
    ]
    assert commits(steps) == [2.6]


def test_words_of_the_last_sound_are_waited_for() -> None:
    steps: list[Step] = [(0, sound), (1.2, hush), (1.2, final("complete")), (1.4, sound), (1.9, hush)]
    assert commits(steps) == [2.7]
    assert commits([*steps, (2.0, final("closed"))]) == [2.0]


def test_a_final_that_is_late_says_nothing_of_the_words_after_it() -> None:
    late: list[Step] = [(0, sound), (1.2, hush), (1.5, sound), (1.6, final("complete")), (2.2, hush)]
    assert commits(late) == [3.0]
    streaming: list[Step] = [(0, sound), (1.2, hush), (1.5, sound), (1.8, final("complete")), (2.2, hush)]
    assert commits(streaming) == [2.7]


def test_the_first_words_of_a_turn_may_come_at_once() -> None:
    assert commits([(0, sound), (0.1, final("closed")), (0.5, hush)]) == [0.6]


def test_a_recogniser_of_whole_utterances_is_waited_for() -> None:
    steps: list[Step] = [(0, sound), (1.2, hush), (1.5, sound), (1.9, final("complete")), (3.2, hush)]
    assert commits(steps, SETTINGS.without_interims()) == [5.5]
    assert commits([*steps, (4.1, final("complete"))], SETTINGS.without_interims()) == [4.1]


def test_a_click_has_no_words_to_wait_for() -> None:
    steps: list[Step] = [(0, sound), (1.2, hush), (1.2, final("complete")), (1.4, sound), (1.65, hush)]
    assert commits(steps) == [2.15]


def test_a_caller_who_goes_on_takes_the_verdict_with_him() -> None:
    steps: list[Step] = [(0, sound), (1.2, hush), (1.2, final("complete")), (1.22, sound), (1.25, score(1.0))]
    assert commits(steps) == []


def test_a_turn_is_taken_once() -> None:
    steps: list[Step] = [
        (0, sound),
        (1.2, hush),
        (1.2, final("closed")),
        (1.35, taken),
        (3, sound),
        (4.2, hush),
    ]
    assert commits(steps) == [1.3]


def test_a_caller_who_has_just_gone_on_is_not_talked_over() -> None:
    steps: list[Step] = [(0, sound), (1.2, hush), (1.2, final("complete")), (1.65, noise), (1.75, sound)]
    assert commits(steps) == []


def test_a_noise_that_turns_out_to_be_none_costs_little() -> None:
    quiet: list[Step] = [(0, sound), (1.2, hush), (1.2, final("complete"))]
    assert commits([*quiet, (1.65, noise)]) == [1.77]
    assert commits([*quiet, *((1.6 + n / 50, noise) for n in range(100))]) == [1.9]
    assert commits([*quiet, (1.3, noise)]) == [1.7]


# --- properties ---

_completenesses: st.SearchStrategy[Completeness] = st.sampled_from(
    ["closed", "complete", "neutral", "dictating", "unfinished"]
)
_events = st.one_of(
    st.just(hush),
    st.just(sound),
    st.just(taken),
    st.just(noise),
    st.builds(lambda completeness, in_groups: final(completeness, in_groups=in_groups), _completenesses, st.booleans()),
    st.builds(
        lambda completeness, any_final: interim(completeness, any_final=any_final), _completenesses, st.booleans()
    ),
    st.builds(score, st.floats(0, 1)),
)
_histories = st.lists(st.tuples(st.floats(0.001, 1.5), _events), max_size=25).map(
    lambda rows: [(sum(gap for gap, _ in rows[: n + 1]), event) for n, (_, event) in enumerate(rows)]
)


@given(_histories)
def test_a_turn_is_never_taken_while_somebody_speaks(history: list[Step]) -> None:
    speaking: list[tuple[float, bool]] = [(0.0, True)]
    for at, event in history:
        if event in (hush, sound, taken):
            speaking.append((round(at, 3), event is not hush))
    for at, command in play(history, until=100):
        if isinstance(command, Commit):
            assert not [state for since, state in speaking if since <= at][-1] or any(
                since == at for since, _ in speaking
            )


@given(_histories, _completenesses)
def test_a_turn_is_always_taken_by_the_longest_wait(history: list[Step], completeness: Completeness) -> None:
    start = history[-1][0] if history else 0.0
    steps = [*history, (start + 0.1, sound), (start + 1.1, final(completeness)), (start + 1.3, hush)]
    last = commits(steps)[-1]
    assert start + 1.1 < last <= start + 1.1 + LONGEST_SECONDS + 0.001


@given(_histories)
def test_the_policy_comes_to_rest(history: list[Step]) -> None:
    told = play(history, until=1000)  # `play` itself asserts that no deadline lies in the past
    end = history[-1][0] if history else 0.0
    assert all(at <= end + LONGEST_SECONDS + 2 for at, _ in told)


@given(_histories, st.floats(0.5, 1.0))
def test_who_is_more_eager_is_never_later(history: list[Step], pace: float) -> None:
    # a Commit ends a silence for one and not for the other: compared is the first of each history
    patient, eager = commits(history), commits(history, SETTINGS.paced(pace))
    assert len(patient) <= len(eager)
    assert not patient or eager[0] <= patient[0]
