"""Does a text look as if its speaker had finished, and what answer does a question of the agent ask for? Pure.

Judged by the surface alone: the last words, runs of digits and letters, punctuation where the recogniser gives any
("Tuesday at 3 PM.", "555-0134" as well as "tuesday at three p m"). The words are data, one file for each language in
function_words/; a language without a file is judged by its punctuation and digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

Completeness = Literal["closed", "complete", "neutral", "dictating", "unfinished"]
"""closed: nothing is to be expected any more (goodbye, yes to a yes/no question, a whole phone number).
complete: a whole sentence or answer. neutral: it could end here. dictating: a number, a spelling or an address is being
said, and more of it must follow. unfinished: nobody stops there."""

ExpectedKind = Literal["anything", "yes_no", "short", "phone", "number", "email", "spelling", "address", "name"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What kind of answer the agent's last question asks for."""

    kind: ExpectedKind = "anything"
    digits: int | None = None
    "of a number: how many it has, None when that is not known"


ANYTHING = Expectation()


@dataclass(frozen=True, slots=True)
class Utterance:
    completeness: Completeness
    reason: str
    "for a log, without any of the words that were said"
    in_groups: bool = False
    "it ends with digits or letters, as they are said group by group"


@dataclass(frozen=True, slots=True)
class FunctionWords:
    """One language's file; all sets hold lower-case words or phrases."""

    unfinished: frozenset[str] = frozenset()
    "no sentence ends with them"
    endings: tuple[str, ...] = ()
    "the same for languages written without spaces: no sentence ends with these characters"
    prepositions: frozenset[str] = frozenset()
    "only a question ends with them"
    auxiliaries: frozenset[str] = frozenset()
    "only a question or a short answer with a pronoun ends with them"
    linking: frozenset[str] = frozenset()
    "those of them with which an indirect question ends: what your opening hours are"
    pronouns: frozenset[str] = frozenset()
    fillers: frozenset[str] = frozenset()
    holding: frozenset[str] = frozenset()
    "the speaker asks for time"
    greetings: frozenset[str] = frozenset()
    goodbyes: frozenset[str] = frozenset()
    answers: frozenset[str] = frozenset()
    "yes, no, and what else is a whole answer"
    questions: frozenset[str] = frozenset()
    "words that open a question"
    stranding: frozenset[str] = frozenset()
    "those of them whose question may end with a preposition, or with a second auxiliary"
    subjects: frozenset[str] = frozenset()
    "words that open a statement or a wish"
    digits: dict[str, int] = field(default_factory=dict)
    "spoken numbers, with how many digits each writes"
    doubles: dict[str, int] = field(default_factory=dict)
    "words that repeat the digit after them"
    domains: frozenset[str] = frozenset()
    "last words of a mail address"
    streets: frozenset[str] = frozenset()
    numbered: frozenset[str] = frozenset()
    "what a caller calls a number that he is about to say"
    mailed: frozenset[str] = frozenset()
    "the same of a mail address"
    addressed: frozenset[str] = frozenset()
    "the same of a postal address"
    at_signs: frozenset[str] = frozenset()
    dots: frozenset[str] = frozenset()
    asks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    "what the agent asks for: a kind, or a count of digits, and the phrases of its question"
    yes_no: frozenset[str] = frozenset()
    "words that open a yes/no question, or close a statement as one"
    alternative: frozenset[str] = frozenset()
    "words that make it a choice between things"


def read_utterance(text: str, language: str = "en", expected: Expectation = ANYTHING) -> Utterance:
    """How the text of a turn, as far as it is heard, looks; `language` is a BCP 47 tag."""
    words, tokens = function_words(language), _tokens(text)
    if not tokens:
        return Utterance("neutral", "no words")
    for judge in (_closed, _open_end, _dictated, _answered):
        verdict = judge(text, tokens, words, expected)
        if verdict is not None:
            return verdict
    return _sentence(text, tokens, words)


