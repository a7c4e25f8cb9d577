"""Barge-in: the caller interrupts a long reply. When does the agent grow softer, fall silent; what does it believe?"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from voiceworker.lab.bench.heard import alternates, heard_text, remembered_wrongly, stale_words, told_of
from voiceworker.lab.bench.report import Goal, Line, Report
from voiceworker.lab.bench.rig import Rig, Seat
from voiceworker.lab.bench.stats import Interval, Pairs, abba, quantile, ratio, share_of
from voiceworker.lab.emulators.requests import Request
from voiceworker.lab.emulators.tones import words_of
from voiceworker.lab.material import samples_of
from voiceworker.lab.speech import Speech

FIRST_REPLY_ONSET = 0.8
"into the greeting: the first thing that the agent says in a call"
ONSETS = (0.5, 1.5, 4.5)
"seconds into a later reply"
_ANSWER_SECONDS = 12
_STOP_SECONDS = 18
"by then every reply has come to its own end: an agent that does not stop is as late as that"


@dataclass(slots=True)
class BargeIn:
    """One interruption. Seconds after the caller's first sample, where nothing else is said."""

    round: int
    system: str
    onset: float
    "how long the agent had been heard"
    first_reply: bool
    speech: str
    duck: float | None = None
    "until the level had fallen by 9 dB or more"
    silence: float | None = None
    "until the agent's last audible sample; of an agent that did not stop for it: to the end of its reply"
    next_v2v: float | None = None
    "from the end of the interruption to the answer to it; None: no answer"
    heard_error_words: int | None = None
    stale_words: int = 0
    "heard after the silence, and not of the new answer"
    alternates: bool | None = None
    heard: str = ""
    told: str = ""


async def interrupt(rig: Rig, seat: Seat, trial: BargeIn, speech: Speech, reply_onset: float) -> BargeIn:
    """The agent began to be heard at `reply_onset`; the caller begins `trial.onset` later. To the end of the answer."""
    line, ear = seat.line, seat.ear
    samples = await asyncio.to_thread(samples_of, speech)
    await line.pause(max(0.0, reply_onset + trial.onset - time.perf_counter()))
    said = seat.begin(speech, samples)
    await said.over.wait()
    started, ended = said.started_at, said.ended_at
    await line.until(lambda: ear.silence_after(started), _STOP_SECONDS)
    silence = ear.silence_after(started)
    ducked = ear.duck_after(started, within_seconds=_STOP_SECONDS)
    trial.duck = ducked - started if ducked is not None else None
    if silence is not None:
        trial.silence = max(0.0, silence - started)
        since = max(silence, ended)
        await line.until(lambda: ear.onset_after(since), _ANSWER_SECONDS)
        onset = ear.onset_after(since)
        trial.next_v2v = onset - ended if onset is not None else None
    await line.until_quiet(1.0, within_seconds=30)
    # in a thread: the callers' frames and the emulators must not wait for it
    await asyncio.to_thread(_read_words, rig, seat, trial, (reply_onset, silence, started))
    return trial


def _read_words(rig: Rig, seat: Seat, trial: BargeIn, times: tuple[float, float | None, float]) -> None:
    """What was heard of the old reply and of the new one, beside what the language model was told and said."""
    reply_onset, silence, started = times
    answers = [chat for chat in rig.emulators.chats(seat.name) if chat.started_at > started and chat.text]
    if silence is None or not answers:
        return
    chat: Request = answers[-1]
    heard = heard_text(seat.ear.between(reply_onset - 0.05, silence + 0.05))
    told = told_of(chat.messages)
    trial.heard, trial.told = " ".join(heard.words), " ".join(told)
    trial.heard_error_words = remembered_wrongly(told, heard)
    trial.alternates = alternates(chat.messages)
    after = heard_text(seat.ear.between(silence + 0.1, time.perf_counter()))
    trial.stale_words = len(stale_words(after, words_of(chat.text)))


async def long_reply(rig: Rig, seat: Seat, question: Speech, seed: str) -> float | None:
    """Asks, and waits until the reply, of at least 15 s, begins to be heard: when that was."""
    await seat.line.until_quiet(0.8)
    await seat.line.pause(random.Random(seed).uniform(0.1, 0.4))
    said = await seat.say(question)
    await seat.line.until(lambda: seat.ear.onset_after(said.ended_at), _ANSWER_SECONDS)
    return seat.ear.onset_after(said.ended_at)


