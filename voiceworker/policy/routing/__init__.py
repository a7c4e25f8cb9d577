"""Which models answer this caller? Rules of an agent's file, tried in their order; pure.

A rule has conditions (`when`) and names what it decides: lists of models for some roles, the language, the eagerness.
Of the rules that match, the first that names a role decides it: one rule can choose the language model by the plan, and
another one the recogniser and the voice by the language, without a rule for each pair of them. Where no rule says
anything, the agent's own lists stand. docs/routing.md is the operator's page.

`parse_routes` reads the rules and names every mistake with its place; `Routes.choose` decides, and explains each rule.
"""

from voiceworker.policy.routing.conditions import RouteError
from voiceworker.policy.routing.decisions import (
    DEFAULT,
    EAGERNESS,
    ROLES,
    Arm,
    Decision,
    Explanation,
    Outcome,
    Role,
    Route,
    Routes,
    Subject,
    Terms,
    changed_roles,
)
from voiceworker.policy.routing.reading import parse_routes

__all__ = [
    "DEFAULT",
    "EAGERNESS",
    "ROLES",
    "Arm",
    "Decision",
    "Explanation",
    "Outcome",
    "Role",
    "Route",
    "RouteError",
    "Routes",
    "Subject",
    "Terms",
    "changed_roles",
    "parse_routes",
]
