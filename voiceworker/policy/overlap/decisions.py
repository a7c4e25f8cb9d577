"""The decisions: events in, verdicts and commands out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from voiceworker.policy.overlap.terms import (
    Command,
    Cut,
    CutReason,
    Duck,
    Kind,
    OverlapSettings,
    Policy,
    Release,
    Restore,
    RestoreReason,
    Situation,
    Verdict,
    Words,
)


@dataclass(slots=True)
class _Breath:
    """One run of the caller's voice, and the texts that belong to it."""

    started_at: float
    over_agent: bool
    "it began while the agent was speaking"
    asked: bool
    "the agent had just asked something that a listener's word answers"
    greeted: bool
    "the agent was greeting: a greeting is no more than a listener's word"
    echo: bool = False
    echoed: tuple[str, bool] | None = None
    "the last text that was taken for an echo, and whether it was final"
    level_db: float | None = None
    ended_at: float | None = None
    heard: RestoreReason = "wordless"
    "what its words are taken for so far"
    aside_words: int = 0
    "that were withheld as an aside for good, in it and in those just before it"
    passed: bool = False
    "words of it were passed on, or a cut was made for it: whatever follows belongs to them"
    undecided_since: float | None = None
    undecided_until: float | None = None
    withheld: list[tuple[float, str]] = field(default_factory=list)
    "finals that go with the words that may follow in the same breath"

    @property
    def is_aside(self) -> bool:
        return self.heard == "aside"


