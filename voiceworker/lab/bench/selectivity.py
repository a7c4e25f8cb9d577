"""Selectivity: what must not stop the agent, and what must. Both from one setting, in quiet, with echo, in noise."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import Any

from voiceworker.lab.bench.bargein import long_reply
from voiceworker.lab.bench.ear import Ear
from voiceworker.lab.bench.heard import heard_text, is_whole
from voiceworker.lab.bench.report import Goal, Line, Report
from voiceworker.lab.bench.rig import LONG_WORDS, Rig, Seat
from voiceworker.lab.bench.rooms import Arm, room
from voiceworker.lab.bench.stats import Interval, quantile, share_of
from voiceworker.lab.emulators.tones import WORD_SECONDS, words_of
from voiceworker.lab.material import samples_of
from voiceworker.lab.speech import Speech, SpeechKind

STILL_TALKING_SECONDS = 1.0
"after its beginning: an agent that has stopped by then took it for an interruption (tau-voice)"
YIELD_SECONDS = 2.0
"within which a true interruption has silenced the agent (tau-voice)"
RESTORED_SECONDS = 0.5
_FIRST_AT = 1.2
_NEXT_AFTER = 2.2
"seconds of undisturbed reply before an event, and between two of them"
_ENOUGH_LEFT_SECONDS = 4.0
_CALL_EVENTS = 25
_LONGEST_HOLD_UP_SECONDS = 0.06
"of the bench's own frames: beyond it, sound is missing on the way to either side, and nothing can be said"


@dataclass(slots=True)
class Event:
    """One sound that the caller made while the agent spoke. Seconds."""

    arm: str
    round: int
    system: str
    kind: SpeechKind
    speech: str
    voice: str
    disturbed: bool = False
    "the agent was talking when it began; otherwise there is nothing to judge"
    stopped: float | None = None
    "from the first sample of it to the agent's last; None: the agent was still talking 2 s after the event's end"
    still_talking: bool | None = None
    "at 1.0 s; None: the reply came to its own end before"
    restored: float | None = None
    "from its end until the agent was as loud as before; 0 when it never grew softer"
    whole: bool | None = None
    "no word of the reply around it was lost or said twice"
    heard: str = ""
    "the words from a second before it to nearly a second after it"
    held_up: float = 0.0
    "how late the bench's own frames were meanwhile"
    unheard: bool = False
    "the emulated recogniser did not find its words in what it received"

    @property
    def right(self) -> bool | None:
        """Whether the agent did what a person would have done; None when it cannot be said."""
        if not self.disturbed or self.unheard or self.held_up > _LONGEST_HOLD_UP_SECONDS:
            return None
        if self.kind == "interruption":
            return self.stopped is not None and self.stopped <= YIELD_SECONDS
        if self.still_talking is None:
            return None
        back = self.restored is not None and self.restored <= RESTORED_SECONDS
        return self.still_talking and back and bool(self.whole)


async def disturb(rig: Rig, seat: Seat, event: Event, speech: Speech) -> None:
    """Makes the sound now, while the agent talks, and watches for two seconds after its end."""
    line, ear = seat.line, seat.ear
    samples = await asyncio.to_thread(samples_of, speech)
    before_at, unheard_before = time.perf_counter(), len(rig.emulators.unheard)
    level = ear.level(before_at - 1.0, before_at)
    said = seat.begin(speech, samples)
    await said.over.wait()
    await line.pause(max(0.0, said.started_at + YIELD_SECONDS + 0.4 - time.perf_counter()))
    await line.pause(0.6)
    judge(ear, event, said.started_at, said.ended_at, level)
    text = rig.emulators.chats(seat.name)[-1].text
    around = await asyncio.to_thread(heard_text, ear.between(said.started_at - 1.0, said.ended_at + 0.9))
    event.whole, event.heard = is_whole(around, words_of(text)), " ".join(around.words)
    event.held_up = line.held_up_since(before_at)
    event.unheard = speech in rig.emulators.unheard[unheard_before:]


def judge(ear: Ear, event: Event, started: float, ended: float, level: float) -> None:
    """Fills in what can be heard: did it stop, is it talking, is it as loud as before."""
    event.disturbed = ear.is_talking(started)
    silence = ear.silence_after(started)
    event.stopped = max(0.0, silence - started) if silence is not None and silence < ended + YIELD_SECONDS else None
    event.still_talking = ear.is_talking(started + STILL_TALKING_SECONDS) and (
        event.stopped is None or event.stopped >= STILL_TALKING_SECONDS
    )
    back = ear.restored_after(ended, level, within_seconds=1.5)
    event.restored = back - ended if back is not None else None


async def run(rig: Rig, questions: Sequence[Speech], events: Sequence[Speech], arms: Sequence[Arm]) -> Report:
    """Each arm has its own calls; `events` come in an order drawn once, the same for each system.

    The systems have their calls at the same time: what is judged here are tenths of seconds.
    """
    found: list[Event] = []
    rig.replies.long_after(questions)
    await rig.calibrate()
    for arm in arms:
        order = random.Random(f"{rig.options.seed}/{arm}").sample(list(events), len(events))
        for number, (asked, block) in enumerate(callers(questions, order)):
            calls = [_call(rig, name, (arm, number), asked, block) for name in rig.systems]
            found += [event for some in await asyncio.gather(*calls) for event in some]
        await rig.calibrate()
    return report(found, rig.description())


def callers(questions: Sequence[Speech], events: Sequence[Speech]) -> list[tuple[list[Speech], list[Speech]]]:
    """What each caller asks, and utters meanwhile, in calls of not too many events. A caller has one voice; sounds that
    are nobody's are dealt out. Pure."""
    voices = list(dict.fromkeys(question.voice for question in questions))
    nobodys = cycle(voices)
    owners = [event.voice if event.voice in voices else next(nobodys) for event in events]
    found = []
    for voice in voices:
        asked = [question for question in questions if question.voice == voice]
        own = [event for event, owner in zip(events, owners, strict=True) if owner == voice]
        found += [(asked, own[begin : begin + _CALL_EVENTS]) for begin in range(0, len(own), _CALL_EVENTS)]
    return found


