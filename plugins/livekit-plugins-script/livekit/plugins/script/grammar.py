"""A script as a JSGF 1.0 grammar: everything that a caller may be expected to say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .acts import act_phrases
from .dates import MONTHS, WEEKDAYS
from .definition import Definition, Intent
from .names import names_jsgf
from .numbers import say_cardinal, say_ordinal
from .phrases import spell
from .slots import Slot
from .spelling import spelled
from .words import split

_OPENERS = (
    "hi", "hello", "hi there", "hello there", "good morning", "good afternoon", "um", "uh", "oh", "yes", "yeah", "okay",
    "so", "well", "no", "sorry", "i'm sorry but", "and", "also", "actually", "first", "one more thing", "all right",
)  # fmt: skip
_REQUESTS = (
    "i'd like to", "i would like to", "i want to", "i need to", "i have to", "can i", "could i", "can i please",
    "could i please", "can you", "could you", "could you please", "can you please", "please", "may i", "we'd like to",
    "i was wondering if i could", "i'm calling to", "can you tell me", "could you tell me", "do you know", "i'd like",
    "i would like", "i need", "i want", "is it possible to", "let me", "i was hoping to", "would it be possible to",
)  # fmt: skip
_REVISIONS = (
    "make it", "can we make it", "could we make it", "can you make it", "make that", "change it to",
    "can you change it to",
    "can we do", "could we do", "let's do", "let's say", "i'd rather have", "i meant", "i said", "i want", "i'd prefer",
)  # fmt: skip
_DATES = {
    "<weekday>": 8, "next <weekday>": 4, "this <weekday>": 3, "<weekday> next week": 2, "next week on <weekday>": 2,
    "next week <weekday>": 1, "<weekday> week": 0.3, "a week (on | from) <weekday>": 0.7, "today": 1.5, "tomorrow": 4,
    "the day after tomorrow": 1, "the <day_of_month>": 3, "the <day_of_month> of <month>": 5,
    "<month> [the] <day_of_month>": 3, "<weekday> the <day_of_month>": 2, "<weekday> the <day_of_month> of <month>": 3,
    "<day_of_month> of <month>": 1, "next week": 1, "in (two | three) weeks": 0.5, "in a week": 0.3,
    "in (two | three | four) days": 0.5,
}  # fmt: skip
_TIMES = {
    "<hour>": 5, "<hour> o'clock": 6, "<hour> <minutes>": 6, "half past <hour>": 5, "[a] quarter (past | to) <hour>": 5,
    "(ten | twenty | five | twenty five) (past | to) <hour>": 1.5, "<hour> [<minutes>] (p m | a m)": 3,
    "<hour> [o'clock] in the <day_part>": 2, "<hour> <minutes> in the <day_part>": 1, "noon": 0.7, "midday": 0.5,
    "twelve noon": 0.3,
}  # fmt: skip


def write_grammar(definition: Definition, name: str = "script") -> str:
    """The grammar's text. Public rules are things to say; the others are their parts."""
    lines = ["#JSGF V1.0;", f"grammar {name};", ""]
    for act, phrases in act_phrases().items():
        lines.append(f"<act_{act.value}> = {' | '.join(phrase.jsgf(str) for phrase in phrases)};")
        lines.append(f"public <says_{act.value}> = [<small_opener>] <act_{act.value}> [please | thank you];")
    lines += [_rule("opener", _OPENERS), _rule("request", _REQUESTS), _rule("revision", _REVISIONS), *_shared_rules()]
    slots = {slot.name: slot for slot in definition.all_slots()}
    for slot in slots.values():
        lines += _slot_rules(slot)
    for intent in definition.intents:
        lines += _intent_rules(intent)
    return "\n".join(line for line in [*lines, *_answers(slots)] if line) + "\n"


def _rule(name: str, alternatives: Iterable[str]) -> str:
    return f"<{name}> = {' | '.join(alternatives)};"


def _weighted(name: str, alternatives: Mapping[str, float]) -> str:
    """A rule whose alternatives are said in these proportions."""
    return _rule(name, (f"/{weight}/ {text}" for text, weight in alternatives.items()))


def _slot_rule(name: str) -> str:
    return f"slot_{name}"


def _spoken(text: str) -> str:
    return " ".join(spell(token) for token in split(text).tokens)


def _shared_rules() -> list[str]:
    return [
        _rule("small_opener", ("um", "oh", "well", "okay", "no", "yes", "and", "sorry")),
        _rule("weekday", WEEKDAYS),
        _rule("month", MONTHS),
        _rule("day_of_month", (say_ordinal(day) for day in range(1, 32))),
        _rule("digit", [*(say_cardinal(digit) for digit in range(10)), "oh", "double"]),
        _rule("letter", "abcdefghijklmnopqrstuvwxyz"),
        _rule("hour", (say_cardinal(hour) for hour in range(1, 13))),
        _weighted(
            "minutes", {"thirty": 4, "fifteen": 3, "forty five": 3, "(ten | twenty | forty | fifty | oh five)": 1}
        ),
        _rule("day_part", ("morning", "afternoon", "evening")),
        _weighted("any_date", _DATES),
        _weighted("any_time", _TIMES),
    ]