class Overlap:
    def __init__(self, settings: OverlapSettings, words: Words) -> None:
        self._settings = settings
        self._words = words
        self._situation: Situation = "ordinary"
        self._commands: list[Command] = []
        self._told_at = float("-inf")
        self._speaking = False
        self._cut = False
        self._ducked = False
        self._agent_stopped_at: float | None = None
        self._said = ""
        self._asked_until: float | None = None
        self._voice = False
        self._breath: _Breath | None = None
        self._wordless_since: float | None = None
        "begin of the present stretch of sound without words, which short pauses do not end"
        self._held: list[str] = []

    # --- what happens ---

    def agent_started(self, now: float, *, situation: Situation | None = None) -> None:
        """The agent's speech becomes audible."""
        self._agent_ended(now)
        self._speaking, self._cut, self._said, self._asked_until = True, False, "", None
        if situation is not None:
            self._situation = situation
        if self._breath is not None and self._breath.passed:
            self._breath.over_agent = False  # it belongs to the turn that this speech answers
        if self._voice and self._breath is not None and not self._breath.echo:
            self._spoken_over(now)

    def agent_stopped(self, now: float) -> None:
        """The agent's speech has ended, or was cut and is no longer heard."""
        self._agent_ended(now)

    def agent_said(self, now: float, heard: str, upcoming: str = "") -> None:
        """What was heard of the present speech, and what is known to follow; to be told with every word."""
        self._said = f"{heard}{upcoming}"
        if self._speaking and self._words.asks(heard, upcoming):
            self._asked_until = now + self._settings.answer_seconds
            breath = self._breath
            if breath is not None and now <= breath.started_at + self._settings.answer_grace_seconds:
                breath.asked = True

    def agent_in(self, now: float, situation: Situation) -> None:
        """The present speech has come to another kind of sentence."""
        self._situation = situation
        if self._ducked and self.policy == "ignore":
            self._restore("situation", now)
        if self.policy != "duck_then_cut" and self._breath is not None:
            self._breath.undecided_until = None

    def caller_started(self, now: float, *, echo: bool = False) -> None:
        """The voice detector hears a voice. `echo`: it is what the agent is playing; may be told again, corrected."""
        if self._voice and self._breath is not None:
            return self._echo_judged(now, echo)
        self._voice = True
        last = self._breath
        silent_since = last.ended_at if last is not None else None
        quiet = silent_since is not None and now - silent_since >= self._settings.quiet_seconds
        if quiet and not self._ducked:
            self._wordless_since = None
        self._breath = self._new_breath(now)
        self._breath.echo = echo
        if last is not None and last.is_aside and not last.passed and not quiet:
            self._breath.aside_words = last.aside_words
        if not echo:
            self._spoken_over(now)
        return None

    def caller_level(self, level_db: float) -> None:
        """How loud the present voice is against the caller's usual level."""
        if self._breath is not None:
            self._breath.level_db = level_db

    def caller_stopped(self, now: float, *, quiet_seconds: float = 0.0) -> None:
        """The voice detector hears it no more; `quiet_seconds`: the silence that it needed to be sure."""
        if self._voice and self._breath is not None:
            self._voice = False
            self._breath.ended_at = max(self._breath.started_at, now - quiet_seconds)

    def transcript(self, now: float, text: str, *, final: bool) -> Verdict:
        """The speech recogniser gives a text; the verdict is to be acted upon after the commands that are due."""
        breath = self._breath_of_text(now)
        if breath.echo and self._words.repeats(text, self._said):
            breath.echoed = (text, final)
            return Verdict(False, "echo")
        if self._words.kind(text) != "nothing":
            self._wordless_since = now
        if self._cut or not self._speaking:
            return self._judge_after_speech(now, breath, text, final=final)
        verdict = self._judge(now, breath, text, final=final)
        if verdict.reason not in ("undecided", "nothing"):
            breath.undecided_since = breath.undecided_until = None
        match verdict.reason:
            case "backchannel" | "aside" | "held" as heard:
                breath.heard = heard
                if final:
                    self._keep(now, breath, text)
        return verdict

    # --- what is to be done ---

    def due(self, now: float) -> list[Command]:
        """The commands whose time has come, in the order of execution; each is given once."""
        while (pending := self._next()) is not None and now >= pending[0]:
            if isinstance(pending[1], Cut):
                self._cut_speech(pending[1].reason, now)
            else:
                self._restore(pending[1].reason, now)
        commands, self._commands = self._commands, []
        return commands

    def deadline(self) -> float | None:
        """When `due` has to be asked next; None when nothing but an event can change anything."""
        if self._commands:
            return self._told_at
        pending = self._next()
        return None if pending is None else pending[0]

    @property
    def ducked(self) -> bool:
        return self._ducked

    @property
    def policy(self) -> Policy:
        """The policy of the present situation."""
        usual: Policy = "ignore" if self._situation == "important" else self._settings.policy
        return self._settings.situations.get(self._situation, usual)

    # --- what is to be made of it ---

    def _judge(self, now: float, breath: _Breath, text: str, *, final: bool) -> Verdict:
        """A text that comes while the agent is speaking."""
        kind = self._kind(breath, text)
        if kind == "nothing":
            return Verdict(False, "nothing")
        reason: Literal["stop", "speech", "answer"] = "stop" if kind == "stop" else "speech"
        if self.policy != "cut" and breath.over_agent:
            if kind == "backchannel":
                if not (breath.asked and self._words.answers(text)):
                    return Verdict(False, "backchannel")
                reason = "answer"
            elif self._is_aside(breath, text, kind, final=final):
                return Verdict(False, "aside")
            elif kind == "speech" and not final and self._undecided(now, breath, text):
                return Verdict(False, "undecided")
        if self.policy == "ignore" or (self.policy == "duck" and reason != "stop"):
            return Verdict(False, "held")
        self._cut_speech(reason, now)
        return Verdict(True, reason)

    def _judge_after_speech(self, now: float, breath: _Breath, text: str, *, final: bool) -> Verdict:
        """A text that comes when the agent is silent, or has just been told to stop: everything is a turn of the
        caller's, except a listener's word that was said while the agent spoke."""
        listener = breath.over_agent and not breath.asked and self._kind(breath, text) == "backchannel"
        if not breath.passed and listener and not self._closes(breath, text):
            if final:
                breath.withheld.append((now, text))
            return Verdict(False, "backchannel")
        self._release(now, breath)
        breath.passed = breath.passed or breath.over_agent
        return Verdict(True, "cut" if self._cut else "agent_silent")

    def _kind(self, breath: _Breath, text: str) -> Kind:
        return "backchannel" if breath.greeted and self._words.greets(text) else self._words.kind(text)

    def _closes(self, breath: _Breath, text: str) -> bool:
        stopped_at = self._agent_stopped_at
        last_moment = stopped_at is not None and breath.started_at >= stopped_at - self._settings.closing_seconds
        return last_moment and (self._words.answers(text) or self._words.greets(text))

    def _keep(self, now: float, breath: _Breath, text: str) -> None:
        """A final that is withheld: the caller has said what he said."""
        if breath.heard == "held":
            self._held.append(text)
        else:
            breath.withheld.append((now, text))
        if breath.is_aside:
            breath.aside_words += self._words.count(text)
        if self._ducked:
            self._restore(breath.heard, now)

    def _is_aside(self, breath: _Breath, text: str, kind: Kind, *, final: bool) -> bool:
        """Said to somebody else: by its words, or because it is soft, short and does not begin like a request."""
        settings, words = self._settings, self._words.count(text)
        if breath.asked or breath.aside_words + words > settings.aside_words:
            return False
        aside = self._words.aside(text)
        if aside == "surely" or kind == "stop":
            return aside == "surely"
        if aside == "perhaps":
            return self._is_soft(breath)
        if self._words.addressed(text):
            return False
        if words >= settings.soft_words or breath.is_aside or breath.aside_words:
            return self._is_soft(breath)
        return final and words > 1 and self._is_soft(breath, -settings.short_words_db)

    def _is_soft(self, breath: _Breath, margin_db: float = 0.0) -> bool:
        """Softer than usual; what has been taken for an aside once is not given up for a louder syllable."""
        limit_db = self._settings.aside_level_db + (2.0 if breath.is_aside else margin_db)
        return breath.level_db is not None and breath.level_db <= limit_db

    def _undecided(self, now: float, breath: _Breath, text: str) -> bool:
        """Whether an interim is to be waited for: it may become something else than speech, and there is time."""
        becoming = self._words.may_become(text)
        nearly_soft = self._is_soft(breath, self._settings.soft_margin_db) and not self._words.addressed(text)
        if becoming is None and nearly_soft and self._words.count(text) < self._settings.soft_words:
            becoming = "aside"
        if becoming is None or breath.asked or self.policy != "duck_then_cut":
            return False
        if breath.undecided_since is None:
            breath.undecided_since = now
        longest = self._settings.undecided_seconds
        if becoming == "aside":
            longest = self._settings.aside_undecided_seconds
        until = min(now + self._settings.decide_seconds, breath.undecided_since + longest)
        breath.undecided_until = until
        return now < until

    def _next(self) -> tuple[float, Restore | Cut] | None:
        """What time alone will bring, and when."""
        breath, settings = self._breath, self._settings
        if breath is None or not self._speaking or self._cut:
            return None
        quiet_from = None
        if not self._voice or breath.echo:
            quiet_from = breath.started_at if breath.ended_at is None else breath.ended_at
        if breath.undecided_until is not None:
            at = breath.undecided_until
            return (at if quiet_from is None else max(at, quiet_from + settings.final_seconds)), Cut("speech")
        coming: list[tuple[float, Restore | Cut]] = []
        if self._ducked:
            assert self._wordless_since is not None
            coming.append((self._wordless_since + settings.longest_duck_seconds, Restore("noise")))
            if quiet_from is not None:
                wait = settings.restore_seconds if breath.heard == "wordless" else 0.0
                coming.append((quiet_from + wait, Restore(breath.heard)))
            if not settings.interims and breath.over_agent and quiet_from is None and self.policy == "duck_then_cut":
                coming.append((breath.started_at + settings.voiced_cut_seconds, Cut("voice")))
        return min(coming, key=lambda pending: pending[0], default=None)

    def _spoken_over(self, now: float) -> None:
        """A voice is there while the agent speaks."""
        if self._wordless_since is None:
            self._wordless_since = now
        if not self._speaking or self._cut:
            return
        if self.policy == "cut":
            self._cut_speech("voice", now)
            return
        noise = now >= self._wordless_since + self._settings.longest_duck_seconds
        if self.policy != "ignore" and not self._ducked and not noise:
            self._ducked = True
            self._tell(Duck(), now)

    def _echo_judged(self, now: float, echo: bool) -> None:
        assert self._breath is not None
        if echo == self._breath.echo:
            return
        if echo:
            self._breath.echo = True
            if self._ducked:
                self._restore("echo", now)
            return
        before = self._breath
        self._breath, self._wordless_since = self._new_breath(now), now
        self._breath.aside_words, self._breath.level_db = before.aside_words, before.level_db
        self._spoken_over(now)
        if before.echoed is None:
            return
        text, final = before.echoed
        if self.transcript(now, text, final=final).pass_on and final:
            self._tell(Release((text,)), now)

    def _agent_ended(self, now: float) -> None:
        if not self._speaking:
            return
        self._speaking, self._cut, self._agent_stopped_at = False, False, now
        if self._ducked:
            self._restore("agent_stopped", now)
        if self._breath is not None:
            self._breath.undecided_since = self._breath.undecided_until = None
        self._release(now, None)

    def _cut_speech(self, reason: CutReason, now: float) -> None:
        self._cut, self._ducked = True, False
        self._tell(Cut(reason), now)
        if self._breath is not None:
            self._breath.passed = True
            self._breath.undecided_since = self._breath.undecided_until = None
        self._release(now, self._breath)

    def _restore(self, reason: RestoreReason, now: float) -> None:
        self._ducked = False
        self._tell(Restore(reason), now)

    def _release(self, now: float, breath: _Breath | None) -> None:
        """Give back what was held for the end of the speech, and what belongs to the words that pass now."""
        texts, self._held = self._held, []
        if breath is not None:
            texts = [*texts, *(text for at, text in breath.withheld if now - at <= self._settings.late_text_seconds)]
            breath.withheld.clear()
        if texts:
            self._tell(Release(tuple(texts)), now)

    def _tell(self, command: Command, now: float) -> None:
        self._told_at = now
        self._commands.append(command)

    def _breath_of_text(self, now: float) -> _Breath:
        """The voice that a text belongs to; the detector may have missed it."""
        last = self._breath
        if last is None or (last.ended_at is not None and now - last.ended_at > self._settings.late_text_seconds):
            last = self._breath = self._new_breath(now)
            last.ended_at = now
        return last

    def _new_breath(self, now: float) -> _Breath:
        asked = self._asked_until is not None and (now <= self._asked_until or not self._speaking)
        over_agent = self._speaking and not self._cut
        return _Breath(now, over_agent, asked, greeted=over_agent and self._situation == "greeting")
