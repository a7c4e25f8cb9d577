"""A simulated caller: what he wants, and what he answers to whatever the agent asks. Pure.

The same scenarios drive text tests and spoken rehearsals: a Persona reads the agent's words and gives the next line to
say. He listens: a read-back that names another day, time or name than he wants is corrected, never confirmed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_MOST_FALLBACKS = 6
"""So many answers in a row to questions he has no line for, then he gives up."""
_MOST_TURNS = 40


@dataclass(frozen=True)
class Answer:
    """What is said when the agent's words fit."""

    asks: re.Pattern[str]
    says: tuple[str, ...]
    "Said in turn; the last one again and again."
    times: int
    "How often this answer is given at most; 0 for any number. A change of mind comes once."


@dataclass(frozen=True)
class Fact:
    """Something that a read-back must get right."""

    name: str
    heard: re.Pattern[str]
    "Must occur in the read-back."
    correction: tuple[str, ...]
    "Said when it does not."


@dataclass(frozen=True)
class Scenario:
    """One caller's wish, his words, and the calendar it must end in."""

    id: str
    before: tuple[Mapping[str, str], ...]
    "Rows in the calendar before the call."
    rows: tuple[Mapping[str, str], ...]
    "Rows after it, all of them: name, service, starts_at, status."
    opening: tuple[str, ...]
    "His first line, once the greeting is over; said again, or in other words, when it was not understood."
    answers: tuple[Answer, ...]
    read_back: re.Pattern[str]
    "Marks a question that asks for a yes to something that will be done."
    facts: tuple[Fact, ...]
    agrees: tuple[str, ...]
    achieved: re.Pattern[str]
    "Marks the news that his wish is granted."
    closing: re.Pattern[str]
    "Marks a question to which he says `thanks`, once his wish is granted; until then he says it again."
    thanks: str
    spelling: tuple[str, ...]
    "Said when he is asked to spell his name."
    done: re.Pattern[str]
    "Marks the agent's goodbye: he hangs up."
    lost: re.Pattern[str]
    "Marks an agent that has not understood what he wants."
    fallback: tuple[str, ...]
    "Said to anything else, in turn."

    def lines(self) -> list[str]:
        """Every line he may say, each once, in order: what must be rendered as speech."""
        groups = [
            self.opening,
            *(answer.says for answer in self.answers),
            *(fact.correction for fact in self.facts),
            self.agrees,
            (self.thanks,),
            self.spelling,
            self.fallback,
        ]
        return list(dict.fromkeys(line for group in groups for line in group))


class Persona:
    """One caller in one call. Deterministic."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._given: dict[str, int] = {}
        self._fallbacks = 0
        self._turns = 0
        self._achieved = False

    def reply(self, agent_text: str) -> str | None:
        """His answer to what the agent has said since he spoke; None when he hangs up.

        The first reply, to the greeting, is his opening line.
        """
        scenario = self.scenario
        heard = normalise(agent_text)
        self._turns += 1
        self._achieved = self._achieved or bool(scenario.achieved.search(heard))
        if scenario.done.search(heard) or self._turns > _MOST_TURNS:
            return None
        if self._turns == 1:
            return self._next("opening", scenario.opening)
        if scenario.closing.search(heard) and self._achieved:
            return scenario.thanks
        if "spell" in heard and scenario.spelling:
            return self._next("spelling", scenario.spelling)
        line = self._answer(heard, question_of(agent_text)) or self._to_read_back(heard)
        if line is not None:
            self._fallbacks = 0
            return line
        self._fallbacks += 1
        if self._fallbacks > _MOST_FALLBACKS:
            return None
        if scenario.lost.search(heard) or scenario.closing.search(heard):
            return self._next("opening", scenario.opening)
        return self._next("fallback", scenario.fallback)

    def _answer(self, heard: str, question: str) -> str | None:
        """The first answer that fits the question; answers that are given once may fit any of the words."""
        for number, answer in enumerate(self.scenario.answers):
            key = f"answer {number}"
            if answer.times and self._given.get(key, 0) >= answer.times:
                continue
            if answer.asks.search(heard if answer.times else question):
                return self._next(key, answer.says)
        return None

    def _to_read_back(self, heard: str) -> str | None:
        scenario = self.scenario
        if not scenario.read_back.search(heard):
            return None
        for fact in scenario.facts:
            if not fact.heard.search(heard):
                return self._next(f"fact {fact.name}", fact.correction)
        return self._next("agrees", scenario.agrees)

    def _next(self, key: str, lines: tuple[str, ...]) -> str:
        count = self._given.get(key, 0)
        self._given[key] = count + 1
        return lines[min(count, len(lines) - 1)] if key != "fallback" else lines[count % len(lines)]


def normalise(text: str) -> str:
    """Lower case, single spaces, no punctuation but apostrophes."""
    return " ".join(re.findall(r"[a-z0-9']+", text.lower().replace("\u2019", "'")))


def question_of(text: str) -> str:
    """The last question of a text, normalised; the whole of it if it asks nothing."""
    sentences = re.findall(r"[^.!?]*[.!?]?", text)
    questions = [sentence for sentence in sentences if sentence.strip().endswith("?")]
    return normalise(questions[-1] if questions else text)


def read_scenarios(path: Path) -> list[Scenario]:
    """Scenarios of a YAML file; keys of `defaults` stand in for what a scenario leaves out.

    Raises OSError, yaml.YAMLError, KeyError for a key that is missing, re.error.
    """
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [_scenario(entry, document["defaults"]) for entry in document["scenarios"]]


def _scenario(entry: Mapping[str, Any], defaults: Mapping[str, Any]) -> Scenario:
    return Scenario(
        id=entry["id"],
        before=tuple(entry.get("before", ())),
        rows=tuple(entry["rows"]),
        opening=_lines(entry["opening"]),
        answers=tuple(_answers([*entry.get("answers", ()), *defaults["answers"]])),
        read_back=re.compile(entry.get("read_back", defaults["read_back"])),
        facts=tuple(
            Fact(name, re.compile(fact["heard"]), _lines(fact["correction"])) for name, fact in entry["facts"].items()
        ),
        agrees=_lines(entry.get("agrees", defaults["agrees"])),
        done=re.compile(entry.get("done", defaults["done"])),
        lost=re.compile(entry.get("lost", defaults["lost"])),
        achieved=re.compile(entry.get("achieved", defaults["achieved"])),
        closing=re.compile(entry.get("closing", defaults["closing"])),
        thanks=entry.get("thanks", defaults["thanks"]),
        spelling=_lines(entry.get("spelling", [])),
        fallback=_lines(entry.get("fallback", defaults["fallback"])),
    )


def _answers(entries: Iterable[Mapping[str, Any]]) -> Iterable[Answer]:
    for entry in entries:
        yield Answer(re.compile(entry["asks"]), _lines(entry["says"]), int(entry.get("times", 0)))


def _lines(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