async def run(
    rig: Rig,
    questions: Sequence[Speech],
    interruptions: Sequence[Speech],
    rounds: int,
    onsets: Sequence[float] = ONSETS,
) -> Report:
    """A round is a call to each system, interrupted in its greeting and in a reply for each of `onsets`."""
    trials: list[BargeIn] = []
    rig.replies.long_after(questions)
    await rig.calibrate()
    for number, order in enumerate(abba(tuple(rig.systems), rounds)):
        for name in order:
            async with rig.seat(name, greeted=False) as seat:
                for place, onset in enumerate((FIRST_REPLY_ONSET, *onsets)):
                    speech = interruptions[(number * (len(onsets) + 1) + place) % len(interruptions)]
                    trial = BargeIn(number, name, onset, place == 0, speech.name)
                    question = questions[(number + place) % len(questions)]
                    begun = await (
                        _greeting(seat) if place == 0 else long_reply(rig, seat, question, f"{number}/{place}")
                    )
                    if begun is not None:
                        await interrupt(rig, seat, trial, speech, begun)
                    trials.append(trial)
                    rig.options.say(_progress(trial))
    await rig.calibrate()
    return report(trials, rig.description())


async def _greeting(seat: Seat) -> float | None:
    await seat.line.until(lambda: seat.ear.onset_after(0), _ANSWER_SECONDS)
    return seat.ear.onset_after(0)


def _progress(trial: BargeIn) -> str:
    figures = [f"{value * 1000:5.0f}" if value is not None else "    -" for value in (trial.duck, trial.silence)]
    where = "greeting" if trial.first_reply else "reply"
    return (
        f"{trial.round:3d} {trial.system:8s} {trial.onset} s into {where:8s} duck {figures[0]} silent {figures[1]} ms, "
        f"heard-text error {trial.heard_error_words}, stale {trial.stale_words}"
    )


# --- judging: pure ---------------------------------------------------------------------------------------------------


def report(trials: Sequence[BargeIn], settings: dict[str, Any]) -> Report:
    found = Report("bargein", settings, rounds=[asdict(trial) for trial in trials])
    systems = list(dict.fromkeys(trial.system for trial in trials))
    for peer in [name for name in systems if name != "ours"]:
        found.lines += _compare(trials, peer)
    for name in systems:
        found.lines += _own_lines([trial for trial in trials if trial.system == name], name)
    return found


def _compare(trials: Sequence[BargeIn], peer: str) -> list[Line]:
    goals = {"livekit": (0.30, 0.70, 0.20), "pipecat": (0.80, None, None)}.get(peer, (None, None, None))
    later = [trial for trial in trials if not trial.first_reply]
    first = [trial for trial in trials if trial.first_reply]
    return [
        _line("time to duck, beside its time to silence", peer, later, ("duck", "silence"), goals[0]),
        _line("time to silence", peer, later, ("silence", "silence"), goals[1]),
        _line("time to silence, 0.8 s into the first reply", peer, first, ("silence", "silence"), goals[2]),
        _line("first audio of the answer to it", peer, later, ("next_v2v", "next_v2v"), None),
    ]


def _line(metric: str, peer: str, trials: Sequence[BargeIn], fields: tuple[str, str], bound: float | None) -> Line:
    table = {(trial.system, trial.round, trial.onset): trial for trial in trials}
    keys = sorted({(trial.round, trial.onset) for trial in trials})

    def column(system: str, name: str) -> list[float | None]:
        return [getattr(table[system, *key], name) if (system, *key) in table else None for key in keys]

    pairs = Pairs.of(column("ours", fields[0]), column(peer, fields[1]))
    ours, theirs = (f"{quantile(list(side), 0.5) * 1000:.0f} ms" for side in (pairs.ours, pairs.peers))
    return Line(metric, peer, ours, theirs, ratio(pairs), Goal(bound) if bound is not None else None)


def _own_lines(trials: Sequence[BargeIn], name: str) -> list[Line]:
    """What must hold for a system whatever the others do; goals are for ours alone."""
    goals = name == "ours"
    errors = [float(trial.heard_error_words) for trial in trials if trial.heard_error_words is not None]
    worst = quantile(errors, 0.95)
    stopped = share_of(sum(trial.silence is not None and trial.silence <= 2 for trial in trials), len(trials))
    answered = share_of(sum(trial.next_v2v is not None for trial in trials), len(trials))
    told = [trial for trial in trials if trial.alternates is not None]
    in_turn = share_of(sum(bool(trial.alternates) for trial in told), len(told))
    stale = sum(trial.stale_words > 0 for trial in trials)
    clean = share_of(len(trials) - stale, len(trials))
    error = Interval(worst, worst, worst, len(errors))
    return [
        Line("heard-text error, p95 (words)", name, f"{worst:.1f}", "", error, Goal(1) if goals else None),
        Line("silent within 2 s", name, _part(stopped), "", stopped, Goal(0.98, at_least=True) if goals else None),
        Line("answered", name, _part(answered), "", answered),
        Line("no stale word after the silence", name, _part(clean), "", clean),
        Line("history alternates", name, _part(in_turn), "", in_turn),
    ]


def _part(share: Interval) -> str:
    return f"{round(share.value * share.pairs)} of {share.pairs}" if share.pairs else "-"