async def _call(
    rig: Rig, name: str, place: tuple[Arm, int], questions: Sequence[Speech], speeches: Sequence[Speech]
) -> list[Event]:
    """One call: long replies, with events inside as long as there is enough of a reply left."""
    arm, number = place
    found: list[Event] = []
    reply_ends = 0.0
    async with rig.seat(name, room(arm)) as seat:
        for count, speech in enumerate(speeches):
            event = Event(arm, number, name, speech.kind, speech.name, speech.voice)
            found.append(event)
            now = time.perf_counter()
            if not seat.ear.is_talking(now) or reply_ends - now < _ENOUGH_LEFT_SECONDS + speech.seconds:
                await _until_asked_again(seat)
                begun = await long_reply(rig, seat, questions[count % len(questions)], f"{arm}/{number}/{count}")
                if begun is None:
                    continue
                reply_ends = begun + LONG_WORDS * WORD_SECONDS
                await seat.line.pause(max(0.0, begun + _FIRST_AT - time.perf_counter()))
            else:
                await seat.line.pause(_NEXT_AFTER - 1.0)
            await disturb(rig, seat, event, speech)
            if event.stopped is not None or event.kind == "interruption":
                reply_ends = 0.0  # what is heard from now on is another reply
            rig.options.say(_progress(event))
    return found


async def _until_asked_again(seat: Seat) -> None:
    """What is left of the reply is heard out: a question into it would be one more interruption."""
    await seat.line.until_quiet(1.2, within_seconds=40)


def _progress(event: Event) -> str:
    verdict = {True: "right", False: "WRONG", None: "not judged"}[event.right]
    stopped = f"stopped after {event.stopped:.2f} s" if event.stopped is not None else "went on"
    return f"{event.arm:5s} {event.system:8s} {event.kind:12s} {event.speech:28s} {stopped}, {verdict}"


# --- judging: pure ---------------------------------------------------------------------------------------------------

_MUST_NOT_STOP: tuple[SpeechKind, ...] = ("backchannel", "noise", "side_remark")


def shares(events: Sequence[Event]) -> dict[str, dict[str, Interval]]:
    """{kind: {system: share that was right}}, of those that can be judged."""
    found: dict[str, dict[str, Interval]] = {}
    for kind in (*_MUST_NOT_STOP, "interruption"):
        for system in dict.fromkeys(event.system for event in events):
            own = [event.right for event in events if (event.kind, event.system) == (kind, system)]
            judged = [right for right in own if right is not None]
            if judged:
                found.setdefault(kind, {})[system] = share_of(sum(judged), len(judged))
    return found


def report(events: Sequence[Event], settings: dict[str, Any]) -> Report:
    body = [asdict(event) | {"right": event.right} for event in events]
    found = Report("selectivity", settings, rounds=body)
    arms = list(dict.fromkeys(event.arm for event in events))
    for arm in (*arms, "") if len(arms) > 1 else arms:
        found.lines += _arm_lines([event for event in events if arm in ("", event.arm)], arm or "all arms")
    found.notes += [_note(events, system) for system in dict.fromkeys(event.system for event in events)]
    if unheard := sum(event.unheard for event in events):
        found.notes.append(f"{unheard} sounds not judged: the emulated recogniser did not find their words")
    if held_up := sum(event.held_up > _LONGEST_HOLD_UP_SECONDS for event in events):
        found.notes.append(f"{held_up} sounds not judged: this machine held the bench up while they were made")
    return found


def _note(events: Sequence[Event], system: str) -> str:
    """Why it was wrong about what must not stop it."""
    own = [one for one in events if one.system == system and one.kind in _MUST_NOT_STOP and one.right is not None]
    going = [one for one in own if one.still_talking]
    back = [one.restored for one in going if one.restored is not None and one.restored > 0]
    late = sum(one.restored is None or one.restored > RESTORED_SECONDS for one in going)
    broken = sum(one.whole is False for one in going)
    restored = f"p50 {quantile(back, 0.5):.2f} s, p95 {quantile(back, 0.95):.2f} s" if back else "never softer"
    return (
        f"{system}: of {len(own)} sounds that must not stop it, {len(going)} left it talking after 1 s; as loud as "
        f"before after their end: {restored}; too late {late}; {broken} replies with a word lost or said twice"
    )


def _arm_lines(events: Sequence[Event], arm: str) -> list[Line]:
    lines = []
    for kind, by_system in (shares(events) | {"all that must not stop it": _harmless(events)}).items():
        ours = by_system.get("ours")
        bound = 0.98 if kind == "interruption" else 0.90
        for system, share in by_system.items():
            goal = Goal(bound, at_least=True) if system == "ours" else None
            verb = "stopped within 2 s" if kind == "interruption" else "survived"
            own = ours if ours is not None else share
            lines.append(Line(f"{arm}: {kind}, {verb}", system, _percent(own), _percent(share), share, goal))
    return lines


def _harmless(events: Sequence[Event]) -> dict[str, Interval]:
    found = {}
    for system in dict.fromkeys(event.system for event in events):
        judged = [
            event.right
            for event in events
            if event.system == system and event.kind in _MUST_NOT_STOP and event.right is not None
        ]
        if judged:
            found[system] = share_of(sum(judged), len(judged))
    return found


def _percent(share: Interval) -> str:
    return f"{share.value * 100:.0f} %"
