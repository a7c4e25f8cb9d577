"""What caller and models do in a long call, drawn by lot: questions, tools, interruptions, listeners' words, faults."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from typing import Any, Literal

from voiceworker.lab.emulators import Conversation, Delays, Fault, ProviderEmulators, Reply, Sentences, ToolCall
from voiceworker.lab.long_call.call import LongCall
from voiceworker.lab.material import Material, samples_of
from voiceworker.lab.speech import Speech, SpeechKind

TURN_SECONDS = 10.0
"six turns a minute"

AT_ONCE = Delays(
    first_interim_seconds=0.1,
    interim_every_seconds=0.2,
    final_seconds=0.0,
    first_token_seconds=0.0,
    tokens_per_second=1e6,
    first_audio_seconds=0.0,
    leading_silence_seconds=0.0,
)

Happening = Literal["plain", "interruption", "backchannel", "noise", "typed"]
_HAPPENINGS: dict[Happening, int] = {"plain": 70, "interruption": 12, "backchannel": 8, "noise": 5, "typed": 5}

_SPEECHES: dict[SpeechKind, int] = {"turn": 24, "interruption": 8, "backchannel": 6, "noise": 6}
"few enough that all have been said, and are in the lab's memory, before the measuring begins"

FAULTS = (
    Fault("llm", "status", probability=0.02),
    Fault("llm", "hang", probability=0.01),
    Fault("llm", "reset", probability=0.01),
    Fault("tts", "refuse", probability=0.02),
    Fault("tts", "hang", probability=0.01, after_seconds=0.1),
    Fault("tts", "reset", probability=0.01, after_seconds=0.1),
)
FAULTS_OF_RECOGNITION = (
    Fault("stt", "reset", probability=0.4, after_seconds=200),
    Fault("stt", "hang", probability=0.3, after_seconds=300),
    Fault("stt", "refuse", probability=0.1),
)
"""Its connections last for hours. They fail in the first part of the call only: what grows with a connection would else
begin anew with the next one, and not be seen."""


class Replies:
    """A third of the answers look something up first; now and then the intent becomes another."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(f"replies/{seed}")
        self._sentences = Sentences(12, words_per_sentence=6, seed=seed)
        self.tools = Counter[str]()

    def __call__(self, conversation: Conversation) -> Reply:
        if not conversation.is_after_tool:
            luck = self._dice.random()
            if luck < 0.25:
                return self._called(*(ToolCall("look_up", {"name": "Ann"}) for _ in range(self._dice.randint(1, 2))))
            if luck < 0.33:
                intent = self._dice.choice(["complaint", "something else"])
                return self._called(ToolCall("note_intent", {"intent": intent}))
        return Reply(self._sentences.text(self._dice.randrange(10_000)))

    def _called(self, *calls: ToolCall) -> Reply:
        self.tools.update(call.name for call in calls)
        return Reply("", calls)


class Caller:
    def __init__(self, call: LongCall, emulators: ProviderEmulators, material: Material, seed: int) -> None:
        self._call = call
        self._emulators = emulators
        self._dice = random.Random(f"caller/{seed}")
        self._speeches = {kind: material.sample(kind, count, seed) for kind, count in _SPEECHES.items()}
        self.happened = Counter[str]()
        "of which kind, and how many turns did not settle"

    async def turn(self) -> None:
        """One, from its beginning to the beginning of the next."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        happening = self._dice.choices([*_HAPPENINGS], [*_HAPPENINGS.values()])[0]
        self.happened[happening] += 1
        if happening == "typed":
            self._call.session.generate_reply(user_input="I would rather write this.")
        else:
            await self._say("turn")
            await self._call.mouth.silence(1.0)
        if happening in ("interruption", "backchannel", "noise") and await self._call.speaks():
            await self._call.mouth.silence(self._dice.uniform(0.1, 1.0))
            await self._say(happening)
            await self._call.mouth.silence(1.0)
        if not await self._call.settled():
            self.happened["unsettled"] += 1
        await asyncio.sleep(max(0.0, began + TURN_SECONDS - loop.time()))

    async def _say(self, kind: SpeechKind) -> None:
        speech: Speech = self._dice.choice(self._speeches[kind])
        if speech.words:
            self._emulators.expect(speech, time.perf_counter())
        await self._call.mouth.say(samples_of(speech))


def forget(emulators: ProviderEmulators) -> None:
    """What the providers of the lab would remember for the tests of other things."""
    emulators.requests.clear()
    emulators.heard.clear()
    remembered: Any = emulators
    remembered._expectations.forget(time.perf_counter())
