"""The rules of the conversation: what was said and what tools answered go in, the next step comes out.

A Conversation is made anew for every reply and fed with the whole chat context (`replay.py`), so it must be
deterministic: no clock, no randomness, no IO.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from .acts import Act
from .definition import Intent, Lookup, ToolUse
from .matching import THRESHOLD
from .numbers import say_cardinal
from .results import as_moments, moments_in, nearest, of_part, read_output, spread, within, without_moments
from .slots import Context, Slot, Value
from .spoken import say_date, say_moments
from .state import Call, Frame, Pending, Plan, State
from .templates import Missing, Values, names_in, write
from .understanding import Understanding
from .words import FILLERS

Reader = Callable[[str, Context], Understanding]


class Conversation:
    """One conversation, as far as it was fed."""

    def __init__(self, script: Any, today: date, tools: frozenset[str]) -> None:
        from .voice import Voice

        self._definition = script.definition
        self._read: Reader = script.understand
        self._today = today
        self._tools = tools
        self.state = State()
        self._voice = Voice(self._definition, self.state, today)
        self._slots: dict[str, Slot] = {slot.name: slot for slot in self._definition.all_slots()}

    # What happens

    def hear(self, text: str) -> Plan:
        """The caller said something."""
        state = self.state
        if state.pending is Pending.TOOL:
            # The call never came to an end: what led to it is open again.
            state.pending = (
                Pending.CONFIRM
                if state.frame and state.frame.intent.has_effect and state.lookup is None
                else Pending.NOTHING
            )
        said = self._read(text, self._context())
        plan = self._answer(said)
        if plan.text:
            state.last = plan.text
        return plan

    def returned(self, output: str, *, is_error: bool) -> Plan:
        """A tool that was called answered."""
        state = self.state
        frame = state.frame
        if frame is None or state.pending is not Pending.TOOL:
            return Plan()
        state.pending = Pending.NOTHING
        if state.lookup is not None:
            plan = self._looked_up(frame, frame.intent.lookups[state.lookup], output, is_error)
        elif is_error:
            plan = self._failed(frame, frame.intent.failed, frame.intent.forget, output)
        else:
            plan = self._done(frame, read_output(output))
        if plan.text:
            state.last = plan.text
        return plan

    def prompt(self) -> Plan:
        """The agent is to speak although nobody said anything new."""
        if not self.state.last:
            return self._tell(self._voice.wording("greeting"))
        return self._tell(self._question() or self._voice.wording("help"))

    def foreign(self, tool: str) -> None:
        """Another model called a tool that ends one of our intents: that wish is granted."""
        frame = self.state.frame
        if frame is not None and frame.intent.call is not None and frame.intent.call.tool == tool:
            self._leave()

    # Deciding

    def _context(self) -> Context:
        state = self.state
        asked = state.slot if state.pending is Pending.SLOT else None
        if state.pending in (Pending.OFFER, Pending.THEN) and state.offers:
            asked = next((slot.name for slot in self._slots.values() if slot.kind == "time"), None)
        part = state.frame.part if state.frame else None
        return Context(self._today, self._definition.date_order, asked, part, state.moment)

    def _answer(self, said: Understanding) -> Plan:
        state = self.state
        state.turns += 1
        if said.is_empty:
            return self._missed(said)
        social = self._social(said)
        if social is not None:
            return social
        wish = self._wish(said)
        if wish is not None:
            return self._begin(wish, said)
        if state.pending is Pending.THEN:
            return self._follow_on(said)
        if state.frame is not None:
            return self._continue(state.frame, said)
        return self._idle(said)

    def _wish(self, said: Understanding) -> Intent | None:
        """The intent that was spoken of, if it is another than the one at hand."""
        if not said.matches or said.matches[0].score < THRESHOLD:
            return None
        intent = said.matches[0].intent
        frame = self.state.frame
        busy = frame is not None or self.state.pending is Pending.THEN
        if (frame is not None and intent.name == frame.intent.name) or (busy and not said.matches[0].worded):
            return None
        if frame is not None and self.state.pending in (Pending.CONFIRM, Pending.CHANGE) and Act.CHANGE in said.acts:
            # `can you change it to four` while something is read back changes this, not an older appointment.
            return None if self._new_values(frame, said) or self._named_slot(frame, said) else intent
        if frame is not None and self.state.pending is Pending.CHANGE and self._named_slot(frame, said):
            return None
        return intent

    def _social(self, said: Understanding) -> Plan | None:
        """What is said about the conversation itself, if that is all that was said."""
        state, acts = self.state, said.acts
        brief = said.is_act or (len(said.leftover) <= 2 and not (said.matches and said.matches[0].score >= THRESHOLD))
        if self._own_words(said):
            return None
        if Act.FORGET in acts and len(said.leftover) <= 2 and (brief or state.frame is not None) and not said.mentions:
            return self._forget()
        if not brief or said.mentions:
            return None
        if Act.GOODBYE in acts:
            return self._goodbye()
        for act in (Act.ROBOT, Act.REPEAT, Act.WAIT, Act.HELP, Act.HOW_ARE_YOU, Act.APOLOGY):
            if act in acts and not (act is Act.WAIT and Act.NO in acts):
                return self._small_talk(act)
        if Act.YES in acts or Act.NO in acts:
            return None
        if Act.THANKS in acts and state.frame is None:
            return self._tell(self._voice.wording("thanks"), self._anything_else())
        if Act.HELLO in acts:
            return self._tell(self._voice.wording("hello"), self._question() or "How can I help?")
        return None

    def _own_words(self, said: Understanding) -> bool:
        """Whether a read-back was answered by its own verb: `cancel it` agrees to a cancellation alone."""
        frame = self.state.frame
        if frame is None or self.state.pending is not Pending.CONFIRM:
            return False
        words = [token for token in said.words.tokens if token not in FILLERS]
        verbs = {word for phrase in frame.intent.phrases for word in phrase.first_words()}
        return len(words) == 2 and words[0] in verbs and words[1] in ("it", "that", "this", "them")

    def _small_talk(self, act: Act) -> Plan:
        state = self.state
        if act is Act.REPEAT:
            return self._tell(
                self._voice.wording("repeat", last=state.last) if state.last else self._voice.wording("greeting")
            )
        if act is Act.WAIT:
            return self._tell(self._voice.wording("wait"))
        if act is Act.HELP:
            return self._tell(self._voice.wording("help"))
        return self._tell(self._voice.wording(act.value), self._question() or self._voice.wording("help"))

    def _goodbye(self) -> Plan:
        state = self.state
        unfinished = state.frame is not None and state.frame.intent.has_effect
        words = (
            self._voice.wording("goodbye_unfinished")
            if unfinished
            else self._voice.choose("goodbye", self._definition.goodbye.say, {}, {})
        )
        self._leave()
        state.parked.clear()
        tool = self._definition.goodbye.tool
        return Plan(self._voice.compose(words), Call(tool, {}) if tool in self._tools else None)

    def _forget(self) -> Plan:
        if self.state.frame is None and self.state.pending is Pending.NOTHING:
            return self._tell(self._voice.wording("nothing_to_forget"))
        self._leave()
        self.state.parked.clear()
        return self._tell(self._voice.wording("forgotten"))

    def _leave(self) -> None:
        state = self.state
        state.frame, state.pending, state.offers, state.choices, state.finished = None, Pending.NOTHING, [], [], None

    def _idle(self, said: Understanding) -> Plan:
        """Nothing is being done, and nothing was wished for."""
        acts = said.acts
        if Act.NO in acts and not said.leftover:
            # Only a no to `anything else?` ends the call.
            if self.state.turns > 1 and self.state.last.endswith("?"):
                return self._goodbye()
            return self._tell(self._anything_else())
        if Act.THANKS in acts and not said.leftover:
            return self._tell(self._voice.wording("thanks"), self._anything_else())
        if Act.YES in acts and not said.leftover and not said.mentions:
            return self._tell(self._voice.wording("help"))
        return self._missed(said)

    def _anything_else(self) -> str:
        return self._voice.wording("anything_else")

    # A wish begins, goes on, ends

    def _begin(self, intent: Intent, said: Understanding) -> Plan:
        state = self.state
        state.misses = 0
        if intent.is_answer:
            return self._say_answer(intent, said)
        frame = Frame(intent, {name: value for name, value in state.memory.items() if intent.slot(name)})
        prefix = self._voice.choose(f"{intent.name}.start", intent.start, {}, {})
        if state.finished is not None and state.pending is Pending.THEN:
            self._carry(state.finished, frame)
        if state.frame is not None:
            self._carry(state.frame, frame)
            if not intent.has_effect:
                state.parked.append(state.frame)
        state.frame, state.pending, state.choices, state.finished = frame, Pending.NOTHING, [], None
        self._fill(frame, said)
        frame.hints = [
            mention.value for mention in said.mentions if mention.source or intent.slot(mention.slot) is None
        ]
        return self._advance(frame, prefix)

    def _carry(self, source: Frame, target: Frame) -> None:
        for name, value in source.values.items():
            slot = self._slots[name]
            if target.intent.slot(name) and (
                slot.remember or not source.intent.has_effect or not target.intent.has_effect
            ):
                target.values.setdefault(name, value)
        target.part = target.part or source.part

    def _say_answer(self, intent: Intent, said: Understanding) -> Plan:
        filled = {mention.slot: mention.value for mention in said.mentions if not mention.negated}
        words = self._voice.choose(f"{intent.name}.say", intent.say, filled, {})
        state = self.state
        if state.frame is not None:
            for name, value in filled.items():
                if state.frame.intent.slot(name):
                    state.frame.values.setdefault(name, value)
            return self._again(state.frame, words)
        return self._tell(words)

    def _again(self, frame: Frame, prefix: str) -> Plan:
        """Goes on with what was being done, after something else was said."""
        if self.state.pending in (Pending.OFFER, Pending.WHICH, Pending.CHANGE):
            return self._tell(prefix, self._question())
        return self._advance(frame, prefix)

    def _new_values(self, frame: Frame, said: Understanding) -> dict[str, Value]:
        """Values for slots of this frame: the last that was neither denied nor a source."""
        state = self.state
        values: dict[str, Value] = {}
        open_to_change = state.pending in (Pending.CONFIRM, Pending.CHANGE) or Act.CHANGE in said.acts
        for slot in frame.intent.slots:
            for mention in said.values_of(slot.name):
                if mention.negated or mention.source:
                    continue
                if (
                    mention.certain
                    or self._context().asked == slot.name
                    or slot.name not in frame.values
                    or open_to_change
                ):
                    values[slot.name] = mention.value
        return values

    def _fill(self, frame: Frame, said: Understanding) -> bool:
        """Takes over what was said; whether anything new was among it."""
        values = self._new_values(frame, said)
        changed = {name: value for name, value in values.items() if frame.values.get(name) != value}
        frame.values.update(values)
        denied = {mention.slot for mention in said.mentions if mention.negated} - set(values)
        for name in denied:
            frame.values.pop(name, None)
        if said.part is not None and not any(self._slots[name].kind == "time" for name in values):
            frame.part = said.part
        return bool(changed) or bool(denied & set(self._slots))

    def _continue(self, frame: Frame, said: Understanding) -> Plan:
        state = self.state
        if state.pending is Pending.WHICH:
            return self._chose(frame, said)
        if state.pending is Pending.OFFER and (plan := self._offered(frame, said)) is not None:
            return plan
        before = dict(frame.values)
        part_before = frame.part
        new = self._fill(frame, said)
        if new:
            state.misses = 0
            corrected = any(name in before and before[name] != frame.values.get(name) for name in before)
            prefix = self._voice.wording("changed") if corrected or (Act.CHANGE in said.acts and before) else ""
            return self._advance(frame, prefix)
        if state.pending is Pending.CONFIRM:
            return self._confirmed(frame, said)
        if (named := self._named_slot(frame, said)) is not None and (
            state.pending is Pending.CHANGE or Act.CHANGE in said.acts
        ):
            frame.values.pop(named, None)
            return self._advance(frame, "")
        if frame.part != part_before and "time" in {slot.kind for slot in frame.intent.slots}:
            return self._advance(frame, "")
        if said.matches and said.matches[0].intent.name == frame.intent.name and said.matches[0].score >= THRESHOLD:
            return self._advance(frame, "")
        if self._new_values(frame, said) and Act.NO not in said.acts:
            return self._advance(frame, "")
        if state.pending is Pending.CHANGE and Act.NO in said.acts and not said.leftover:
            return self._forget()
        return self._missed(said)

    def _confirmed(self, frame: Frame, said: Understanding) -> Plan:
        """The answer to a read-back, in which nothing new was named."""
        state, acts = self.state, said.acts
        if Act.NO in acts or (Act.CHANGE in acts and Act.YES not in acts):
            named = self._named_slot(frame, said)
            if named is not None:
                frame.values.pop(named, None)
                return self._advance(frame, "")
            if Act.NO in acts and Act.YES in acts:
                return self._tell(self._voice.wording("confirm_unclear"), self._question())
            state.pending = Pending.CHANGE
            return self._tell(self._voice.wording("what_to_change"))
        if (Act.YES in acts and len(said.leftover) <= 2) or self._own_words(said):
            if not state.heard:
                return self._advance(frame, "")
            return self._call(frame)
        return self._missed(said)

    def _named_slot(self, frame: Frame, said: Understanding) -> str | None:
        """The slot that was spoken of by its name: `the time is wrong`."""
        text = f" {said.words.text()} "
        for slot in frame.intent.slots:
            if any(f" {word} " in text for word in slot.called):
                return slot.name
        return None

    def _advance(self, frame: Frame, prefix: str) -> Plan:
        """The next step towards what the caller wants: look up, ask, read back, or call."""
        state = self.state
        state.frame, state.offers, state.choices = frame, [], []
        for index, lookup in enumerate(frame.intent.lookups):
            if all(name in frame.values for name in lookup.needs) and frame.passed.get(lookup.into) != self._key(
                frame, lookup
            ):
                state.pending, state.lookup = Pending.TOOL, index
                return self._use(frame, lookup.use, prefix)
        missing = frame.missing()
        if missing:
            state.pending, state.slot = Pending.SLOT, missing[0]
            return self._tell(prefix, self._question())
        if frame.intent.confirm:
            state.pending = Pending.CONFIRM
            return self._tell(prefix, self._question())
        return self._call(frame, prefix)

    def _call(self, frame: Frame, prefix: str = "") -> Plan:
        assert frame.intent.call is not None
        self.state.pending, self.state.lookup = Pending.TOOL, None
        return self._use(frame, frame.intent.call, prefix)

    def _use(self, frame: Frame, use: ToolUse, prefix: str) -> Plan:
        if use.tool not in self._tools:
            self._leave()
            return self._tell(prefix, self._voice.wording("no_tool"))
        return Plan(prefix, Call(use.tool, self._arguments(frame, use)))

    def _arguments(self, frame: Frame, use: ToolUse) -> dict[str, str]:
        arguments: dict[str, str] = {}
        for name, template in use.arguments.items():
            try:
                arguments[name] = write(template, self._values(frame))
            except Missing:
                continue
        return arguments

    def _key(self, frame: Frame, lookup: Lookup) -> str:
        wanted = [f"{name}={frame.values[name]}" for name in names_in(lookup.must_include) if name in frame.values]
        return f"{sorted(self._arguments(frame, lookup.use).items())} {wanted}"

    def _values(self, frame: Frame) -> Values:
        return Values(self._slots, frame.values, frame.found, self._today)

    # What tools answered

    def _looked_up(self, frame: Frame, lookup: Lookup, output: str, is_error: bool) -> Plan:
        state = self.state
        if is_error:
            return self._failed(frame, frame.intent.failed, lookup.forget, output)
        result = read_output(output)
        items = result.get(lookup.pick) if lookup.pick and isinstance(result, Mapping) else result
        if lookup.must_include:
            return self._check(frame, lookup, items, result)
        frame.passed[lookup.into] = self._key(frame, lookup)
        if isinstance(items, list):
            if not items:
                frame.passed.pop(lookup.into)
                return self._nothing_found(frame, lookup)
            things = [item for item in items if isinstance(item, Mapping)]
            meant = [thing for thing in things if self._fits(thing, frame.hints)]
            things = meant if len(meant) == 1 else things
            if len(things) > 1:
                state.choices = things
                state.pending, state.lookup = Pending.WHICH, frame.intent.lookups.index(lookup)
                return self._tell(self._question())
            items = things[0] if things else items
        frame.found[lookup.into] = items
        self._speak_of(items)
        return self._advance(frame, self._frame_words(frame, f"{lookup.into}.found", lookup.found))

    def _speak_of(self, thing: object) -> None:
        """Remembers the moment of something, for `the same day`."""
        moments = moments_in(str(thing)) if isinstance(thing, Mapping) else []
        self.state.moment = moments[0] if moments else self.state.moment

    def _nothing_found(self, frame: Frame, lookup: Lookup) -> Plan:
        words = self._frame_words(frame, f"{lookup.into}.none", lookup.none)
        for name in lookup.forget:
            frame.values.pop(name, None)
            self.state.memory.pop(name, None)
        if not frame.missing():
            self._leave()
            return self._tell(words, self._anything_else())
        return self._advance(frame, words)

    def _check(self, frame: Frame, lookup: Lookup, items: Any, result: Any) -> Plan:
        """Whether the wanted moment is in the list that the tool gave; if not, its neighbours are offered."""
        day = next((value for value in frame.values.values() if type(value) is date), None)
        moments = as_moments(items, day)
        wanted = moments_in(write(lookup.must_include, self._values(frame)))
        if not wanted or within(moments, wanted[0]):
            frame.passed[lookup.into] = self._key(frame, lookup)
            return self._advance(frame, "")
        words = self._frame_words(frame, f"{lookup.into}.none", lookup.none, result=result)
        return self._offer(frame, lookup.forget, words, nearest(moments, wanted[0]))

    def _offer(self, frame: Frame, forget: tuple[str, ...], words: str, offers: list[datetime]) -> Plan:
        state = self.state
        for name in forget:
            frame.values.pop(name, None)
        if not offers:
            return self._advance(frame, words)
        plan = self._advance(frame, words) if not forget else None
        if plan is not None:
            return plan
        state.frame, state.offers, state.pending = frame, offers, Pending.OFFER
        return self._tell(words, self._question())

    def _failed(self, frame: Frame, templates: tuple[str, ...], forget: tuple[str, ...], output: str) -> Plan:
        """A tool said that it cannot: its words, and what it offers instead."""
        offers = moments_in(output)
        spoken = without_moments(output) if offers else output.strip()
        if not spoken or "internal error" in spoken.lower() or "unknown function" in spoken.lower():
            self._leave()
            return self._tell(self._voice.wording("broken"), self._anything_else())
        error = spoken[0].lower() + spoken[1:] if not spoken.startswith("I ") else spoken
        words = self._frame_words(frame, "failed", templates, error=error) or self._voice.wording("failed", error=error)
        frame.passed.clear()
        if not forget:
            self._leave()
            return self._tell(words, self._anything_else())
        days = {offer.date() for offer in offers}
        for slot in frame.intent.slots:
            if slot.kind == "date" and days and frame.values.get(slot.name) not in days:
                frame.values.pop(slot.name, None)
        return self._offer(frame, forget, words, offers[:3])

    def _done(self, frame: Frame, result: Any) -> Plan:
        state, intent = self.state, frame.intent
        day = next((value for value in frame.values.values() if type(value) is date), None)
        offers: list[datetime] = []
        if intent.offers and isinstance(result, Mapping):
            offers = of_part(as_moments(result.get(intent.offers), day), frame.part)
            result = {**result, intent.offers: [offer.isoformat() for offer in offers]}
        words = self._frame_words(frame, f"{intent.name}.done", intent.done, result=result)
        for name, value in frame.values.items():
            if self._slots[name].remember:
                state.memory[name] = value
        self._speak_of(result)
        self._leave()
        if state.parked:
            return self._resume(frame, offers, words)
        if intent.then and (offers or not intent.offers):
            state.pending, state.finished, state.offers = Pending.THEN, frame, offers
            return self._tell(words)
        if intent.then:
            state.pending, state.finished = Pending.THEN, frame
        return self._tell(words)

    def _resume(self, done: Frame, offers: list[datetime], words: str) -> Plan:
        parked = self.state.parked.pop()
        for name, value in done.values.items():
            if parked.intent.slot(name):
                parked.values.setdefault(name, value)
        # The question that ends it would stand beside the one that is open.
        words = re.sub(r"(?<=[.!]) [^.!?]*\?$", "", words)
        if offers and any(self._slots[name].kind == "time" for name in parked.missing()):
            self.state.frame, self.state.offers, self.state.pending = parked, offers, Pending.OFFER
            return self._tell(words, self._voice.wording("which_offer"))
        return self._advance(parked, words)

    # Offers and choices

    def _choose_moment(self, said: Understanding, offers: list[datetime]) -> datetime | None:
        """Which of the offered moments the caller took."""
        times = [mention.value for mention in said.mentions if isinstance(mention.value, time) and not mention.negated]
        days = [mention.value for mention in said.mentions if type(mention.value) is date and not mention.negated]
        for offer in offers:
            if (
                times
                and any(self._same_face(offer.time(), value) for value in times)
                and (not days or offer.date() in days)
            ):
                return offer
        if times:
            return None
        if days:
            of_day = [offer for offer in offers if offer.date() in days]
            return of_day[0] if len(of_day) == 1 else None
        told = spread(offers)
        if said.pick is not None and abs(said.pick) < len(told) + (said.pick < 0):
            return told[said.pick]
        if Act.ANY in said.acts or (len(offers) == 1 and Act.YES in said.acts and Act.NO not in said.acts):
            return offers[0]
        return None

    @staticmethod
    def _same_face(offer: time, said: Any) -> bool:
        return isinstance(said, time) and (offer.hour % 12, offer.minute) == (said.hour % 12, said.minute)

    def _take(self, frame: Frame, moment: datetime) -> None:
        for slot in frame.intent.slots:
            if slot.kind == "date":
                frame.values[slot.name] = moment.date()
            elif slot.kind == "time":
                frame.values[slot.name] = moment.time()

    def _offered(self, frame: Frame, said: Understanding) -> Plan | None:
        """An answer to offered moments; None if it is about something else."""
        state = self.state
        moment = self._choose_moment(said, state.offers)
        if moment is not None:
            state.misses = 0
            self._fill(frame, said)
            self._take(frame, moment)
            return self._advance(frame, "")
        if said.mentions:
            return None
        if Act.NO in said.acts and not said.leftover:
            for slot in frame.intent.slots:
                if slot.kind in ("date", "time"):
                    frame.values.pop(slot.name, None)
            return self._advance(frame, "")
        if Act.YES in said.acts:
            return self._tell(self._question())
        return None

    def _chose(self, frame: Frame, said: Understanding) -> Plan:
        """An answer to `which one?`."""
        state = self.state
        lookup = frame.intent.lookups[state.lookup or 0]
        chosen: Mapping[str, Any] | None = None
        if said.pick is not None and abs(said.pick) < len(state.choices) + (said.pick < 0):
            chosen = state.choices[said.pick]
        else:
            values = [mention.value for mention in said.mentions if not mention.negated]
            fitting = [choice for choice in state.choices if self._fits(choice, values)]
            chosen = fitting[0] if len(fitting) == 1 else None
        if chosen is None:
            return self._missed(said)
        state.misses = 0
        frame.found[lookup.into] = chosen
        self._speak_of(chosen)
        return self._advance(frame, self._frame_words(frame, f"{lookup.into}.found", lookup.found))

    def _fits(self, choice: Mapping[str, Any], values: Sequence[Value]) -> bool:
        """Whether one of the values tells that this of several things is meant."""
        moments = [moment for value in choice.values() for moment in moments_in(str(value))]
        texts = {str(value).lower() for value in choice.values()}
        for value in values:
            if type(value) is date and any(moment.date() == value for moment in moments):
                return True
            if isinstance(value, time) and any(self._same_face(moment.time(), value) for moment in moments):
                return True
            if isinstance(value, str) and value.lower() in texts:
                return True
        return False

    def _follow_on(self, said: Understanding) -> Plan:
        """After free times were told: a time begins the booking, another day tells that day's times."""
        state = self.state
        finished = state.finished
        intent = self._definition.intent(finished.intent.then) if finished else None
        if finished is None or intent is None:
            self._leave()
            return self._idle(said)
        moment = self._choose_moment(said, state.offers)
        if moment is not None or any(isinstance(mention.value, time) for mention in said.mentions):
            frame = Frame(intent, {name: value for name, value in state.memory.items() if intent.slot(name)})
            self._carry(finished, frame)
            self._fill(frame, said)
            if moment is not None:
                self._take(frame, moment)
            state.finished = None
            return self._advance(frame, self._voice.choose(f"{intent.name}.start", intent.start, {}, {}))
        if said.mentions:
            frame = Frame(finished.intent, dict(finished.values))
            if self._fill(frame, said):
                state.finished = None
                return self._advance(frame, "")
        if Act.YES in said.acts and Act.NO not in said.acts:
            frame = Frame(intent, {name: value for name, value in state.memory.items() if intent.slot(name)})
            self._carry(finished, frame)
            state.finished = None
            return self._advance(frame, "")
        if Act.NO in said.acts:
            self._leave()
            return self._tell(self._anything_else())
        return self._missed(said)

    # Words

    def _frame_words(self, frame: Frame, key: str, templates: tuple[str, ...], **others: Any) -> str:
        return self._voice.choose(f"{frame.intent.name}.{key}", templates, frame.values, {**frame.found, **others})

    def _question(self) -> str:
        """The question that is pending, in its next wording."""
        state, frame = self.state, self.state.frame
        if frame is None:
            return ""
        if state.pending is Pending.CONFIRM:
            return self._frame_words(frame, "confirm", frame.intent.confirm)
        if state.pending is Pending.SLOT:
            slot = frame.intent.slot(state.slot)
            assert slot is not None
            if slot.kind == "time" and frame.part is not None:
                return self._voice.wording("day_part", part=frame.part)
            return self._frame_words(frame, f"ask.{slot.name}", slot.ask)
        if state.pending is Pending.OFFER:
            return self._voice.wording("offer", offers=self._say_offers(frame))
        if state.pending is Pending.CHANGE:
            return self._voice.wording("what_to_change")
        if state.pending is Pending.WHICH:
            lookup = frame.intent.lookups[state.lookup or 0]
            choices = self._voice.choice_words(state.choices)
            key = f"{lookup.into}.which"
            words = self._frame_words(frame, key, lookup.which, choices=choices, count=say_cardinal(len(state.choices)))
            return words or self._voice.wording("which", choices=choices)
        return ""

    def _say_offers(self, frame: Frame) -> str:
        """The offered moments; their day is said unless it is the one that was spoken of."""
        days = {offer.date() for offer in self.state.offers}
        words = say_moments(self.state.offers, self._today, "or")
        if len(days) == 1 and not days & {value for value in frame.values.values() if type(value) is date}:
            return f"{say_date(days.pop(), self._today)} at {words}"
        return words

    def _missed(self, said: Understanding) -> Plan:
        """Nothing of it could be used: honest, each time in other words."""
        state = self.state
        state.misses += 1
        if state.frame is None and state.pending is Pending.NOTHING:
            if said.is_empty or (state.misses > 1 and len(said.words) < 3):
                return self._tell(self._voice.wording("unclear"), self._voice.wording("help"))
            return self._tell(self._voice.wording("out_of_domain"))
        parts = [self._voice.wording("unclear"), self._question() or self._anything_else()]
        if state.misses >= 3:
            parts.append(self._voice.wording("unclear_last"))
        return self._tell(*parts)

    def _tell(self, *parts: str) -> Plan:
        self.state.heard = True
        return Plan(self._voice.compose(*parts))
