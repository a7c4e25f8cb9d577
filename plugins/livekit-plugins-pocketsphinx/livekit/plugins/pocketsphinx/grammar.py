"""What a JSGF grammar says a caller may say, as expected counts of word sequences.

The grammar is read and unfolded by pocketsphinx itself; here its weighted finite-state automaton is walked once with
all its probability, which gives the counts a corpus of endlessly many sentences of the grammar would show.
JSGF 1.0: https://www.w3.org/TR/2000/NOTE-jsgf-20000605/
"""

from __future__ import annotations

import heapq
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .native import library

START, END = "<s>", "</s>"
ORDER = 3
Ngram = tuple[str, ...]
Counts = list[dict[Ngram, float]]
"""Expected counts of n-grams; entry 0 holds single words, entry 1 pairs, entry 2 triples."""

_LOG_BASE = 1.0001
_SMALLEST_MASS = 1e-8  # what is left of a sentence when a loop of the grammar is no longer followed
_HEADER = re.compile(r"\bgrammar\s+([\w.]+)\s*;")
_DEFINITION = re.compile(r"<([^<>]+)>\s*=")
_PUBLIC = re.compile(r"\bpublic\s+<([^<>]+)>\s*=")
_REFERENCE = re.compile(r"<([^<>]+)>")
_NOT_GRAMMAR = re.compile(r"/\*.*?\*/|//[^\n]*|\{[^}]*\}|\"[^\"]*\"", re.DOTALL)


@dataclass(frozen=True)
class Arc:
    target: int
    probability: float
    word: str | None
    "None: nothing is said on the way"


@dataclass(frozen=True)
class Automaton:
    """A public rule, unfolded: the probabilities of the arcs that leave a state sum to one."""

    rule: str
    start: int
    final: int
    arcs: Mapping[int, list[Arc]]


def check(jsgf: str) -> tuple[str, list[str]]:
    """The grammar's name and its public rules. Raises ValueError, which names what is wrong with it."""
    plain = _NOT_GRAMMAR.sub(" ", jsgf)
    header = _HEADER.search(plain)
    if header is None:
        raise ValueError("a JSGF grammar needs a header: `#JSGF V1.0; grammar NAME;`")
    if re.search(r"\bimport\s*<", plain):
        raise ValueError("a JSGF grammar with `import` is not supported: hand over one text")
    undefined = set(_REFERENCE.findall(plain)) - set(_DEFINITION.findall(plain)) - {"NULL", "VOID"}
    if undefined:
        raise ValueError("the JSGF grammar does not define " + ", ".join(f"<{name}>" for name in sorted(undefined)))
    public = _PUBLIC.findall(plain)
    if not public:
        raise ValueError("the JSGF grammar has no public rule")
    with _parsed(jsgf):
        return header[1], public


def automata(jsgf: str) -> list[Automaton]:
    """One automaton for each public rule of the grammar. Raises ValueError, which names what is wrong with it."""
    grammar_name, rules = check(jsgf)
    return list(_unfold(jsgf, grammar_name, rules))


@contextmanager
def _parsed(jsgf: str) -> Iterator[int]:
    c = library()
    c.err_set_loglevel_str(b"ERROR")  # a syntax error's line is told on stderr alone
    grammar = c.jsgf_parse_string(jsgf.encode(), None)
    if grammar is None:
        raise ValueError("the JSGF grammar has a syntax error: pocketsphinx printed its line to stderr")
    try:
        yield grammar
    finally:
        c.jsgf_grammar_free(grammar)


def _unfold(jsgf: str, grammar_name: str, rules: list[str]) -> Iterator[Automaton]:
    c = library()
    log_math = c.logmath_init(_LOG_BASE, 0, 0)
    with _parsed(jsgf) as grammar:
        for rule in rules:
            found = c.jsgf_get_rule(grammar, f"{grammar_name}.{rule}".encode())
            model = c.jsgf_build_fsg_raw(grammar, found, log_math, 1.0)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "rule.fsg")
                c.fsg_model_writefile(model, str(path).encode())
                text = path.read_text()
            c.fsg_model_free(model)
            yield _read_automaton(rule, text)
    c.logmath_free(log_math)


