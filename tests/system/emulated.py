"""`voiceworker up` on emulated providers, and what a caller who asks them questions gets to hear."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml
from joining import until
from rich.console import Console
from rig import make_key, private_environment

from voiceworker.config import Settings, load_settings
from voiceworker.events import AgentTranscript, ErrorOccurred, Event, ModelsSwitched
from voiceworker.lab.audio import SAMPLE_RATE, Samples
from voiceworker.lab.bench.heard import alternates
from voiceworker.lab.caller import Caller
from voiceworker.lab.emulators import Fault, ProviderEmulators, Sentences
from voiceworker.lab.emulators.requests import text_of
from voiceworker.lab.emulators.tones import decode, words_of
from voiceworker.lab.invitation import by_session_api
from voiceworker.lab.speech import Speech
from voiceworker.records import Records, open_records
from voiceworker.records.transcripts import Role
from voiceworker.stack.log import ReadableLog
from voiceworker.stack.up import Stack

OPENAI_KEY, DEEPGRAM_KEY, STANDBY_KEY = "one-key", "other-key", "third-key"
"so that a fault can strike one of two models of a role; STANDBY_KEY is that of an endpoint's STANDBY_API_KEY"

FILLER = "One moment, please."


@dataclass(frozen=True)
class Providers:
    """Where the worker finds them: the emulators themselves, or a port ahead of them."""

    openai_url: str
    deepgram_url: str


@dataclass(frozen=True)
class Rig:
    settings: Settings
    url: str
    "of the API"
    key: str


@asynccontextmanager
async def running(
    directory: Path, providers: Providers | ProviderEmulators, agents: Sequence[dict[str, Any]], **environment: str
) -> AsyncIterator[Rig]:
    """The first of the agents is the default one."""
    folder = directory / "agents"
    folder.mkdir()
    for agent in agents:
        (folder / f"{agent['name']}.yaml").write_text(yaml.safe_dump(agent), encoding="utf-8")
    environment = (
        private_environment(directory)
        | {
            "OPENAI_API_KEY": OPENAI_KEY,
            "OPENAI_BASE_URL": providers.openai_url,
            "DEEPGRAM_API_KEY": DEEPGRAM_KEY,
            "DEEPGRAM_BASE_URL": providers.deepgram_url,
            "STANDBY_API_KEY": STANDBY_KEY,
            "VOICEWORKER_AGENTS_DIRECTORY": str(folder),
            "VOICEWORKER_DEFAULT_AGENT": agents[0]["name"],
        }
        | environment
    )
    settings = load_settings(environment)
    with (
        (directory / "log.txt").open("w") as output,
        closing(ReadableLog(Console(file=output, width=200), directory / "log")) as log,
    ):
        stack = Stack(settings, log, environment)
        await stack.start()
        try:
            yield Rig(settings, f"http://127.0.0.1:{settings.api_port}", make_key(settings))
        finally:
            await stack.stop()


@dataclass(frozen=True)
class Answer:
    """To one question, as the caller got it."""

    question: Speech
    silence_seconds: float | None
    "from the last sample of the question to the first of the answer that is loud"
    heard: tuple[str, ...]
    "tone words; what is no word of the emulated voice is `?`, or nothing"
    switches: tuple[str, ...]
    "by their roles"


@dataclass
class Call:
    """A caller in a call, and what came of it."""

    caller: Caller
    emulators: ProviderEmulators
    session: str
    recording: Path
    answers: list[Answer] = field(default_factory=list)
    _spans: list[tuple[Speech, float, float, float | None, tuple[str, ...]]] = field(default_factory=list)

    async def ask(self, question: Speech, amid: Fault | None = None) -> None:
        """Says it and waits for the answer. `amid`: strikes the recogniser when its first words have come.

        Raises NoAnswerError when none is heard.
        """
        known, before = len(self.emulators.heard), len(self.events)
        self.emulators.expect(question, time.perf_counter())
        saying = asyncio.ensure_future(self.caller.say(question.path))
        if amid is not None:
            await until(lambda: len(self.emulators.heard) > known or saying.done())
            assert self.emulators.strike(amid) == 1
        said = await saying
        turn = await self.caller.wait_for_reply()
        assert said.ended_at is not None
        silence = None if turn.first_audio_ms is None else turn.first_audio_ms / 1000
        switches = tuple(event.role for event in self.events[before:] if isinstance(event, ModelsSwitched))
        self._spans.append((question, said.ended_at, time.perf_counter(), silence, switches))

    @property
    def events(self) -> list[Event]:
        return [envelope.event for envelope in self.caller.events]

    @property
    def agent_said(self) -> list[str]:
        """Its finished sentences, greeting and all, in their order."""
        return [event.text.strip() for event in self.events if isinstance(event, AgentTranscript)]

    def read_recording(self) -> None:
        """When the call is over: fills `answers`."""
        sound: Samples = soundfile.read(self.recording, dtype="int16", always_2d=True)[0][:, 1]
        for question, began, ended, silence, switches in self._spans:
            edges = [max(0, round((moment - self.caller.joined_at) * SAMPLE_RATE)) for moment in (began, ended)]
            words = [word.text for word in decode(np.ascontiguousarray(sound[edges[0] : edges[1]]))]
            self.answers.append(Answer(question, silence, tuple(words), switches))


@asynccontextmanager
async def call_to(
    rig: Rig, emulators: ProviderEmulators, agent: str, directory: Path, *, key: str = "", **body: Any
) -> AsyncIterator[Call]:
    """From the greeting to the end, after which all of it is written down."""
    recording = directory / f"{agent}.wav"
    async with by_session_api(rig.url, key or rig.key, agent, **body) as invitation:
        async with Caller(invitation, recording=recording) as caller:
            call = Call(caller, emulators, invitation.session, recording)
            await caller.wait_for_greeting()
            yield call
        call.read_recording()
    with closing(open_records(rig.settings.records_url)) as records:
        await until(lambda: no_call_is_held(records))


def no_call_is_held(records: Records) -> bool:
    """By then all of it is written down; the session ends before, by the caller's wish."""
    return [beat.calls for beat in records.workers.live(datetime.now(UTC))] == [0]


