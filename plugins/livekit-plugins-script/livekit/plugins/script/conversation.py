"""The conversation as a whole: what was said and what tools answered go in, the next step comes out.

A Conversation is made anew for every reply and fed with the whole chat context (`replay.py`), so it must be
deterministic: no clock, no randomness, no IO.
"""

from __future__ import annotations

from collections.abc import Callable

from .acts import Act
from .definition import Intent
from .matching import ASIDE_THRESHOLD, THRESHOLD
from .outcomes import Outcomes
from .pursuit import Pursuit
from .scene import Scene
from .slots import Context
from .state import Call, Pending, Plan
from .understanding import Understanding

Reader = Callable[[str, Context], Understanding]

_SMALL_TALK = (Act.ROBOT, Act.REPEAT, Act.WAIT, Act.HELP, Act.HOW_ARE_YOU, Act.APOLOGY)


class Conversation:
    """One conversation, as far as it was fed."""

    def __init__(self, scene: Scene, read: Reader) -> None:
        """`read` understands an utterance; it is the script's, and pure."""
        self._scene = scene
        self._read = read
        self._pursuit = Pursuit(scene)
        self._outcomes = Outcomes(scene, self._pursuit)
        self._voice = scene.voice
        self.state = scene.state

    def hear(self, text: str) -> Plan:
        """The caller said something."""
        state = self.state
        state.turns += 1
        if state.pending is Pending.TOOL:
            # The call never came to an end: what led to it is open again.
            acts = state.frame is not None and state.frame.intent.has_effect and state.lookup is None
            state.pending = Pending.CONFIRM if acts else Pending.NOTHING
        return self._said(self._answer(self._read(text, self._scene.context())))

    def returned(self, output: str, *, is_error: bool) -> Plan:
        """A tool that was called answered."""
        frame = self.state.frame
        if frame is None or self.state.pending is not Pending.TOOL:
            return Plan()
        self.state.pending = Pending.NOTHING
        return self._said(self._outcomes.returned(frame, output, is_error=is_error))

    def prompt(self) -> Plan:
        """The agent is to speak although nobody said anything new."""
        if not self.state.last:
            return self._said(self._scene.tell(self._voice.wording("greeting")))
        return self._said(self._scene.tell(self._scene.question() or self._voice.wording("help")))

    def foreign(self, tool: str) -> None:
        """Another model called a tool that ends what is being done: that wish is granted."""
        frame = self.state.frame
        if frame is not None and frame.intent.call is not None and frame.intent.call.tool == tool:
            self._scene.leave()

    def _said(self, plan: Plan) -> Plan:
        state = self.state
        if plan.text and state.repeating not in plan.text:
            state.repeating = ""
        state.last = plan.text or state.last
        return plan

    def _answer(self, said: Understanding) -> Plan:
        state = self.state
        if said.is_empty:
            return self._scene.missed(said)
        if (social := self._social(said)) is not None:
            return social
        if (wish := self._wish(said)) is not None:
            return self._pursuit.begin(wish, said)
        if state.pending is Pending.THEN and state.finished is not None:
            following = self._scene.definition.intent(state.finished.intent.then)
            if following is not None:
                return self._pursuit.follow_on(state.finished, following, said)
        if state.frame is not None:
            return self._pursuit.go_on(state.frame, said)
        return self._idle(said)

    def _wish(self, said: Understanding) -> Intent | None:
        """The intent that was spoken of, if it is another than the one at hand."""
        if not said.matches or said.matches[0].score < THRESHOLD:
            return None
        state, match = self.state, said.matches[0]
        if state.frame is None:
            return match.intent if match.worded or state.pending is not Pending.THEN else None
        if match.intent.name == state.frame.intent.name or not match.worded or match.score < ASIDE_THRESHOLD:
            return None
        # `can you change it to four` while something is read back changes this, not an older appointment.
        changes = state.pending is Pending.CHANGE or (state.pending is Pending.CONFIRM and Act.CHANGE in said.acts)
        values, named = self._pursuit.new_values(state.frame, said), self._pursuit.named_slot(state.frame, said)
        return None if changes and (values or named) else match.intent

    def _social(self, said: Understanding) -> Plan | None:
        """What is said about the conversation itself, if that is all that was said."""
        state, acts = self.state, said.acts
        if self._pursuit.own_words(said) or said.mentions:
            return None
        wished = bool(said.matches) and said.matches[0].score >= THRESHOLD
        brief = said.is_act or (len(said.leftover) <= 2 and not wished)
        if Act.FORGET in acts and (brief or (state.frame is not None and len(said.leftover) <= 2)):
            return self._forget()
        if not brief:
            return None
        if Act.GOODBYE in acts:
            return self._goodbye()
        for act in _SMALL_TALK:
            if act in acts and not (act is Act.WAIT and Act.NO in acts):
                return self._small_talk(act)
        if Act.YES in acts or Act.NO in acts:
            return None
        if Act.THANKS in acts and state.frame is None:
            return self._scene.tell(self._voice.wording("thanks"), self._scene.anything_else())
        if Act.HELLO in acts:
            return self._scene.tell(self._voice.wording("hello"), self._scene.question() or self._voice.wording("ask"))
        return None

    def _small_talk(self, act: Act) -> Plan:
        state = self.state
        if act is Act.REPEAT and state.last:
            state.repeating = state.repeating or state.last
            return self._scene.tell(self._voice.wording("repeat", last=state.repeating))
        if act is Act.WAIT:
            return self._scene.tell(self._voice.wording("wait"))
        if act is Act.HELP or act is Act.REPEAT:
            return self._scene.tell(self._voice.wording("help"))
        return self._scene.tell(self._voice.wording(act.value), self._scene.question() or self._voice.wording("ask"))

    def _goodbye(self) -> Plan:
        state = self.state
        unfinished = state.frame is not None and state.frame.intent.has_effect
        own = self._scene.definition.goodbye
        words = (
            self._voice.wording("goodbye_unfinished") if unfinished else self._voice.choose("goodbye", own.say, {}, {})
        )
        self._scene.leave()
        state.parked.clear()
        return self._scene.tell(words, call=Call(own.tool, {}) if own.tool in self._scene.tools else None)

    def _forget(self) -> Plan:
        if self.state.frame is None and self.state.pending is Pending.NOTHING:
            return self._scene.tell(self._voice.wording("nothing_to_forget"))
        self._scene.leave()
        self.state.parked.clear()
        return self._scene.tell(self._voice.wording("forgotten"))

    def _idle(self, said: Understanding) -> Plan:
        """Nothing is being done, and nothing was wished for."""
        acts = said.acts
        if said.leftover or said.mentions:
            return self._scene.missed(said)
        if Act.NO in acts:
            # Only a no to `anything else?` ends the call.
            if self.state.turns > 1 and self.state.last.endswith("?"):
                return self._goodbye()
            return self._scene.tell(self._scene.anything_else())
        if Act.THANKS in acts:
            return self._scene.tell(self._voice.wording("thanks"), self._scene.anything_else())
        if Act.YES in acts:
            return self._scene.tell(self._voice.wording("help"))
        return self._scene.missed(said)
