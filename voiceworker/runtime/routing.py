"""Applies the rules of an agent's file to a call: what policy/routing is told, and the definition that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from voiceworker.config import AgentDefinition, PlaceError
from voiceworker.policy.routing import (
    ROLES,
    Outcome,
    Role,
    RouteError,
    Routes,
    Terms,
    changed_roles,
    parse_routes,
)
from voiceworker.records.workers import Heartbeat

STICKY_KEYS = ("user_id", "user", "caller_id", "caller", "account_id", "phone")
"where the metadata may tell who calls, the first that is there; a rule may name another key as `sticky`"

INTENT = "intent"
"the fact that may come up in a call"
EXCHANGEABLE: Literal["llm"] = "llm"
"the role whose models may then be exchanged"


class CallRouting:
    """The models of one call: decided at its beginning, and again when the caller's intent has come up."""

    def __init__(
        self, definition: AgentDefinition, metadata: Mapping[str, Any], session: str, now: datetime, load: float
    ) -> None:
        """`now` is aware; for `load` see `load_of`. Raises PlaceError when the rules are broken."""
        self._routes = routes_of(definition)
        self._facts = dict(metadata)
        self._now, self._load = now, load
        self._sticky_key = sticky_key(metadata) or session
        self.decision = self._routes.choose(self._facts, now, load, self._sticky_key)
        self.definition = routed(definition, self.decision.decided)

    @property
    def intents(self) -> tuple[str, ...]:
        """Those that could change the models of this call while it is held."""
        return self._routes.asked(INTENT, EXCHANGEABLE)

    def learn_intent(self, intent: str) -> bool:
        """Decides anew with what the caller wants. Whether the language models are others now; often not.

        Nothing else changes: a recogniser that is exchanged loses words, and a voice that changes is another person.
        Time and load stay those of the call's beginning, too.
        """
        self._facts[INTENT] = intent
        again = self._routes.choose(self._facts, self._now, self._load, self._sticky_key)
        names = changed_roles(self.decision, again).get(EXCHANGEABLE)
        if names is None:
            return False
        self.decision = replace(again, models={**self.decision.models, EXCHANGEABLE: names})
        self.definition = routed(self.definition, {EXCHANGEABLE: names})
        return True


def routes_of(definition: AgentDefinition) -> Routes:
    """Raises PlaceError."""
    defaults: dict[Role, tuple[str, ...]] = {role: getattr(definition.models, role) for role in ROLES}
    try:
        return parse_routes(
            definition.routes, agent=definition.name, timezone=ZoneInfo(definition.timezone), defaults=defaults
        )
    except RouteError as error:
        raise PlaceError(("routes", *error.place), error.reason) from None


def routed(definition: AgentDefinition, terms: Terms) -> AgentDefinition:
    """The definition with what the rules decide; the same one when they decide nothing."""
    changes: dict[str, Any] = {}
    models: dict[str, Any] = {role: terms[role] for role in ROLES if role in terms}
    if models:
        changes["models"] = definition.models.model_copy(update=models)
    if "language" in terms:
        changes["language"] = terms["language"][0]
    if "eagerness" in terms:
        changes["turns"] = definition.turns.model_copy(update={"eagerness": terms["eagerness"][0]})
    return definition.model_copy(update=changes) if changes else definition


def sticky_key(metadata: Mapping[str, Any]) -> str:
    """Who calls, as far as the metadata says; empty when it does not."""
    values = (metadata.get(key) for key in STICKY_KEYS)
    known = (str(value) for value in values if isinstance(value, str | int) and not isinstance(value, bool))
    return next((text for text in known if text), "")


def load_of(workers: Iterable[Heartbeat]) -> float:
    """How much of all live workers' places is taken: 0 none of it, or no worker is known; 1 all of it."""
    beats = list(workers)
    capacity = sum(beat.capacity for beat in beats)
    return min(1.0, sum(beat.calls for beat in beats) / capacity) if capacity else 0.0


def check_routes(definition: AgentDefinition, check: Callable[[AgentDefinition], None]) -> None:
    """Reads the rules, and puts the definition that each rule would make, with each of its arms, to `check`.

    Raises PlaceError: what `check` finds wrong with the models is told where the rule names them.
    """
    for outcome in routes_of(definition).outcomes():
        try:
            check(routed(definition, outcome.terms))
        except PlaceError as error:
            raise PlaceError(_place(outcome, error.place), str(error)) from None


def _place(outcome: Outcome, place: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Where the rule says what is wrong at `place` of the definition that it makes; its first line if nowhere."""
    _, *rest = place
    for subject, there in outcome.places.items():
        if rest[:1] == [subject]:
            return ("routes", *there, *rest[1:])
    by_language = outcome.places.get("language")
    return ("routes", *(by_language or next(iter(outcome.places.values()))[:1]))
