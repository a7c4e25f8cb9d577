"""Rows of (time, what happened) and the commands that must come; then properties over any order of events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.speculation import (
    Command,
    Completeness,
    Price,
    Speculate,
    Speculation,
    SpeculationSettings,
    SynthesizeAhead,
    normalized,
    says_the_same,
)

SETTINGS = SpeculationSettings(
    stability_seconds=0.15,
    speaking_stability_seconds=0.35,
    silence_seconds=0.1,
    allowance_requests=1.0,
    wasted_tokens_share=0.15,
    wasted_characters_share=0.05,
    recognition_seconds=0.1,
    shortest_word_seconds=0.1,
    silence_for_doubt_seconds=2.0,
    attempts_per_turn=3,
)
Act = Callable[[Speculation, float], None]
Step = tuple[float, Act]


def interim(text: str, completeness: Completeness = Completeness.COMPLETE) -> Act:
    return lambda policy, now: policy.interim(text, completeness, now)


def final(text: str, completeness: Completeness = Completeness.COMPLETE) -> Act:
    return lambda policy, now: policy.final(text, completeness, now)


def discarded(attempt: int, tokens: int = 100, characters: int = 0) -> Act:
    return lambda policy, now: policy.discarded(attempt, tokens, characters)


def reused(attempt: int) -> Act:
    return lambda policy, now: policy.reused(attempt)


def used(tokens: int, characters: int = 100) -> Act:
    return lambda policy, now: policy.used(tokens, characters)


voice: Act = lambda policy, now: policy.voice(now, speaking=True)  # noqa: E731
hush: Act = lambda policy, now: policy.voice(now, speaking=False)  # noqa: E731
committed: Act = lambda policy, now: policy.turn_ended()  # noqa: E731


def another_turn(policy: Speculation, now: float) -> None:
    """The turn is over, the next one begins, and its voice has paused at once."""
    policy.turn_ended()
    voice(policy, now)
    hush(policy, now)


def play(steps: list[Step], until: float, settings: SpeculationSettings = SETTINGS) -> list[tuple[float, Command]]:
    """What a driver does: tells each step at its time, asks `due` at each deadline; the commands with their times."""
    policy, told = Speculation(settings), list[tuple[float, Command]]()
    for at, step in [*steps, (until, lambda _policy, _now: None)]:
        while (deadline := policy.deadline()) is not None and deadline <= at:
            told += [(round(deadline, 3), command) for command in policy.due(deadline)]
        step(policy, at)
        told += [(at, command) for command in policy.due(at)]
    return told


def test_a_text_that_came_after_the_voice_had_stopped_is_taken_at_once() -> None:
    steps: list[Step] = [(0, voice), (1, interim("are you")), (1.2, hush), (1.32, interim("are you open"))]
    assert play(steps, until=3) == [(1.32, Speculate(1, "are you open")), (1.32, SynthesizeAhead(1))]


def test_a_text_from_before_the_voice_stopped_has_to_be_stable() -> None:
    steps: list[Step] = [(0, voice), (1.0, interim("are you open")), (1.05, hush)]
    assert play(steps, until=3) == [(1.15, Speculate(1, "are you open")), (1.15, SynthesizeAhead(1))]


def test_a_doubtful_text_is_spoken_only_after_a_longer_silence() -> None:
    steps: list[Step] = [(0, voice), (1.0, interim("are you open", Completeness.NEUTRAL)), (1.05, hush)]
    assert play(steps, until=3) == [(1.15, Speculate(1, "are you open")), (1.35, SynthesizeAhead(1))]


def test_its_final_lets_it_be_spoken_at_once() -> None:
    doubtful = Completeness.NEUTRAL
    steps: list[Step] = [(0, voice), (1.0, interim("open", doubtful)), (1.05, hush), (1.2, final("Open.", doubtful))]
    assert play(steps, until=3) == [(1.15, Speculate(1, "open")), (1.2, SynthesizeAhead(1))]


def test_an_unfinished_text_waits_for_a_long_silence() -> None:
    steps: list[Step] = [(0, voice), (1.0, interim("a table for", Completeness.UNFINISHED)), (1.05, hush)]
    assert play(steps, until=3)[0] == (2.15, Speculate(1, "a table for"))


def test_words_that_may_be_missing_are_waited_for() -> None:
    steps: list[Step] = [(0, voice), (1.0, interim("a table")), (1.3, hush), (1.45, interim("a table for two"))]
    assert play(steps, until=3)[0] == (1.45, Speculate(1, "a table for two"))


def test_a_final_in_the_midst_of_speech_says_little() -> None:
    assert play([(0, voice), (1.0, final("are you", Completeness.NEUTRAL))], until=3) == []
    assert play([(1.0, final("are you", Completeness.NEUTRAL))], until=3)[0] == (1.0, Speculate(1, "are you"))


def test_while_the_caller_speaks_no_interim_will_do() -> None:
    assert play([(0, voice), (1.0, interim("are you open"))], until=9) == []


def test_where_nobody_tells_of_the_voice_a_long_unchanged_sentence_will_do() -> None:
    assert play([(1.0, interim("are you open"))], until=3) == [(1.35, Speculate(1, "are you open"))]
    assert play([(1.0, interim("are you", Completeness.NEUTRAL))], until=3) == []


def test_the_same_words_written_otherwise_are_no_news() -> None:
    steps: list[Step] = [
        (0, hush),
        (1, interim("are you open")),
        (1.1, interim("Are you open?")),
        (1.5, final("Are you open.")),
    ]
    assert [command for _, command in play(steps, until=3)] == [Speculate(1, "are you open"), SynthesizeAhead(1)]


def test_other_words_make_another_attempt_once_the_first_is_told_off() -> None:
    steps: list[Step] = [
        (0, used(10_000)),
        (0, hush),
        (1, interim("at seven")),
        (1.5, final("at eleven")),
    ]
    assert [at for at, command in play(steps, until=3) if isinstance(command, Speculate)] == [1, 1.5]


def test_a_turn_has_only_so_many_attempts() -> None:
    steps: list[Step] = [(0, used(100_000)), (0, hush)]
    for number in range(1, 9):
        steps += [(number, interim(f"words {number}")), (number + 0.5, discarded(number, 1))]
    settings = replace(SETTINGS, attempts_per_turn=2)
    assert [command.attempt for _, command in play(steps, 20, settings) if isinstance(command, Speculate)] == [1, 2]
    steps += [(20, another_turn), (21, interim("another turn"))]
    assert [command.attempt for _, command in play(steps, 30, settings) if isinstance(command, Speculate)] == [1, 2, 3]


def test_words_that_come_before_their_voice_is_heard_have_not_ended_in_the_silence_before_it() -> None:
    steps: list[Step] = [(0, hush), (1, final("are you open")), (2, reused(1)), (2, committed)]
    steps += [(5, interim("can")), (5.3, voice), (5.4, interim("can you wait")), (6, hush)]
    attempts = [(at, command) for at, command in play(steps, until=9) if isinstance(command, Speculate)]
    assert attempts == [(1, Speculate(1, "are you open")), (6.35, Speculate(2, "can you wait"))]


def test_after_a_waste_the_budget_has_to_be_earned() -> None:
    steps: list[Step] = [(0, hush), (1, interim("one")), (2, discarded(1, 150)), (2, another_turn)]
    steps += [(3, interim("two")), (4, another_turn), (4, used(1000)), (5, interim("three"))]
    attempts = [command for _, command in play(steps, until=6) if isinstance(command, Speculate)]
    assert attempts == [Speculate(1, "one"), Speculate(2, "three")]


def test_mistakes_ask_for_more_silence_and_hits_for_less() -> None:
    doubtful: list[Step] = [(3, voice), (4, interim("two", Completeness.NEUTRAL)), (4, hush)]
    mistakes: list[Step] = [(0, used(100_000)), (0, hush), (1, interim("one")), (2, discarded(1)), (2, another_turn)]
    assert play(doubtful, until=9)[0] == (4.15, Speculate(1, "two"))
    mistaken: list[Step] = [*mistakes, (2, interim("one more")), (2.5, discarded(2)), (2.5, another_turn)]
    assert play(mistaken + doubtful, until=9)[-2] == (4.3, Speculate(3, "two"))
    hits: list[Step] = []
    for number in range(3, 7):
        at = 2.4 + 0.1 * number
        hits += [(at, final(f"hit {number}")), (at, reused(number)), (at, another_turn)]
    assert play(mistaken + hits + doubtful, until=9)[-2] == (4.15, Speculate(7, "two"))


def test_a_bar_that_is_never_reached_comes_down() -> None:
    steps: list[Step] = [(0, used(100_000)), (0, hush), (1, interim("one")), (2, discarded(1)), (2, committed)]
    steps += [(3, voice), (4, final("two")), (5, committed), (6, final("three")), (7, committed), (8, final("four"))]
    steps += [(9, committed), (9, final("five"))]
    assert play(steps, until=10)[-1] == (9, Speculate(2, "five"))


@pytest.mark.parametrize("forbidden", [{"llm_price": Price.FORBIDDEN}, {"largest_prompt_tokens": 100}])
def test_a_price_can_forbid_it(forbidden: dict[str, Price | int]) -> None:
    settings = SpeculationSettings(**forbidden)  # type: ignore[arg-type]
    steps: list[Step] = [(0, hush), (0, lambda policy, _: policy.asked(101)), (1, final("are you open"))]
    assert play(steps, until=3, settings=settings) == []


def test_the_voice_can_be_forbidden_alone() -> None:
    settings = replace(SETTINGS, tts_price=Price.FORBIDDEN)
    assert play([(0, hush), (1, final("are you open"))], 3, settings) == [(1, Speculate(1, "are you open"))]


def test_what_is_free_knows_no_budget() -> None:
    settings = replace(SETTINGS, llm_price=Price.FREE, tts_price=Price.FREE)
    steps: list[Step] = [(0, hush)]
    for number in range(1, 30):
        steps += [
            (number, interim(f"words {number}")),
            (number + 0.5, discarded(number, 1000, 500)),
            (number + 0.5, committed),
        ]
    assert len(play(steps, 40, settings)) == 2 * 29


# --- the same words ---


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("are you open", "Are you open?"),
        ("yes please", "Yes, please."),
        ("it’s me", "It's me"),
        ("at 9:30", "At 9:30."),
        ("for two — at seven", "For two, at seven"),
        ("我们 好", "我们 好。"),
        ("¿está abierto?", "Está abierto"),
        ("the 3", "The 3."),
        ("cafe\u0301", "café"),
    ],
)
def test_case_and_marks_around_words_say_nothing(one: str, other: str) -> None:
    assert says_the_same(one, other)
    assert says_the_same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("at seven", "at eleven"),
        ("3.5", "35"),
        ("1:30", "130"),
        ("-5", "5"),
        ("$5", "5"),
        ("5%", "5"),
        ("1,000", "1.000"),
        ("can", "can't"),
        ("its", "it's"),
        ("were", "we're"),
        ("recover", "re-cover"),
        ("Maße", "Masse"),
        ("ano", "año"),
        ("²", "2"),
        ("am 3. Mai", "am 3 Mai"),
        ("You are open.", "You are open?"),
        ("", ""),
        ("...", "."),
    ],
)
def test_what_may_change_the_meaning_is_no_same(one: str, other: str) -> None:
    assert not says_the_same(one, other)
    assert not says_the_same(other, one)


TEXTS = st.lists(
    st.sampled_from(["yes", "No", "3.5", "35", "?", ".", ",", " ", "-", "it's", "...", "two"]), max_size=6
).map("".join)


@given(TEXTS, TEXTS)
def test_settling_changes_the_spelling_alone(heard: str, settled: str) -> None:
    policy = Speculation(SETTINGS)
    policy.voice(0, speaking=False)
    policy.interim(heard, Completeness.COMPLETE, 1)
    policy.due(2)
    result = policy.settle(settled)
    assert result in (heard, settled)
    assert normalized(result) == normalized(settled)


# --- whatever happens ---

WORDS = st.sampled_from(["yes", "no", "a table", "a table for two", "Yes.", "at seven", "at eleven", "and"])
COMPLETENESS = st.sampled_from(Completeness)
WAITS = st.sampled_from([0.0, 0.03, 0.1, 0.15, 0.2, 0.35, 0.9])
HAPPENINGS = st.lists(
    st.tuples(
        WAITS,
        st.one_of(
            st.tuples(st.just("interim"), WORDS, COMPLETENESS),
            st.tuples(st.just("final"), WORDS, COMPLETENESS),
            st.tuples(st.sampled_from(["voice", "hush", "committed", "discarded", "reused", "used"])),
        ),
    ),
    max_size=80,
)
REQUEST = 100
"tokens of one attempt, at most"
CLAUSE = 80
"characters of one attempt, at most"


class Driver:
    """Tells a policy what happens and does what it says, as the worst of all calls: every attempt costs the most."""

    def __init__(self, settings: SpeculationSettings = SETTINGS) -> None:
        self.policy = Speculation(settings)
        self.policy.asked(REQUEST)
        self.now = 0.0
        self.speaking: bool | None = None
        self.silent_since = self.changed = self.heard = 0.0
        self.text = ""
        self.final = False
        self.running: dict[int, int] = {}
        self.useful = self.wasted = self.useful_characters = self.wasted_characters = 0
        self.most_wasted = self.most_wasted_characters = 0.0
        self.attempts_of_turn = 0

    def happen(self, what: tuple[object, ...]) -> None:
        match what:
            case ("interim" | "final" as kind, str(text), Completeness() as completeness):
                same = not self.final and says_the_same(self.text, text)
                self.changed = self.changed if same else self.now
                self.heard, self.text, self.final = self.now, text, kind == "final"
                tell = self.policy.final if self.final else self.policy.interim
                tell(text, completeness, self.now)
            case ("voice" | "hush" as kind,):
                if self.speaking is not (kind == "voice"):
                    self.speaking, self.silent_since = kind == "voice", self.now
                self.policy.voice(self.now, speaking=kind == "voice")
            case ("committed",):
                self.policy.turn_ended()
                self.text, self.attempts_of_turn = "", 0
            case ("discarded",) if self.running:
                number = min(self.running)
                characters = self.running.pop(number)
                self.wasted += REQUEST
                self.wasted_characters += characters
                self.policy.discarded(number, REQUEST, characters)
            case ("reused",) if self.running:
                number = max(self.running)
                characters = self.running.pop(number)
                self.policy.reused(number)
                self.use(characters)
            case ("used",):
                self.use(200)

    def use(self, characters: int) -> None:
        self.useful += REQUEST
        self.useful_characters += characters
        self.policy.used(REQUEST, characters)

    def do(self) -> None:
        for command in self.policy.due(self.now):
            match command:
                case Speculate(number, text):
                    assert says_the_same(text, self.text)
                    self.running[number] = 0
                    self.attempts_of_turn += 1
                    self.check_that_no_words_are_coming()
                case SynthesizeAhead(number):
                    assert self.speaking is not True
                    self.running[number] = CLAUSE

    def check_that_no_words_are_coming(self) -> None:
        after_the_voice = self.speaking is False and self.heard >= self.silent_since + SETTINGS.recognition_seconds
        quiet = self.speaking is False and self.now >= self.silent_since + SETTINGS.silence_seconds
        stability = SETTINGS.stability_seconds if quiet else SETTINGS.speaking_stability_seconds
        assert self.final or after_the_voice or self.now >= self.changed + stability

    def wait(self, seconds: float) -> None:
        """Asks at every deadline, none of which lies in the past."""
        until = self.now + seconds
        for _ in range(20):
            deadline = self.policy.deadline()
            if deadline is None or deadline > until:
                break
            assert deadline > self.now or seconds == 0
            self.now = deadline
            self.do()
        else:
            raise AssertionError("the policy asks for ever")
        self.now = until


@given(HAPPENINGS)
def test_whatever_happens_the_budget_is_kept_and_no_words_are_coming(
    happenings: list[tuple[float, tuple[object, ...]]],
) -> None:
    driver = Driver()
    for seconds, what in happenings:
        driver.wait(seconds)
        driver.happen(what)
        driver.do()
        assert driver.policy.deadline() is None or driver.policy.deadline() > driver.now  # type: ignore[operator]
        assert driver.attempts_of_turn <= SETTINGS.attempts_per_turn
        lost = driver.wasted + REQUEST * len(driver.running)
        assert lost <= SETTINGS.wasted_tokens_share * driver.useful + 2 * REQUEST
        lost = driver.wasted_characters + sum(driver.running.values())
        assert lost <= SETTINGS.wasted_characters_share * driver.useful_characters + 2 * CLAUSE


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=30, max_size=60))
def test_by_its_own_settings_a_call_of_thirty_turns_keeps_the_promised_budget(turns: list[tuple[bool, bool]]) -> None:
    driver = Driver(SpeculationSettings())
    driver.happen(("hush",))
    for place, (hit, final_at_once) in enumerate(turns):
        driver.wait(1.0)
        driver.happen(("final" if final_at_once else "interim", f"words {place}", Completeness.COMPLETE))
        driver.do()
        prepared = bool(driver.running)
        driver.happen(("reused" if hit else "discarded",))
        if not hit or not prepared:
            driver.use(CLAUSE)
        for what in ("committed", "voice", "hush"):
            driver.happen((what,))
    assert driver.wasted <= 0.15 * driver.useful + REQUEST
    assert driver.wasted_characters <= 0.05 * driver.useful_characters + CLAUSE


@given(st.lists(st.booleans(), min_size=200, max_size=200))
def test_in_a_long_call_the_waste_stays_within_its_shares_of_what_was_used(hits: list[bool]) -> None:
    driver = Driver()
    driver.happen(("hush",))
    for place, hit in enumerate(hits):
        driver.wait(1.0)
        driver.happen(("final", f"words {place}", Completeness.COMPLETE))
        driver.do()
        driver.happen(("reused" if hit else "discarded",))
        if not hit:
            driver.use(CLAUSE)
        driver.happen(("committed",))
    assert driver.wasted <= 0.15 * driver.useful + REQUEST
    assert driver.wasted_characters <= 0.05 * driver.useful_characters + CLAUSE


def test_where_words_are_recognised_well_nearly_every_turn_is_prepared() -> None:
    driver, prepared = Driver(), 0
    driver.happen(("hush",))
    for place in range(100):
        driver.wait(1.0)
        driver.happen(("final", f"words {place}", Completeness.COMPLETE))
        driver.do()
        prepared += bool(driver.running)
        driver.happen(("discarded" if place % 10 == 9 else "reused",))
        driver.use(200)
        driver.happen(("committed",))
    assert prepared > 95
