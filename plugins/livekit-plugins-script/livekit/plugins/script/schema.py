"""From the `script:` mapping of an agent's file to a Definition, with every mistake named."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from .dates import DateOrder
from .definition import Definition, Goodbye, Intent, Lookup, Templates, ToolUse
from .errors import Path, ScriptError
from .names import NameSlot
from .phrases import Phrase, parse
from .reading import Reader, suggest
from .slots import KINDS, Slot
from .templates import check, names_in
from .times import USUAL_HOURS
from .wording import DEFAULTS
from .words import split

_SCRIPT_KEYS = ("help", "date_order", "slots", "intents", "goodbye", "wording")
_SLOT_KEYS = (
    "type", "ask", "optional", "default", "remember", "called", "options", "names", "between", "min", "max", "digits",
)  # fmt: skip
_INTENT_KEYS = (
    "phrases", "keywords", "say", "start", "slots", "lookups", "confirm", "call", "done", "failed", "forget", "then",
    "offers",
)  # fmt: skip
_LOOKUP_KEYS = (
    "into", "needs", "tool", "arguments", "pick", "found", "which", "none", "must_include", "forget",
)  # fmt: skip
_MOMENT_NAMES = {"help", "question", "last", "error", "offers", "choices", "count", "part", "result"}


def read_definition(mapping: Mapping[str, Any], tools: Collection[str] | None = None) -> Definition:
    """Reads a script. `tools`: the tools there are, when that is known. Raises ScriptError."""
    path: Path = ("script",)
    reader = Reader(mapping, path, _SCRIPT_KEYS)
    order = reader.text("date_order", "MDY")
    if order not in ("DMY", "MDY"):
        raise ScriptError(reader.at("date_order"), f"{suggest(order, ('DMY', 'MDY'))}")
    date_order: DateOrder = "DMY" if order == "DMY" else "MDY"
    shared = reader.mapping("slots")
    shared_slots = tuple(_read_slot(name, {}, raw, (*reader.at("slots"), name)) for name, raw in shared.items())
    intents_raw = reader.mapping("intents")
    if not intents_raw:
        raise ScriptError(path, "intents: at least one is needed")
    intents = tuple(
        _read_intent(name, raw, shared, (*reader.at("intents"), name), tools) for name, raw in intents_raw.items()
    )
    for intent in intents:
        if intent.then and intent.then not in intents_raw:
            raise ScriptError(
                (*reader.at("intents"), intent.name, "then"), f"no such intent; {suggest(intent.then, intents_raw)}"
            )
    goodbye = Reader(reader.raw("goodbye"), reader.at("goodbye"), ("say", "tool"))
    return Definition(
        help=reader.text("help", None).strip().rstrip("."),
        intents=intents,
        slots=shared_slots,
        date_order=date_order,
        goodbye=Goodbye(goodbye.texts("say", DEFAULTS["goodbye"]), goodbye.text("tool", "end_call")),
        wording=_read_wording(reader),
    )


def _read_wording(reader: Reader) -> Mapping[str, Templates]:
    given = Reader(reader.raw("wording"), reader.at("wording"), tuple(DEFAULTS))
    for key in DEFAULTS:
        for text in given.texts(key):
            check(text, _MOMENT_NAMES, given.at(key))
    return {key: given.texts(key, default) for key, default in DEFAULTS.items()}


def _read_slot(name: str, shared: Mapping[str, Any], raw: object, path: Path) -> Slot:
    if raw is not None and not isinstance(raw, Mapping):
        raise ScriptError(path, f"must be a mapping with the keys {', '.join(_SLOT_KEYS)}")
    Reader(raw, path, _SLOT_KEYS)
    reader = Reader({**shared, **(raw or {})}, path, _SLOT_KEYS)
    kind = reader.text("type", None)
    if kind not in KINDS:
        raise ScriptError(reader.at("type"), f"unknown slot type {kind!r}; {suggest(kind, KINDS)}")
    if kind == "choice" and not reader.mapping("options"):
        raise ScriptError(path, "a choice needs options: a mapping of each value to the other ways of saying it")
    names = Reader(reader.raw("names"), reader.at("names"), ("first", "last"))
    digits = reader.raw("digits") or [7, 15]
    between = reader.raw("between") or list(USUAL_HOURS)
    if not isinstance(digits, list) or len(digits) != 2 or not all(isinstance(count, int) for count in digits):
        raise ScriptError(reader.at("digits"), "must be two whole numbers: [fewest, most]")
    if not isinstance(between, list) or len(between) != 2:
        raise ScriptError(reader.at("between"), 'must be two times of day: ["09:00", "18:00"]')
    return Slot(
        name=name,
        kind=kind,
        ask=reader.texts("ask"),
        optional=reader.flag("optional"),
        default=reader.text("default"),
        remember=reader.flag("remember"),
        called=(name.replace("_", " "), *reader.texts("called")),
        options=_read_options(reader),
        names=NameSlot(
            frozenset(word.lower() for word in names.texts("first")),
            frozenset(word.lower() for word in names.texts("last")),
        ),
        between=(reader.clock(between[0], reader.at("between")), reader.clock(between[1], reader.at("between"))),
        least=reader.whole("min", 0),
        most=reader.whole("max", 9999),
        digits=(digits[0], digits[1]),
    )


def _read_options(reader: Reader) -> dict[str, tuple[str, ...]]:
    options: dict[str, tuple[str, ...]] = {}
    for value in reader.mapping("options"):
        ways = Reader(reader.mapping("options"), reader.at("options"), tuple(reader.mapping("options"))).texts(value)
        options[value] = tuple(way for way in ways if split(way).tokens)
    return options


def _read_intent(
    name: str, raw: object, shared: Mapping[str, Any], path: Path, tools: Collection[str] | None
) -> Intent:
    reader = Reader(raw, path, _INTENT_KEYS)
    slots = tuple(
        _read_slot(slot, shared.get(slot) or {}, overrides, (*reader.at("slots"), slot))
        for slot, overrides in _slot_entries(reader).items()
    )
    slot_names = {slot.name for slot in slots}
    mentioned = slot_names | set(shared)
    phrases = tuple(_read_phrase(text, at, mentioned) for at, text in reader.listed("phrases"))
    keywords = tuple(_read_phrase(text, at, mentioned) for at, text in reader.listed("keywords"))
    if not phrases and not keywords:
        raise ScriptError(path, "phrases: at least one way to say it is needed")
    lookups = tuple(_read_lookup(reader, index, slot_names, tools) for index in range(_length(reader, "lookups")))
    known = slot_names | _MOMENT_NAMES | {lookup.into for lookup in lookups}
    for slot in slots:
        check(slot.default, known, (*reader.at("slots"), slot.name, "default"))
    intent = Intent(
        name=name,
        phrases=phrases,
        keywords=keywords,
        slots=slots,
        lookups=lookups,
        call=_read_call(reader, known, tools),
        then=reader.text("then"),
        offers=reader.text("offers"),
        forget=_slot_names(reader, "forget", slot_names),
        **{key: _spoken(reader, key, known) for key in ("say", "start", "confirm", "done", "failed")},
    )
    _check_whole(intent, path)
    return intent


def _slot_entries(reader: Reader) -> Mapping[str, Any]:
    """Slots by name; a list of names takes them as they are in the script's own `slots:`."""
    if isinstance(reader.raw("slots"), list):
        return {name: None for _, name in reader.listed("slots")}
    return reader.mapping("slots")