def expected_answer(question: str, language: str = "en") -> Expectation:
    """What the agent's words ask for; they count from their last question, else their last sentence."""
    words = function_words(language)
    sentences = [part for part in re.split(r"(?<=[.!?。？！¿])\s*", question.strip()) if _tokens(part)]
    if not sentences:
        return ANYTHING
    asked = [part for part in sentences if part.rstrip().endswith(("?", "？"))]
    sentence = (asked or sentences)[-1]
    tokens = _tokens(sentence)
    spaced = f" {' '.join(tokens)} "
    for kind, phrases in words.asks.items():
        if any(_holds(spaced, phrase) for phrase in phrases):
            if kind.isdigit():
                return Expectation("number", int(kind))
            return Expectation(kind)  # type: ignore[arg-type]  # the keys of the files are tested
    if not asked:
        return ANYTHING
    polar = tokens[0] in words.yes_no or _ends_with(tokens, words.yes_no) is not None
    polar = polar or " ".join(tokens[:2]) in words.yes_no or _ends_unspaced(sentence, words.yes_no)
    if polar and not words.alternative.intersection(tokens):
        return Expectation("yes_no")
    return Expectation("short")


def function_words(language: str) -> FunctionWords:
    """The file of the language; an empty one when there is none."""
    return _load(re.split(r"[-_]", language.lower())[0])


