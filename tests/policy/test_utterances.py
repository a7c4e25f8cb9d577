"""What callers say, as recognisers write it, and what the agent had asked before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.utterances import (
    Completeness,
    Expectation,
    ExpectedKind,
    expected_answer,
    function_words,
    languages,
    read_utterance,
)

PHONE = "What is your phone number?"
YES_NO = "Shall I book it?"
DAY = "What day would suit you?"
NAME = "Can I take your name, please?"


@pytest.mark.parametrize(
    ("text", "question", "completeness"),
    [
        ("thanks bye", "", "closed"),
        ("That's all. Goodbye.", "", "closed"),
        ("yes", YES_NO, "closed"),
        ("Yes, please.", YES_NO, "closed"),
        ("no thank you", YES_NO, "closed"),
        ("yes", "", "neutral"),
        ("yes", "What would you like?", "complete"),
        ("i would like to book a haircut", "", "complete"),
        ("i want to cancel", "", "complete"),
        ("I'd like to move my appointment.", "", "complete"),
        ("what time do you close", "", "complete"),
        ("do you have parking", "", "complete"),
        ("what's it for", "", "complete"),
        ("who should i talk to", "", "complete"),
        ("how long would it be", "", "complete"),
        ("what's it going to be", "", "complete"),
        ("what your opening hours are", "", "complete"),
        ("how old is", "", "unfinished"),
        ("how long does", "", "unfinished"),
        ("which documents do", "", "unfinished"),
        ("how long does it take to", "", "unfinished"),
        ("i was wondering if you", "", "unfinished"),
        ("Is that on?", "", "complete"),
        ("tuesday", DAY, "complete"),
        ("Tuesday at 3 PM.", DAY, "complete"),
        ("hello", "", "unfinished"),
        ("hello?", "", "complete"),
        ("hello, how are you", "", "complete"),
        ("yes i do", "", "neutral"),
        ("a haircut please", "", "neutral"),
        ("my number is", "", "unfinished"),
        ("My number is.", "", "unfinished"),
        ("and", "", "unfinished"),
        ("i would like to", "", "unfinished"),
        ("i would like to book", "", "unfinished"),
        ("tuesday or", DAY, "unfinished"),
        ("no i", YES_NO, "unfinished"),
        ("yes but", YES_NO, "unfinished"),
        ("can i come on", "", "unfinished"),
        ("could i speak to", "", "unfinished"),
        ("is it possible to", "", "unfinished"),
        ("can you tell me", "", "unfinished"),
        ("i want to know whether", "", "unfinished"),
        ("no i have never been there before", "", "complete"),
        ("i will be there at", "", "unfinished"),
        ("the colour is", "", "unfinished"),
        ("um", DAY, "unfinished"),
        ("tuesday uh", DAY, "unfinished"),
        ("hold on", "", "unfinished"),
        ("let me check", DAY, "unfinished"),
        ("I'd like a haircut,", "", "unfinished"),
        ("so I thought...", "", "unfinished"),
        ("", "", "neutral"),
    ],
)
def test_english(text: str, question: str, completeness: Completeness) -> None:
    assert read_utterance(text, "en", expected_answer(question)).completeness == completeness


@pytest.mark.parametrize(
    ("text", "question", "completeness"),
    [
        ("oh seven seven", PHONE, "dictating"),
        ("oh seven seven double oh", PHONE, "dictating"),
        ("020 7946 095", PHONE, "neutral"),
        ("07700 900123", PHONE, "closed"),
        ("oh seven seven double oh nine hundred one two three", PHONE, "closed"),
        ("+44 7700 900123", PHONE, "closed"),
        ("415 555 0134", PHONE, "closed"),
        ("415-555", PHONE, "dictating"),
        ("555-0134", PHONE, "neutral"),
        ("five five five oh one three four", PHONE, "neutral"),
        ("my number is", PHONE, "unfinished"),
        ("my phone number is 020 7946", "", "dictating"),
        ("my phone number is 415 555 0134", "", "closed"),
        ("three four five", "", "dictating"),
        ("a table for 4", "", "neutral"),
        ("one two three", "What are the last four digits of your card?", "dictating"),
        ("1234", "What are the last four digits of your card?", "closed"),
        ("a c four", "What is your order number?", "dictating"),
        ("4 1 5", "Please tell me your order number.", "dictating"),
        ("s", "Could you spell that for me?", "dictating"),
        ("s m i t", "Could you spell that for me?", "neutral"),
        ("the order number is four four", "", "dictating"),
        ("the order number is four four one seven", "", "neutral"),
        ("oh two oh seven", "", "dictating"),
        ("my postcode is b s one", "Can you spell the postcode?", "dictating"),
        ("b s one five t r", "Can you spell the postcode?", "neutral"),
        ("i will pay by card", "", "complete"),
        ("could you confirm it by email", "", "complete"),
        ("my email is info at green garden", "", "dictating"),
        ("send it to anna dot bell at example dot com", "", "complete"),
        ("i live at fourteen", "", "dictating"),
        ("i live at fourteen station road", "", "neutral"),
        ("with a y", "", "neutral"),
        ("smith s m i", NAME, "dictating"),
        ("j as in john o", NAME, "dictating"),
        ("john", NAME, "neutral"),
        ("john smith", NAME, "complete"),
        ("my name is", NAME, "unfinished"),
        ("john at gmail", "What is your email address?", "dictating"),
        ("john at gmail dot", "What is your email address?", "unfinished"),
        ("john at gmail dot com", "What is your email address?", "complete"),
        ("john@gmail.com", "What is your email address?", "complete"),
        ("twenty four", "What is your address?", "dictating"),
        ("twenty four willow lane", "What is your address?", "neutral"),
        ("24 Willow Lane, London N1 7AA", "What is your address?", "complete"),
    ],
)
def test_numbers_spellings_names_and_addresses(text: str, question: str, completeness: Completeness) -> None:
    assert read_utterance(text, "en", expected_answer(question)).completeness == completeness


@pytest.mark.parametrize(
    ("text", "in_groups"),
    [
        ("555-0134", True),
        ("oh seven", True),
        ("s m i t h", True),
        ("the code is seven seven", True),
        ("07700 900123", False),  # it is whole: nothing more is said
        ("john at", False),
        ("a haircut", False),
    ],
)
def test_digits_and_letters_are_said_in_groups(text: str, in_groups: bool) -> None:
    expected = Expectation("phone" if text[0] in "50o" else "anything")
    assert read_utterance(text, "en", expected).in_groups == in_groups


@pytest.mark.parametrize(
    ("question", "kind", "digits"),
    [
        ("", "anything", None),
        ("Your appointment is booked.", "anything", None),
        ("Hello, this is the studio. How can I help?", "anything", None),
        (PHONE, "phone", None),
        ("Thank you. And the best number to reach you?", "phone", None),
        ("What are the last four digits?", "number", 4),
        ("Please tell me your order number.", "number", None),
        ("Is that right?", "yes_no", None),
        ("I have Tuesday at three. Okay?", "yes_no", None),
        ("So that's a haircut, is that correct?", "yes_no", None),
        ("Would you like Tuesday or Wednesday?", "short", None),
        (DAY, "short", None),
        (NAME, "name", None),
        ("How do you spell that?", "spelling", None),
        ("What's your email address?", "email", None),
        ("What is your address?", "address", None),
        ("What is your name? I am sorry, I did not get it.", "name", None),
    ],
)
def test_what_a_question_asks_for(question: str, kind: ExpectedKind, digits: int | None) -> None:
    assert expected_answer(question) == Expectation(kind, digits)


@pytest.mark.parametrize(
    ("language", "text", "completeness"),
    [
        ("de", "ich möchte einen termin und", "unfinished"),
        ("de", "meine nummer ist null eins sieben", "dictating"),
        ("de", "ich hätte gern einen termin am dienstag", "complete"),
        ("de-AT", "auf wiederhören", "closed"),
        ("fr", "je voudrais", "unfinished"),
        ("fr", "c'est tout, au revoir", "closed"),
        ("fr", "est-ce que vous êtes ouverts le samedi", "complete"),
        ("es", "quisiera una cita para el", "unfinished"),
        ("es", "quisiera una cita para el martes", "complete"),
        ("it", "vorrei prenotare per la", "unfinished"),
        ("it", "vorrei prenotare per martedì", "complete"),
        ("pt", "eu gostaria de", "unfinished"),
        ("pt-BR", "eu queria marcar um corte", "complete"),
        ("nl", "ik wil graag een afspraak maken met", "unfinished"),
        ("nl", "ik wil graag een afspraak maken", "complete"),
        ("ja", "火曜日に", "unfinished"),
        ("ko", "화요일에 예약하고 싶은데", "unfinished"),
        ("zh", "我的号码是", "unfinished"),
        ("zh", "好的", "neutral"),
        ("xx", "Nobody knows this language.", "complete"),
        ("xx", "nobody knows this language", "neutral"),
        ("xx", "07700 900123,", "unfinished"),
    ],
)
def test_other_languages(language: str, text: str, completeness: Completeness) -> None:
    assert read_utterance(text, language).completeness == completeness


@pytest.mark.parametrize(
    ("language", "question", "kind"),
    [
        ("de", "Wie ist Ihre Telefonnummer?", "phone"),
        ("de", "Soll ich den Termin eintragen?", "yes_no"),
        ("fr", "Quel est votre nom ?", "name"),
        ("fr", "Voulez-vous mardi ou mercredi ?", "short"),
        ("es", "¿Me dice su número de teléfono?", "phone"),
        ("es", "¿Está bien el martes?", "yes_no"),
        ("it", "Qual è il suo indirizzo?", "address"),
        ("pt", "Pode soletrar, por favor?", "spelling"),
        ("nl", "Wat is uw naam?", "name"),
        ("ja", "お電話番号をお願いします。", "phone"),
        ("zh", "星期二可以吗？", "yes_no"),
        ("xx", "Anything?", "short"),
    ],
)
def test_what_a_question_asks_for_in_other_languages(language: str, question: str, kind: ExpectedKind) -> None:
    assert expected_answer(question, language).kind == kind


@pytest.mark.parametrize("language", languages())
def test_every_language_tells_an_open_end_and_a_goodbye(language: str) -> None:
    words = function_words(language)
    assert set(words.asks) - {"anything", "phone", "number", "email", "spelling", "address", "name"} <= {
        str(count) for count in range(20)
    }
    open_end = next(iter(sorted(words.unfinished)), None) or words.endings[0]
    assert read_utterance(open_end, language).completeness == "unfinished"
    assert read_utterance(sorted(words.goodbyes)[0], language).completeness == "closed"
    assert read_utterance(sorted(words.fillers)[0], language).completeness == "unfinished"
    yes = Expectation("yes_no")
    assert read_utterance(sorted(words.answers)[0], language, yes).completeness == "closed"


@pytest.mark.parametrize("language", languages())
def test_words_are_written_as_they_are_compared(language: str) -> None:
    words = function_words(language)
    for name in ("unfinished", "prepositions", "auxiliaries", "pronouns", "fillers", "goodbyes", "answers"):
        for word in getattr(words, name):
            assert word == word.lower().strip()
            assert not set(word) & set(".,?!’"), word


@given(st.text(max_size=60), st.sampled_from([*languages(), "xx", "", "../en"]), st.text(max_size=60))
def test_any_text_is_judged(text: str, language: str, question: str) -> None:
    verdict = read_utterance(text, language, expected_answer(question, language))
    assert verdict.reason


_SAID = ["oh", "seven", "double", "12", "0", "john", "a", "b", "at", "dot", "com", "street", "and", "is", "yes", "bye"]


@given(st.lists(st.sampled_from(_SAID)))
def test_a_reason_never_quotes_the_caller(tokens: list[str]) -> None:
    reason = read_utterance(" ".join(tokens), "en", Expectation("phone")).reason
    assert not any(token in reason.split() for token in ("john", "seven", "12"))
