"""A script as a JSGF 1.0 grammar: everything that a caller may be expected to say."""

from __future__ import annotations

from collections.abc import Iterable

from .acts import act_phrases
from .dates import MONTHS, WEEKDAYS
from .definition import Definition
from .names import names_jsgf
from .numbers import say_cardinal, say_ordinal
from .phrases import spell
from .slots import Slot
from .words import split

_OPENERS = (
    "hi", "hello", "hi there", "good morning", "good afternoon", "um", "uh", "oh", "yes", "yeah", "okay", "so", "well",
    "no", "sorry", "and", "actually",
)  # fmt: skip
_REQUESTS = (
    "i'd like to", "i would like to", "i want to", "i need to", "can i", "could i", "can i please", "could i please",
    "can you", "could you", "could you please", "please", "i was wondering if i could", "i'm calling to", "may i",
    "can you tell me", "could you tell me", "do you know", "i'd like", "i need", "i want", "is it possible to",
)  # fmt: skip


def write_grammar(definition: Definition, name: str = "script") -> str:
    """The grammar's text. Public rules are things to say; the others are their parts."""
    lines = ["#JSGF V1.0;", f"grammar {name};", ""]
    lines += [
        _rule(f"act_{act.value}", (phrase.jsgf(str) for phrase in phrases), public=True)
        for act, phrases in act_phrases().items()
    ]
    lines += [_rule("opener", _OPENERS), _rule("request", _REQUESTS), *_shared_rules()]
    slots = {slot.name: slot for slot in definition.all_slots()}
    for slot in slots.values():
        lines += _slot_rules(slot)
    for intent in definition.intents:
        phrases = [phrase.jsgf(_slot_rule) for phrase in (*intent.phrases, *intent.keywords)]
        lines.append(_rule(f"say_{intent.name}", phrases))
        lines.append(
            f"public <intent_{intent.name}> = [<opener>] [<request>] <say_{intent.name}> [please | thanks | thank you];"
        )
    lines += _answers(slots)
    return "\n".join(line for line in lines if line) + "\n"


def _rule(name: str, alternatives: Iterable[str], *, public: bool = False) -> str:
    options = [text for text in alternatives if text]
    return f"{'public ' if public else ''}<{name}> = {' | '.join(options)};" if options else ""


def _slot_rule(name: str) -> str:
    return f"slot_{name}"


def _spoken(text: str) -> str:
    return " ".join(spell(token) for token in split(text).tokens)


def _shared_rules() -> list[str]:
    days = " | ".join(say_ordinal(day) for day in range(1, 32))
    return [
        _rule("weekday", WEEKDAYS),
        _rule("month", MONTHS),
        f"<day_of_month> = {days};",
        _rule("digit", [*(say_cardinal(digit) for digit in range(10)), "oh", "double"]),
        _rule("hour", (say_cardinal(hour) for hour in range(1, 13))),
        _rule("minutes", ["thirty", "fifteen", "forty five", "twenty", "forty", "ten", "fifty", "oh five"]),
        _rule("day_part", ["morning", "afternoon", "evening"]),
        _rule(
            "any_date",
            [
                "<weekday>", "next <weekday>", "this <weekday>", "<weekday> next week", "<weekday> week", "today",
                "tomorrow",
                "the day after tomorrow", "the <day_of_month>", "the <day_of_month> of <month>",
                "<month> [the] <day_of_month>",
                "<weekday> the <day_of_month> [of <month>]", "<day_of_month> of <month>", "next week", "in two weeks",
                "a week on <weekday>", "a week from <weekday>", "in a week", "in three days", "next week on <weekday>",
            ],
        ),
        _rule(
            "any_time",
            [
                "<hour>", "<hour> o'clock", "<hour> <minutes>", "half past <hour>", "[a] quarter (past | to) <hour>",
                "(ten | twenty | five | twenty five) (past | to) <hour>", "<hour> [<minutes>] (p m | a m)",
                "<hour> in the <day_part>", "<hour> <minutes> in the <day_part>", "noon", "midday",
            ],
        ),
    ]  # fmt: skip


def _slot_rules(slot: Slot) -> list[str]:
    name = _slot_rule(slot.name)
    match slot.kind:
        case "date":
            return [f"<{name}> = <any_date>;"]
        case "time":
            return [f"<{name}> = <any_time>;"]
        case "name":
            alternatives = list(names_jsgf(slot.names)) or ["<unknown_name>"]
            rules = [_rule(name, alternatives)]
            return rules if names_jsgf(slot.names) else [*rules, "<unknown_name> = <VOID>;"]
        case "choice":
            ways = {_spoken(way): None for value, ways in slot.options.items() for way in (value, *ways)}
            return [_rule(name, ways)]
        case "number":
            return [
                _rule(name, (say_cardinal(value) for value in range(slot.least, min(slot.most, slot.least + 100) + 1)))
            ]
        case "phone":
            return [f"<{name}> = <digit> <digit> <digit> <digit>+;"]
    return [f"<{name}> = <VOID>;"]


_ANSWERS = {
    "date": (
        "[on] {}", "[for | on] {} [please]", "[on] {} at <any_time>", "{} [in the] <day_part>",
        "{} <day_part> at <any_time>",
        "(how about | what about | maybe | make it | let's say | change it to | move it to) {}", "not {} {}", "no {}",
        "{} (would be good | works | is fine | would be better | instead)", "{} [at] <any_time> [please]",
    ),
    "time": (
        "[at] {} [please]",
        "(how about | what about | around | about | maybe | make it | let's say | change it to) {}", "no {}",
        "{} (would be good | works | is fine | would be better | instead)", "in the <day_part>", "[the] {} one",
        "not {} {}",
        "[at] {} on <any_date>", "can we (do | make it | say) {}", "actually [at] {}", "<day_part>",
    ),
    "name": (
        "[it's | it is | my name is | this is | the name is | my name's | i'm] {} [please]",
        "(under | for | put it under) {} [please]",
        "no (it's | my name is | the name is) {}", "[it's under | under the name of | the name of] {}", "not {} {}",
    ),
    "choice": (
        "[a | an | the | just a | for a] {} [please]",
        "(make it | change it to | actually | i'd like) [a | an | the] {}",
        "no [a] {}", "[i think] [a] {} (instead | would be great | i think)", "not a {} a {}",
    ),
    "number": ("{}", "[for] {} [please | people]"),
    "phone": ("[it's | my number is | the number is] {}",),
}  # fmt: skip


def _answers(slots: dict[str, Slot]) -> list[str]:
    """Answers to a question, with the ways to change one."""
    lines: list[str] = []
    for slot in slots.values():
        rule = f"<{_slot_rule(slot.name)}>"
        answers = [answer.format(*[rule] * answer.count("{}")) for answer in _ANSWERS.get(slot.kind, ())]
        if answers:
            lines.append(f"public <answer_{slot.name}> = [<opener>] ({' | '.join(answers)});")
            called = " | ".join(_spoken(word) for word in slot.called)
            request = f"[no] [can you | can i | could we | i'd like to] [change] the ({called}) [is wrong | please]"
            lines.append(f"public <change_{slot.name}> = {request};")
    return lines
