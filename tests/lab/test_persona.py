"""The simulated caller answers what is asked and never agrees to what he did not want."""

from __future__ import annotations

from pathlib import Path

import pytest

from voiceworker.lab.persona import Persona, Scenario, normalise, question_of, read_scenarios

SCENARIOS = read_scenarios(Path(__file__).parent.parent / "scenarios" / "bookings.yaml")
STEP_BY_STEP = SCENARIOS[0]


def test_there_are_twelve_scenarios_with_names_of_their_own() -> None:
    assert len({scenario.id for scenario in SCENARIOS}) == len(SCENARIOS) == 12


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_every_scenario_opens_with_its_first_line_and_hangs_up_after_goodbye(scenario: Scenario) -> None:
    persona = Persona(scenario)
    assert persona.reply("Hello, how can I help?") == scenario.opening[0]
    assert persona.reply("Thank you for calling. Goodbye!") is None


def test_the_caller_answers_the_question_that_was_asked_last() -> None:
    persona = Persona(STEP_BY_STEP)
    persona.reply("Hello.")
    assert persona.reply("A haircut, sure. What day would suit you?") == "Next week on Tuesday."
    assert persona.reply("And what time on Tuesday the first of December?") == "At half past two."
    assert persona.reply("Sorry, what time?") == "Two thirty in the afternoon."


def test_a_right_read_back_is_agreed_to() -> None:
    persona = Persona(STEP_BY_STEP)
    persona.reply("Hello.")
    right = "That's a haircut on Tuesday the first of December at half past two, for Anna Bell. Shall I book it?"
    assert persona.reply(right) == "Yes, that's right."


@pytest.mark.parametrize(
    ("read_back", "correction"),
    [
        ("A haircut on Thursday the third of December at half past two, for Anna Bell. Is that right?", "Tuesday"),
        (
            "A haircut on Tuesday the first of December at half past three, for Anna Bell. Is that right?",
            "half past two",
        ),
        ("A haircut on Tuesday the first of December at half past two, for Hannah Hall. Is that right?", "Anna Bell"),
        ("A blow dry on Tuesday the first of December at half past two, for Anna Bell. Is that right?", "haircut"),
    ],
)
def test_a_wrong_read_back_is_corrected(read_back: str, correction: str) -> None:
    persona = Persona(STEP_BY_STEP)
    persona.reply("Hello.")
    line = persona.reply(read_back)
    assert line is not None
    assert line.startswith("No")
    assert correction in line


def test_a_change_of_mind_comes_once_and_then_the_new_wish_holds() -> None:
    scenario = next(scenario for scenario in SCENARIOS if scenario.id == "another-day-at-the-read-back")
    persona = Persona(scenario)
    persona.reply("Hello.")
    first = (
        "That's a blow dry on Wednesday the twenty fifth of November at ten o'clock, for Susan Walker. Shall I book it?"
    )
    assert persona.reply(first) == "Oh wait, can we make it Thursday instead?"
    assert persona.reply(first) == "No, on Thursday."


def test_a_caller_who_is_not_understood_gives_up_in_the_end() -> None:
    persona = Persona(STEP_BY_STEP)
    persona.reply("Hello.")
    said = [persona.reply("Bananas are yellow.") for _ in range(7)]
    assert said[0] == "Sorry, can you say that again please?"
    assert said[1] == "Pardon?"
    assert said[-1] is None


def test_a_wish_that_was_not_understood_is_said_again() -> None:
    persona = Persona(STEP_BY_STEP)
    persona.reply("Hello.")
    assert persona.reply("I'm afraid I can't help with that. I can book an appointment.") == STEP_BY_STEP.opening[-1]


def test_a_caller_says_goodbye_once_his_wish_is_granted_and_repeats_it_until_then() -> None:
    persona = Persona(STEP_BY_STEP)
    persona.reply("Hello.")
    assert persona.reply("We open at nine. Is there anything else?") == STEP_BY_STEP.opening[-1]
    assert persona.reply("You're booked for Tuesday. Is there anything else?") == STEP_BY_STEP.thanks


def test_a_name_is_spelled_when_that_is_asked_for() -> None:
    persona = Persona(STEP_BY_STEP)
    persona.reply("Hello.")
    assert persona.reply("Could you spell the last name for me?") == "B, E, L, L."


def test_lines_lists_everything_that_must_be_rendered_as_speech_once() -> None:
    lines = STEP_BY_STEP.lines()
    assert lines[0] == STEP_BY_STEP.opening[0]
    assert len(lines) == len(set(lines))
    assert "No, that's everything, thank you. Goodbye." in lines


def test_questions_are_found_and_words_are_compared_without_punctuation() -> None:
    assert question_of("We're closed. Which day?  Thanks.") == "which day"
    assert normalise("It\u2019s 2 O'Clock!") == "it's 2 o'clock"
