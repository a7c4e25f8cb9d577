"""Rules that match, the arms of their splits, and what they decide together; pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal

from voiceworker.policy.routing.conditions import Condition, FactCondition, Moment, Place, look_up

Role = Literal["stt", "llm", "tts", "realtime"]
Subject = Literal["stt", "llm", "tts", "realtime", "language", "eagerness"]
"what a rule can decide"
Terms = Mapping[Subject, tuple[str, ...]]
"""what a rule or an arm decides: names of models by preference; one word for a language or an eagerness"""

ROLES: tuple[Role, ...] = ("stt", "llm", "tts", "realtime")
SUBJECTS: tuple[Subject, ...] = (*ROLES, "language", "eagerness")
EAGERNESS = ("patient", "balanced", "eager")
DEFAULT = "default"
"the rule's name where none has decided anything"


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of a split: it decides besides, or instead of, what its rule decides for all arms."""

    name: str
    weight: float
    "0: nobody is sent here"
    terms: Terms


@dataclass(frozen=True, slots=True)
class Route:
    """One rule."""

    name: str
    conditions: tuple[Condition, ...]
    "all have to hold; none: it matches every call"
    terms: Terms
    arms: tuple[Arm, ...] = ()
    sticky: str = ""
    "the key of the metadata by whose text or number callers stay in their arms; else what `choose` is told counts"

    def subjects(self) -> frozenset[Subject]:
        return frozenset(self.terms).union(*(arm.terms for arm in self.arms))

    def arm_of(self, agent: str, key: str) -> Arm | None:
        """The same arm for the same key, always.

        By weighted rendezvous hashing: an arm that is given more weight takes callers from the others, and no caller
        changes between two of those. (Thaler and Ravishankar 1998; the weights after Schindelhauer and Schomaker 2005)
        """
        if not self.arms:
            return None
        return min(self.arms, key=lambda arm: _distance(arm, agent, self.name, key))


def _distance(arm: Arm, *identity: str) -> float:
    if not arm.weight:
        return math.inf
    digest = hashlib.sha256(json.dumps([*identity, arm.name]).encode()).digest()
    drawn = (int.from_bytes(digest[:8], "big") >> 12) + 0.5  # a float holds this exactly; it is never 0 or 1
    return -math.log(drawn / 2**52) / arm.weight


@dataclass(frozen=True, slots=True)
class Explanation:
    """How one rule fared."""

    rule: str
    matched: bool
    arm: str
    "the arm of its split; empty: it has none, or did not count"
    decided: tuple[Subject, ...]
    "what it decides in this call"
    text: str
    "for a person; may tell values of the metadata"