def languages() -> tuple[str, ...]:
    """The languages that have a file."""
    folder = resources.files(__package__).joinpath("function_words")
    return tuple(sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml")))


@cache
def _load(language: str) -> FunctionWords:
    file = resources.files(__package__).joinpath("function_words", f"{language}.yaml")
    if not re.fullmatch("[a-z]{2,3}", language) or not file.is_file():
        return FunctionWords()
    # only strings: "on" and "no" are truth values elsewhere in YAML
    content: dict[str, Any] = yaml.load(file.read_text("utf-8"), Loader=yaml.BaseLoader)
    for name, value in content.items():
        match name:
            case "digits" | "doubles":
                content[name] = {str(word): int(count) for word, count in value.items()}
            case "asks":
                content[name] = {str(kind): tuple(str(phrase) for phrase in phrases) for kind, phrases in value.items()}
            case "endings":
                content[name] = tuple(str(ending) for ending in value)
            case _:
                content[name] = frozenset(str(word) for word in value)
    return FunctionWords(**content)


# --- the judges: each gives a verdict or leaves it to the next ---


def _open_end(text: str, tokens: list[str], words: FunctionWords, expected: Expectation) -> Utterance | None:
    """It ends with a word that wants another one."""
    strands = tokens[0] in words.stranding
    last, before = tokens[-1], tokens[-2] if len(tokens) > 1 else ""
    if _ends_with(tokens, words.fillers):
        return Utterance("unfinished", "ends with a filler")
    if (
        _starts_with(tokens, words.greetings) == len(tokens)
        and expected == ANYTHING
        and not text.rstrip().endswith("?")
    ):
        return Utterance("unfinished", "only a greeting")
    if _ends_with(tokens, words.holding):
        return Utterance("unfinished", "asks for time")
    if text.rstrip().endswith((",", "-", "–", "—", "...", "…", ":", "、")):
        return Utterance("unfinished", "ends with a comma or a dash")
    if text.rstrip().endswith(("?", "？")):
        return None
    opens = _ends_with(tokens, words.unfinished)
    if opens and not (len(last) == 1 and _letters(tokens) > 1):
        return Utterance("unfinished", "ends with a word that wants another one")
    if _ends_unspaced(text, words.endings):
        return Utterance("unfinished", "ends with a particle that goes on")
    if last in words.prepositions and not strands:
        return Utterance("unfinished", "ends with a preposition")
    has_another = "'" in tokens[0] or not words.auxiliaries.isdisjoint(tokens[:-1])
    is_indirect = len(tokens) > 3 and last in words.linking
    if last in words.auxiliaries and before not in words.pronouns and not (strands and (has_another or is_indirect)):
        return Utterance("unfinished", "ends with an auxiliary verb")
    return None


def _closed(text: str, tokens: list[str], words: FunctionWords, expected: Expectation) -> Utterance | None:
    """Nothing follows, or it is a whole answer."""
    if _ends_with(tokens, words.goodbyes):
        return Utterance("closed", "a goodbye")
    answer = _starts_with(tokens, words.answers) or 0
    if expected.kind == "yes_no" and len(tokens) <= 4 and answer == len(tokens):
        return Utterance("closed", "an answer to a yes/no question")
    return Utterance("neutral", "an answer to no question") if answer == len(tokens) and expected == ANYTHING else None


def _dictated(text: str, tokens: list[str], words: FunctionWords, expected: Expectation) -> Utterance | None:
    """Digits, letters, a mail or a postal address."""
    kind = expected.kind if expected.kind != "anything" else _announced(text, tokens, words)
    digits, leading = _digits(tokens, words)
    letters = _letters(tokens, words if kind != "spelling" else None)
    if kind == "email":
        whole = tokens[-1] in words.domains or re.search(r"@\S+\.\w{2,}\W*$", text) is not None
        return (
            Utterance("complete", "a whole mail address") if whole else Utterance("dictating", "part of a mail address")
        )
    if digits and (kind == "phone" or (kind == "anything" and leading and digits > _FIRST_GROUP)):
        return _phone_number(digits, leading or "+" in text)
    if digits and kind == "number" and expected.digits is not None:
        whole = digits >= expected.digits
        return (
            Utterance("closed", "the whole number")
            if whole
            else Utterance("dictating", "part of a number", in_groups=True)
        )
    if kind in ("number", "spelling") or _digit_words(tokens, words) >= 3 or letters >= 2:
        count = _characters(tokens, words, letters)
        if count:
            return _group(count)
    if expected.kind in ("spelling", "number"):
        return Utterance("neutral", "a spelling or a number may follow", in_groups=True)
    if kind == "address":
        return _address(text, tokens, words)
    return None


def _announced(text: str, tokens: list[str], words: FunctionWords) -> ExpectedKind:
    """What the caller himself says that he is about to say, once he has begun to."""
    before = f" {' '.join(tokens[:-1])} "
    signs = words.at_signs.intersection(tokens) and words.dots.intersection(tokens)
    if "@" in text or signs or any(_holds(before, phrase) for phrase in words.mailed):
        return "email"
    numbers = any(token.isdigit() or token in words.digits for token in tokens)
    if numbers and any(_holds(before, phrase) for phrase in words.addressed):
        return "address"
    if any(_holds(before, phrase) for phrase in words.asks.get("phone", ())):
        return "phone"
    return "number" if any(_holds(before, phrase) for phrase in words.numbered) else "anything"


def _group(count: int) -> Utterance:
    """People say three or four at a time: with fewer, or only the first of these groups, more must follow."""
    if count <= _FIRST_GROUP:
        return Utterance("dictating", "the first group of digits or letters", in_groups=True)
    return Utterance("neutral", "as many digits or letters as may be the whole", in_groups=True)


def _answered(text: str, tokens: list[str], words: FunctionWords, expected: Expectation) -> Utterance | None:
    """A short answer to what was asked."""
    if expected.kind == "name":
        named = len(tokens) - (_starts_with(tokens, words.subjects) or 0)
        if named == 1:
            return Utterance("neutral", "one name, another may follow")
        return Utterance("complete", "a name")
    if expected.kind in ("short", "yes_no") and len(tokens) <= 4:
        return Utterance("complete", "a short answer to a question")
    return None


def _sentence(text: str, tokens: list[str], words: FunctionWords) -> Utterance:
    if text.rstrip().endswith(("?", "？")):
        return Utterance("complete", "a question")
    if text.rstrip().endswith((".", "!", "。", "！")) and len(tokens) >= 3:
        return Utterance("complete", "a sentence by its punctuation")
    if len(tokens) >= 3 and tokens[0] in words.questions:
        return Utterance("complete", "a question")
    if len(tokens) >= 4 and words.subjects.intersection(tokens):
        return Utterance("complete", "a sentence by its words")
    return Utterance("neutral", "it could end here")


def _phone_number(digits: int, international: bool) -> Utterance:
    """A number that begins with 0 or + has 11 digits or more, another one 10; 7 are a whole local one."""
    if digits >= (11 if international else 10):
        return Utterance("closed", "a whole phone number")
    if digits == 10 or (digits == 7 and not international):
        return Utterance("neutral", "it may be a whole phone number", in_groups=True)
    return Utterance("dictating", "part of a phone number", in_groups=True)


def _address(text: str, tokens: list[str], words: FunctionWords) -> Utterance:
    if _POSTCODE.search(text):
        return Utterance("complete", "an address with its postcode")
    if words.streets.intersection(tokens):
        return Utterance("neutral", "a street, a town may follow")
    return Utterance("dictating", "part of an address")


_FIRST_GROUP = 3

_POSTCODE = re.compile(r"\b([a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}|\d{4,5}(-\d{4})?)\b\W*(\w+\W*)?$", re.IGNORECASE)
"as in the United Kingdom, or four to five digits as in most of Europe and the United States; a town may follow it"


# --- the parts of a text ---


def _tokens(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text.lower().replace("’", "'"))


def _ends_with(tokens: list[str], phrases: frozenset[str]) -> int | None:
    """How many of the last words are one of the phrases."""
    return next((n for n in range(min(4, len(tokens)), 0, -1) if " ".join(tokens[-n:]) in phrases), None)


def _starts_with(tokens: list[str], phrases: frozenset[str]) -> int | None:
    """How many of the first words are phrases of these, one after the other; None when the first is none."""
    count = 0
    while step := next((n for n in range(4, 0, -1) if " ".join(tokens[count : count + n]) in phrases), 0):
        count += min(step, len(tokens) - count)
        if count >= len(tokens):
            break
    return count or None


def _holds(spaced: str, phrase: str) -> bool:
    """`spaced` is a sentence with spaces around; in a script without spaces a phrase may stand anywhere."""
    return f" {phrase} " in spaced or (not phrase.isascii() and phrase in spaced and " " not in phrase)


def _ends_unspaced(text: str, endings: Iterable[str]) -> bool:
    """For scripts that are written without spaces."""
    return re.sub(r"\W+$", "", text).endswith(tuple(ending for ending in endings if not ending.isascii()))


def _digits(tokens: list[str], words: FunctionWords) -> tuple[int, bool]:
    """How many digits the text ends with, and whether the first is a zero."""
    count, leading = 0, False
    for place in range(len(tokens) - 1, -1, -1):
        token = tokens[place]
        if token.isdigit():
            written, zero = len(token), token[0] == "0"
        elif token in words.digits:
            repeat = words.doubles.get(tokens[place - 1], 1) if place else 1
            written, zero = words.digits[token] * repeat, token in _ZEROS
        elif token in words.doubles and count:
            continue
        else:
            break
        count, leading = count + written, zero
    return count, leading


_ZEROS = frozenset(["zero", "oh", "o", "nought", "null", "zéro", "cero", "nul", "noll", "nul", "sıfır", "ゼロ"])


def _characters(tokens: list[str], words: FunctionWords, letters: int) -> int:
    """How many digits and letters, mixed as in a postcode, the text ends with; `letters` are its last ones."""
    count, rest = 0, list(tokens)
    while rest:
        run = letters if len(rest) == len(tokens) else _letters(rest, words)
        taken = run
        while not run and taken < len(rest) and (rest[-1 - taken].isdigit() or rest[-1 - taken] in words.digits):
            taken += 1
        if not taken:
            break
        count += run or _digits(rest, words)[0]
        rest = rest[: len(rest) - taken]
    return count


def _digit_words(tokens: list[str], words: FunctionWords) -> int:
    """How many words of one digit each the text ends with."""
    run = 0
    for token in reversed(tokens):
        if not (len(token) == 1 and token.isdigit()) and words.digits.get(token) != 1:
            break
        run += 1
    return run


def _letters(tokens: list[str], words: FunctionWords | None = None) -> int:
    """How many single letters the text ends with, counting "j as in john" as one; the first may be a word ("a Y")."""
    run, place = 0, len(tokens) - 1
    while place >= 0:
        if len(tokens[place]) == 1 and tokens[place].isalpha() and tokens[place].isascii():
            run, place = run + 1, place - 1
        elif place >= 3 and tokens[place - 2 : place] == ["as", "in"] and len(tokens[place - 3]) == 1:
            run, place = run + 1, place - 4
        else:
            break
    return run - 1 if run and words is not None and tokens[place + 1] in words.unfinished else run
