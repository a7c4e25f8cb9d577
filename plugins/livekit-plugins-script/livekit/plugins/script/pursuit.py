"""What the caller wants is pursued: values are taken, asked for, read back; then the tool is called."""

from __future__ import annotations

from datetime import datetime, time

from .acts import Act
from .definition import Intent, Lookup, ToolUse
from .matching import THRESHOLD
from .offers import choose_moment, choose_thing
from .results import moments_in
from .scene import Scene
from .slots import KINDS, Slot, Value
from .state import Call, Frame, Pending, Plan
from .templates import Missing, names_in, write
from .understanding import Understanding
from .words import FILLERS

_DENIALS = frozenset({"not", "don't", "never", "isn't", "wrong", "neither"})
"""Beside one of these a yes is no clear yes."""


class Pursuit:
    """The rules for one wish, from its first word to the call of its tool."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._state = scene.state
        self._voice = scene.voice

    def begin(self, intent: Intent, said: Understanding) -> Plan:
        """The caller wants something, perhaps in the middle of something else."""
        state = self._state
        state.misses = 0
        if intent.is_answer:
            return self._say_answer(intent, said)
        frame = self._frame(intent, state.finished if state.pending is Pending.THEN else None)
        if state.frame is not None:
            self._carry(state.frame, frame)
            if not intent.has_effect:
                state.parked.append(state.frame)
        state.frame, state.pending, state.choices, state.finished = frame, Pending.NOTHING, [], None
        self._fill(frame, said)
        frame.hints = [
            mention.value for mention in said.mentions if mention.source or intent.slot(mention.slot) is None
        ]
        return self.advance(frame, self._voice.choose(f"{intent.name}.start", intent.start, {}, {}))

    def _frame(self, intent: Intent, source: Frame | None) -> Frame:
        frame = Frame(intent, self._scene.remembered(intent.slots))
        if source is not None:
            self._carry(source, frame)
        return frame

    def _carry(self, source: Frame, target: Frame) -> None:
        """Between two wishes with effect only what is remembered goes over; a question shares all it knows."""
        both_act = source.intent.has_effect and target.intent.has_effect
        for name, value in source.values.items():
            if target.intent.slot(name) and (self._scene.slots[name].remember or not both_act):
                target.values.setdefault(name, value)
        target.part = target.part or source.part

    def _say_answer(self, intent: Intent, said: Understanding) -> Plan:
        filled = {mention.slot: mention.value for mention in said.mentions if not mention.negated}
        words = self._voice.choose(f"{intent.name}.say", intent.say, filled, {})
        frame = self._state.frame
        if frame is None:
            return self._scene.tell(words)
        for name, value in filled.items():
            if frame.intent.slot(name):
                frame.values.setdefault(name, value)
        if self._state.pending in (Pending.OFFER, Pending.WHICH, Pending.CHANGE):
            return self._scene.tell(words, self._scene.question())
        return self.advance(frame, words)

    # Values

    def new_values(self, frame: Frame, said: Understanding) -> dict[str, Value]:
        """Values for slots of this frame: the last that was neither denied nor a source.

        Words that could be a value of two slots (`make it eight`) are the asked one's, else a missing one's.
        """
        asked = self._scene.asked()
        to_change = self._state.pending in (Pending.CONFIRM, Pending.CHANGE) or Act.CHANGE in said.acts
        values: dict[str, Value] = {}
        used: set[int] = set()

        def urgency(slot: Slot) -> tuple[bool, bool, int]:
            return slot.name != asked, slot.name in frame.values, KINDS.index(slot.kind)

        for slot in sorted(frame.intent.slots, key=urgency):
            expected = to_change or asked == slot.name or slot.name not in frame.values
            mentions = [
                mention
                for mention in said.values_of(slot.name)
                if not mention.negated
                and not mention.source
                and (mention.certain or expected)
                and used.isdisjoint(range(mention.start, mention.end))
            ]
            certain = [mention for mention in mentions if mention.certain]
            # `at seven for four` is at seven; `at seven no four` is at four.
            corrected = Act.NO in said.acts or Act.CHANGE in said.acts
            for mention in (mentions if corrected else certain or mentions)[-1:]:
                used.update(range(mention.start, mention.end))
                values[slot.name] = mention.value
        return values

    def _fill(self, frame: Frame, said: Understanding) -> bool:
        """Takes over what was said; whether anything changed by it."""
        values = self.new_values(frame, said)
        before = dict(frame.values)
        frame.values.update(values)
        for name in {mention.slot for mention in said.mentions if mention.negated} - set(values):
            frame.values.pop(name, None)
        if said.part is not None and not any(self._scene.slots[name].kind == "time" for name in values):
            frame.part = said.part
        return frame.values != before

    def named_slot(self, frame: Frame, said: Understanding) -> str | None:
        """The slot that was spoken of by its name: `the time is wrong`."""
        text = f" {said.words.text()} "
        for slot in frame.intent.slots:
            if any(f" {word} " in text for word in slot.called):
                return slot.name
        return None

    def _take(self, frame: Frame, moment: datetime) -> None:
        for slot in frame.intent.slots:
            if slot.kind == "date":
                frame.values[slot.name] = moment.date()
            elif slot.kind == "time":
                frame.values[slot.name] = moment.time()

    # The next step

    def advance(self, frame: Frame, prefix: str = "") -> Plan:
        """The next step towards what the caller wants: look up, ask, read back, or call."""
        state = self._state
        state.frame, state.offers, state.choices = frame, [], []
        for index, lookup in enumerate(frame.intent.lookups):
            known = all(name in frame.values for name in lookup.needs)
            if known and frame.passed.get(lookup.into) != self.question_of(frame, lookup):
                state.pending, state.lookup = Pending.TOOL, index
                return self._use(frame, lookup.use, prefix)
        missing = frame.missing()
        if len(missing) == 1 and self._take_default(frame, missing[0]):
            return self.advance(frame, prefix)
        if missing:
            state.pending, state.slot = Pending.SLOT, missing[0]
            return self._scene.tell(prefix, self._scene.question())
        if frame.intent.confirm:
            state.pending = Pending.CONFIRM
            return self._scene.tell(prefix, self._scene.question())
        return self._call(frame, prefix)

    def _take_default(self, frame: Frame, name: str) -> bool:
        """Fills the last missing slot with its default, if it has one that can be told."""
        slot = frame.intent.slot(name)
        if slot is None or not slot.default or name in frame.doubted:
            return False
        try:
            value = slot.parse(write(slot.default, self._scene.values(frame)))
        except Missing:
            return False
        if value is not None:
            frame.values[name] = value
        return value is not None

    def _call(self, frame: Frame, prefix: str = "") -> Plan:
        assert frame.intent.call is not None
        self._state.pending, self._state.lookup = Pending.TOOL, None
        return self._use(frame, frame.intent.call, prefix)

    def _use(self, frame: Frame, use: ToolUse, prefix: str) -> Plan:
        if use.tool not in self._scene.tools:
            self._scene.leave()
            return self._scene.tell(prefix, self._voice.wording("no_tool"))
        return self._scene.tell(prefix, call=Call(use.tool, self._arguments(frame, use)))

    def _arguments(self, frame: Frame, use: ToolUse) -> dict[str, str]:
        arguments: dict[str, str] = {}
        for name, template in use.arguments.items():
            try:
                arguments[name] = write(template, self._scene.values(frame))
            except Missing:
                continue
        return arguments

    def question_of(self, frame: Frame, lookup: Lookup) -> str:
        """What a lookup asks with the frame's present values; an answer holds as long as this stays the same."""
        wanted = [f"{name}={frame.values[name]}" for name in names_in(lookup.must_include) if name in frame.values]
        return f"{sorted(self._arguments(frame, lookup.use).items())} {wanted}"

    def wanted_moment(self, frame: Frame, lookup: Lookup) -> datetime | None:
        """The moment that must be in what a lookup gives."""
        moments = moments_in(write(lookup.must_include, self._scene.values(frame))) if lookup.must_include else []
        return moments[0] if moments else None

    # Answers

    def go_on(self, frame: Frame, said: Understanding) -> Plan:
        """The caller said something in the middle of it."""
        state = self._state
        if state.pending is Pending.WHICH:
            return self._chosen(frame, said)
        if state.pending is Pending.OFFER and (plan := self._offered(frame, said)) is not None:
            return plan
        if self._misheard(frame, said):
            return self.advance(frame)
        before, part_before = dict(frame.values), frame.part
        if self._fill(frame, said):
            state.misses = 0
            corrected = any(frame.values.get(name) != value for name, value in before.items())
            changes = corrected or (Act.CHANGE in said.acts and before)
            return self.advance(frame, self._voice.wording("changed") if changes else "")
        if state.pending is Pending.CONFIRM:
            return self._confirmed(frame, said)
        named = self.named_slot(frame, said)
        if named is not None and (state.pending is Pending.CHANGE or Act.CHANGE in said.acts):
            frame.doubt(named)
            return self.advance(frame)
        again = bool(said.matches) and said.matches[0].intent.name == frame.intent.name
        if frame.part != part_before or (again and said.matches[0].score >= THRESHOLD):
            return self.advance(frame)
        if self.new_values(frame, said) and Act.NO not in said.acts:
            return self.advance(frame)
        tired = state.pending is Pending.CHANGE or (state.pending is Pending.SLOT and state.misses)
        if tired and said.is_act and Act.NO in said.acts:
            self._scene.leave()
            state.parked.clear()
            return self._scene.tell(self._voice.wording("forgotten"))
        return self._scene.missed(said)

    def _misheard(self, frame: Frame, said: Understanding) -> bool:
        """Whether a name was heard that the caller has just refused: it will be asked for by its letters."""
        values = self.new_values(frame, said)
        for slot in frame.intent.slots:
            name = values.get(slot.name)
            if slot.kind != "name" or not isinstance(name, str):
                continue
            insists = Act.NO in said.acts and name == frame.values.get(slot.name)
            refused = frame.refused.get(slot.name, ())
            if insists or name in refused or name == frame.doubted.get(slot.name):
                # what was made of the letters is wrong as well, when he refuses it by the name that was refused before
                wrong = frame.values.pop(slot.name, None)
                frame.refused[slot.name] = (*refused, *((wrong,) if isinstance(wrong, str) else ()), name)
                return True
        return False

    def _confirmed(self, frame: Frame, said: Understanding) -> Plan:
        """The answer to a read-back, in which nothing new was named. Only a clear yes to a read-back that was heard
        calls the tool.
        """
        acts = said.acts
        if Act.NO in acts or (Act.CHANGE in acts and Act.YES not in acts):
            if (named := self.named_slot(frame, said)) is not None:
                frame.doubt(named)
                return self.advance(frame)
            if Act.NO in acts and Act.YES in acts:
                return self._scene.tell(self._voice.wording("confirm_unclear"), self._scene.question())
            self._state.pending = Pending.CHANGE
            return self._scene.tell(self._voice.wording("what_to_change"))
        if Act.YES in acts and _DENIALS & set(said.words.tokens):
            return self._scene.tell(self._voice.wording("confirm_unclear"), self._scene.question())
        if (Act.YES in acts and len(said.leftover) <= 2) or self.own_words(said):
            return self._call(frame) if self._state.heard else self.advance(frame)
        if self.new_values(frame, said):
            return self.advance(frame)
        return self._scene.missed(said)

    def own_words(self, said: Understanding) -> bool:
        """Whether a read-back was answered by its own verb: `cancel it` agrees to a cancellation alone."""
        frame = self._state.frame
        if frame is None or self._state.pending is not Pending.CONFIRM:
            return False
        words = [token for token in said.words.tokens if token not in FILLERS]
        verbs = {word for phrase in frame.intent.phrases for word in phrase.first_words()}
        return len(words) == 2 and words[0] in verbs and words[1] in ("it", "that", "this", "them")

    def _offered(self, frame: Frame, said: Understanding) -> Plan | None:
        """An answer to offered moments; None if it is about something else."""
        moment = choose_moment(said, self._state.offers)
        if moment is not None:
            self._state.misses = 0
            self._fill(frame, said)
            self._take(frame, moment)
            return self.advance(frame)
        if said.mentions:
            return None
        if Act.NO in said.acts and not said.leftover:
            self._scene.forget(frame, "date", "time")
            return self.advance(frame)
        return self._scene.tell(self._scene.question()) if Act.YES in said.acts else None

    def _chosen(self, frame: Frame, said: Understanding) -> Plan:
        """An answer to `which one?`."""
        thing = choose_thing(said, self._state.choices)
        if thing is None:
            return self._scene.missed(said)
        self._state.misses = 0
        return self.found(frame, frame.intent.lookups[self._state.lookup or 0], thing)

    def found(self, frame: Frame, lookup: Lookup, thing: object) -> Plan:
        """A lookup came to an end with this."""
        frame.found[lookup.into] = thing
        self._state.speak_of(thing)
        return self.advance(frame, self._scene.words(frame, f"{lookup.into}.found", lookup.found))

    def follow_on(self, finished: Frame, intent: Intent, said: Understanding) -> Plan:
        """After free times were told: a time or a yes begins the booking, another day asks for that day's times."""
        state = self._state
        moment = choose_moment(said, state.offers)
        names_time = any(isinstance(mention.value, time) for mention in said.mentions)
        agrees = Act.YES in said.acts and Act.NO not in said.acts
        if said.mentions and moment is None and not names_time:
            frame = Frame(finished.intent, dict(finished.values))
            if self._fill(frame, said):
                state.finished = None
                return self.advance(frame)
        if moment is not None or names_time or agrees:
            frame = self._frame(intent, finished)
            self._fill(frame, said)
            if moment is not None:
                self._take(frame, moment)
            state.finished = None
            return self.advance(frame, self._voice.choose(f"{intent.name}.start", intent.start, {}, {}))
        if Act.NO in said.acts:
            self._scene.leave()
            return self._scene.tell(self._scene.anything_else())
        return self._scene.missed(said)