@dataclass(frozen=True, slots=True)
class Decision:
    rule: str
    "the rules that decide something, joined by ` + `; `default` when none does"
    arm: str
    "RULE:ARM of each rule with a split that counts, joined by ` + `; empty when there is none"
    models: Mapping[Role, tuple[str, ...]]
    "for each role the names by preference: the rules' over the agent's own"
    decided: Terms
    "what the rules say, alone"
    by: Mapping[Subject, str]
    "which rule decided each of them"
    explanations: tuple[Explanation, ...]
    "one for each rule, in their order"

    @property
    def language(self) -> str | None:
        """Instead of the agent's own; None: no rule names one."""
        return _word(self.decided.get("language"))

    @property
    def eagerness(self) -> str | None:
        """Instead of the agent's own; None: no rule names one."""
        return _word(self.decided.get("eagerness"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule, with one of its arms, would decide were it alone; for checks at load."""

    terms: Terms
    places: Mapping[Subject, Place]
    "where each of them stands"


@dataclass(frozen=True, slots=True)
class Routes:
    rules: tuple[Route, ...] = ()
    agent: str = ""
    timezone: tzinfo = UTC
    defaults: Terms = field(default_factory=dict)
    "the agent's own lists"

    def choose(self, facts: Mapping[str, Any], now: datetime, load: float, sticky_key: str) -> Decision:
        """Decides for a call, or again within it when a fact has come up: then with the `now` and the `load` of the
        call's beginning, so that nothing but the fact changes anything.

        `now` is aware. `sticky_key` is the caller as he is known, or the session's id.
        """
        if now.tzinfo is None:
            raise ValueError("now needs a timezone")
        moment = Moment(facts, now.astimezone(self.timezone), load)
        decided: dict[Subject, tuple[str, ...]] = {}
        by: dict[Subject, str] = {}
        explanations = []
        for rule in self.rules:
            explanation, terms = self._try(rule, moment, by, sticky_key)
            explanations.append(explanation)
            for subject in explanation.decided:
                decided[subject], by[subject] = terms[subject], rule.name
        counted = [one for one in explanations if one.decided or one.arm]
        return Decision(
            rule=" + ".join(one.rule for one in counted) or DEFAULT,
            arm=" + ".join(f"{one.rule}:{one.arm}" for one in counted if one.arm),
            models={role: decided.get(role, self.defaults.get(role, ())) for role in ROLES},
            decided=decided,
            by=by,
            explanations=tuple(explanations),
        )

    def _try(
        self, rule: Route, moment: Moment, by: Mapping[Subject, str], sticky_key: str
    ) -> tuple[Explanation, Terms]:
        denials = [denial for condition in rule.conditions if (denial := condition.denial(moment))]
        if denials:
            return Explanation(rule.name, False, "", (), "; ".join(denials)), {}
        taken = [
            f"{subject} is decided by {by[subject]}" for subject in SUBJECTS if subject in rule.subjects() & by.keys()
        ]
        if len(taken) == len(rule.subjects()):  # a split that can change nothing is no trial: its arm is not recorded
            return Explanation(rule.name, True, "", (), f"matches, too late: {', '.join(taken)}"), {}
        own = _text(look_up(moment.facts, rule.sticky)) if rule.sticky else None
        arm = rule.arm_of(self.agent, sticky_key if own is None else own)
        terms = {**rule.terms, **(arm.terms if arm else {})}
        decided = tuple(subject for subject in SUBJECTS if subject in terms and subject not in by)
        parts = [f"arm {arm.name}"] if arm else []
        parts += [f"decides {', '.join(decided)}" if decided else "leaves all as it is", *taken]
        return Explanation(rule.name, True, arm.name if arm else "", decided, f"matches: {'; '.join(parts)}"), terms

    def asked(self, key: str, subject: Subject) -> tuple[str, ...]:
        """The texts under `key` of the metadata for which rules ask that could decide the subject; each once."""
        conditions = [one for rule in self.rules if subject in rule.subjects() for one in rule.conditions]
        texts = [
            text for one in conditions if isinstance(one, FactCondition) and one.key == key for text in one.texts()
        ]
        return tuple(dict.fromkeys(texts))

    def outcomes(self) -> Iterator[Outcome]:
        """Every rule alone, with every arm that it has."""
        for index, rule in enumerate(self.rules):
            own: dict[Subject, Place] = {subject: (index, subject) for subject in rule.terms}
            if not rule.arms:
                yield Outcome(rule.terms, own)
            for arm in rule.arms:
                places: dict[Subject, Place] = {subject: (index, "split", arm.name, subject) for subject in arm.terms}
                yield Outcome({**rule.terms, **arm.terms}, own | places)


def changed_roles(before: Decision, after: Decision) -> dict[Role, tuple[str, ...]]:
    """The roles whose models are others after than before, with the new lists: what a running call has to exchange."""
    return {role: names for role, names in after.models.items() if names != before.models.get(role, ())}


def _word(words: tuple[str, ...] | None) -> str | None:
    return words[0] if words else None


def _text(value: Any) -> str | None:
    """Of what can tell callers apart; None for the rest."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, int | float) else None