def _read_automaton(rule: str, fsg: str) -> Automaton:
    """Reads Sphinx's FSG text: `START_STATE 0`, `FINAL_STATE 1`, `TRANSITION from to probability [word]`."""
    ends: dict[str, int] = {}
    arcs: dict[int, list[Arc]] = defaultdict(list)
    for line in fsg.splitlines():
        match line.split():
            case [("START_STATE" | "FINAL_STATE") as end, number]:
                ends[end] = int(number)
            case [("TRANSITION" | "T"), source, target, probability, *word]:
                arc = Arc(int(target), float(probability), word[0].strip('"').lower() if word else None)
                arcs[int(source)].append(arc)
    return Automaton(rule, ends["START_STATE"], ends["FINAL_STATE"], _alive(arcs, ends["FINAL_STATE"]))


def _alive(arcs: Mapping[int, list[Arc]], final: int) -> dict[int, list[Arc]]:
    """The arcs on which a sentence can still come to its end, their probabilities made to sum to one again."""
    sources: dict[int, set[int]] = defaultdict(set)
    for source, leaving in arcs.items():
        for arc in leaving:
            sources[arc.target].add(source)
    alive, waiting = {final}, [final]
    while waiting:
        new = sources[waiting.pop()] - alive
        alive |= new
        waiting += new
    kept = {state: [arc for arc in leaving if arc.target in alive] for state, leaving in arcs.items() if state in alive}
    totals = {state: sum(arc.probability for arc in leaving) for state, leaving in kept.items() if leaving}
    return {
        state: [replace(arc, probability=arc.probability / total) for arc in kept[state]]
        for state, total in totals.items()
    }


def expected_counts(rules: list[Automaton]) -> Counts:
    """Expected n-gram counts of one sentence of each rule, with its bounds. Raises ValueError on a rule without end."""
    counts: Counts = [defaultdict(float) for _ in range(ORDER)]
    for rule in rules:
        if rule.start not in rule.arcs:
            raise ValueError(
                f"no sentence of rule <{rule.rule}> ever ends: only recursion at the right end is possible"
            )
        _count(rule, counts)
    return counts


def _count(rule: Automaton, counts: Counts) -> None:
    """Adds the counts of one sentence."""
    ranks = _ranks(rule)
    waiting: dict[int, dict[Ngram, float]] = defaultdict(lambda: defaultdict(float))
    waiting[rule.start][(START,)] = 1.0
    # In topological order all of a state's mass is there when its turn comes; a loop brings a state back, with less.
    turns = [(ranks[rule.start], rule.start)]
    while turns:
        _, state = heapq.heappop(turns)
        for history, mass in waiting.pop(state, {}).items():
            if state == rule.final:
                _add(counts, (*history, END), mass)
            for arc in rule.arcs.get(state, ()):
                passed = mass * arc.probability
                if passed < _SMALLEST_MASS:
                    continue
                if arc.target not in waiting:
                    heapq.heappush(turns, (ranks[arc.target], arc.target))
                if arc.word is None:
                    waiting[arc.target][history] += passed
                else:
                    _add(counts, (*history, arc.word), passed)
                    waiting[arc.target][(*history, arc.word)[1 - ORDER :]] += passed


def _add(counts: Counts, words: Ngram, mass: float) -> None:
    for order in range(len(words)):
        counts[order][words[-1 - order :]] += mass


def _ranks(rule: Automaton) -> dict[int, int]:
    """The states' places in topological order, loops cut at the arc that closes them."""
    finished: list[int] = []
    seen = {rule.start}
    path = [(rule.start, iter(rule.arcs.get(rule.start, ())))]
    while path:
        state, leaving = path[-1]
        for arc in leaving:
            if arc.target not in seen:
                seen.add(arc.target)
                path.append((arc.target, iter(rule.arcs.get(arc.target, ()))))
                break
        else:
            finished.append(state)
            path.pop()
    return {state: rank for rank, state in enumerate(reversed(finished))}