def _slot_rules(slot: Slot) -> list[str]:
    name = _slot_rule(slot.name)
    match slot.kind:
        case "date":
            return [f"<{name}> = <any_date>;"]
        case "time":
            return [f"<{name}> = <any_time>;"]
        case "name":
            known = sorted(slot.names.last or slot.names.first)
            letters = " | ".join(spelled(known_name) for known_name in known) or "<letter>"
            return [
                _rule(name, names_jsgf(slot.names) or ("<NULL>",)),
                f"<letters_{slot.name}> = /4/ ({letters}) | /1/ (<letter> <letter> <letter> <letter>*);",
                f"public <spell_{slot.name}> = [it's | that's] <letters_{slot.name}> [please];",
            ]
        case "choice":
            ways = {_spoken(value): 3.0 for value in slot.options}
            return [
                _weighted(name, {_spoken(way): 1.0 for ways in slot.options.values() for way in ways} | ways),
                _rule(f"a_{slot.name}", (f"{'an' if way[0] in 'aeiou' else 'a'} {way}" for way in ways)),
            ]
        case "number":
            last = min(slot.most, slot.least + 100)
            return [_rule(name, (say_cardinal(value) for value in range(slot.least, last + 1)))]
        case "phone":
            return [f"<{name}> = <digit> <digit> <digit> <digit>+;"]
    return [f"<{name}> = <NULL>;"]


def _intent_rules(intent: Intent) -> list[str]:
    """An intent by itself, and with the values that people add to it in one breath."""
    phrases = [phrase.jsgf(_slot_rule) for phrase in (*intent.phrases, *intent.keywords)]
    say = f"[<opener>] [<request>] <say_{intent.name}>"
    lines = [
        _rule(f"say_{intent.name}", phrases),
        f"public <wish_{intent.name}> = {say} [please | thanks | thank you];",
    ]
    tails = [
        _TAILS[slot.kind].format(f"<{_slot_rule(slot.name)}>", f"<a_{slot.name}>")
        for slot in intent.slots
        if slot.kind in _TAILS
    ]
    if tails:
        lines.append(f"public <whole_{intent.name}> = {say} {' '.join(f'[{tail}]' for tail in tails)} [please];")
    return lines


_TAILS: Mapping[str, str] = {
    "choice": "(for | with) (my {0} | {1}) | {0}",
    "date": "(on | for) {0} | {0}",
    "time": "(at | around) {0} | {0}",
    "name": "(my name is | the name is | for | it's for | under) {0}",
    "number": "for {0} [people]",
}

_ANSWERS: Mapping[str, Mapping[str, float]] = {
    "date": {
        "[on] {0} [please]": 8, "for {0} [please]": 1, "[on] {0} at <any_time> [please]": 3,
        "{0} [in the] <day_part>": 1.5,
        "{0} <day_part> at <any_time>": 0.7, "(how about | what about | maybe) {0}": 1, "not {0} {0}": 0.5,
        "{0} (would be good | works | is fine | would be better | instead)": 2, "then [on] {0}": 0.7,
        "(can i | could i | i'd like to | i want to | i can) come [in] [on] {0}": 1.5,
    },
    "time": {
        "[at] {0} [please]": 9, "(around | about | how about | what about | maybe) {0}": 1.5, "not {0} {0}": 0.5,
        "{0} (would be good | works | is fine | would be better | instead | sounds good)": 2, "in the <day_part>": 1,
        "the {0} one": 0.5, "[at] {0} on <any_date>": 1, "<day_part>": 0.5, "then [at] {0} [please]": 1,
        "(i'll take | i will take | i'd take | let's take) [the] {0} [one]": 1.5,
        "(can i | could i | i'd like to | i want to | i can) come [in] at {0}": 1,
        "the (first | second | third | last | earlier | later) one": 1,
    },
    "name": {
        "{0} [please]": 8, "(it's | it is) [for] {0}": 3, "[the] name is {0}": 2, "(my name is | my name's) {0}": 5,
        "(this is | i'm | i am) {0}": 1.5, "(under | for | put it under) {0}": 1.5, "(his | her) name is {0}": 1,
        "the appointment (of | for) {0}": 0.5,
    },
    "choice": {
        "{1} [please]": 7, "{0} [please]": 3, "(just | only) {1}": 2, "the {0}": 0.7,
        "(i need | i want | i'd like) {1}": 2.5,
        "(i need | i want | i'd like) {1} instead": 0.5, "(it's for | for) {1}": 1, "not {1} {1}": 0.3,
        "just {1} not {1}": 0.5, "(i want | i'd like) to (move | cancel | change) my {0}": 0.5,
    },
    "number": {"{0} [please]": 3, "for {0} [people | of us]": 1, "there are {0} of us": 1},
    "phone": {"{0}": 2, "(it's | my number is | the number is) {0}": 1},
}  # fmt: skip


def _answers(slots: Mapping[str, Slot]) -> list[str]:
    """Answers to a question, and the ways to change one."""
    lines: list[str] = []
    for slot in slots.values():
        if slot.kind not in _ANSWERS:
            continue
        rule = f"<{_slot_rule(slot.name)}>"
        one = f"<a_{slot.name}>" if slot.kind == "choice" else rule
        answers = {text.format(rule, one): weight for text, weight in _ANSWERS[slot.kind].items()}
        revised = {"choice": f"({one} | {rule})", "date": f"[on] {rule}", "time": f"[at] {rule}"}.get(slot.kind, rule)
        called = " | ".join(_spoken(word) for word in slot.called)
        lines += [
            _weighted(f"value_{slot.name}", answers),
            f"public <answer_{slot.name}> = [<small_opener>] <value_{slot.name}>;",
            f"public <revise_{slot.name}> = [no | sorry | oh wait | wait | actually | you know what | oh] "
            f"[<revision>] {revised} [instead | please];",
            f"public <change_{slot.name}> = [no] [can you | can i | could we | i'd like to] [change] "
            f"the ({called}) [is wrong | please | <value_{slot.name}>];",
        ]
    return lines