def words_understood(settings: Settings, session: str) -> list[str]:
    """The caller's words as they are in the records of a call that is over."""
    with closing(open_records(settings.records_url)) as records:
        lines = records.transcripts.lines(session)
    return " ".join(line.text for line in lines if line.role is Role.CALLER).split()


def words_said(questions: Sequence[Speech]) -> list[str]:
    return [word.text for question in questions for word in question.words]


def assert_whole(rig: Rig, call: Call, questions: Sequence[Speech], replies: Sentences) -> None:
    """Of a call that is over: no word of the caller was lost or doubled, each question got its whole answer, and the
    language model was told the conversation as it was."""
    assert words_understood(rig.settings, call.session) == words_said(questions)
    wanted = [replies.text(number) for number in range(1, len(questions) + 1)]
    assert [_without_filler(text) for text in call.agent_said[1:]] == wanted
    assert not [event for event in call.events if isinstance(event, ErrorOccurred)]
    history = call.emulators.chats()[-1].messages
    assert alternates(history)
    told = [_without_filler(text_of(message)) for message in history if message["role"] == "assistant"]
    assert told[-len(wanted) + 1 :] == wanted[:-1]


def _without_filler(text: str) -> str:
    return text.replace(FILLER, "").strip()


def report(name: str, call: Call, replies: Sentences) -> None:
    """Of each turn: how long the caller waited, which words he did not hear or heard twice."""
    reasons = [f"{event.role}: {event.reason}" for event in call.events if isinstance(event, ModelsSwitched)]
    print(f"\n{name}: {'; '.join(reasons)}")
    for number, answer in enumerate(call.answers, 1):
        written = words_of(replies.text(number))
        heard = [word for word, _ in itertools.groupby(answer.heard) if word != "?"]
        missing = [word for word in written if word not in heard]
        more = [word for word in dict.fromkeys(heard) if heard.count(word) > written.count(word)]
        silence = "never answered" if answer.silence_seconds is None else f"{answer.silence_seconds:.2f} s of silence"
        print(
            f"  turn {number}: {silence}, {len(written) - len(missing)} of {len(written)} words heard"
            f"{f', lost {missing}' if missing else ''}{f', too many {more}' if more else ''}"
        )