def _check_whole(intent: Intent, path: Path) -> None:
    if intent.call is None and not intent.say:
        raise ScriptError(path, "an intent needs `say` (an answer) or `call` (a tool)")
    if intent.confirm and intent.call is None:
        raise ScriptError((*path, "confirm"), "there is nothing to confirm without `call`")
    for slot in intent.slots:
        if not slot.optional and not slot.ask:
            raise ScriptError((*path, "slots", slot.name), "`ask` is needed, or `optional: true`")


def _length(reader: Reader, key: str) -> int:
    value = reader.raw(key)
    if value is not None and not isinstance(value, list):
        raise ScriptError(reader.at(key), "must be a list")
    return len(value or [])


def _read_phrase(text: str, path: Path, slots: set[str]) -> Phrase:
    phrase = parse(text, path)
    for name in phrase.slots():
        if name not in slots:
            raise ScriptError(path, f"{{{name}}} is no slot; {suggest(name, slots)}")
    return phrase


def _spoken(reader: Reader, key: str, known: set[str]) -> Templates:
    for template in reader.texts(key):
        check(template, known, reader.at(key))
    return reader.texts(key)


def _slot_names(reader: Reader, key: str, slots: set[str]) -> tuple[str, ...]:
    for path, name in reader.listed(key):
        if name not in slots:
            raise ScriptError(path, f"no slot of this intent; {suggest(name, slots)}")
    return tuple(name for _, name in reader.listed(key))


def _read_use(reader: Reader, known: set[str], tools: Collection[str] | None) -> ToolUse:
    tool = reader.text("tool", None)
    if tools is not None and tool not in tools:
        raise ScriptError(reader.at("tool"), f"no tool is called {tool!r}; {suggest(tool, tools)}")
    arguments = {}
    for name, template in reader.mapping("arguments").items():
        check(str(template), known, (*reader.at("arguments"), name))
        arguments[name] = str(template)
    return ToolUse(tool, arguments)


def _read_call(reader: Reader, known: set[str], tools: Collection[str] | None) -> ToolUse | None:
    if reader.raw("call") is None:
        return None
    return _read_use(Reader(reader.raw("call"), reader.at("call"), ("tool", "arguments")), known, tools)


def _read_lookup(parent: Reader, index: int, slots: set[str], tools: Collection[str] | None) -> Lookup:
    reader = Reader(parent.raw("lookups")[index], (*parent.at("lookups"), index), _LOOKUP_KEYS)
    into = reader.text("into", None)
    known = slots | _MOMENT_NAMES | {into} | {str(entry.get("into")) for entry in parent.raw("lookups")[:index]}
    needs = _slot_names(reader, "needs", slots)
    must_include = reader.text("must_include")
    check(must_include, known, reader.at("must_include"))
    for name in names_in(must_include):
        if name in slots and name not in needs:
            raise ScriptError(reader.at("must_include"), f"{{{name}}} must stand in `needs` too")
    return Lookup(
        into=into,
        needs=needs,
        use=_read_use(reader, known, tools),
        pick=reader.text("pick"),
        found=_spoken(reader, "found", known),
        which=_spoken(reader, "which", known),
        none=_spoken(reader, "none", known),
        must_include=must_include,
        forget=_slot_names(reader, "forget", slots),
    )
