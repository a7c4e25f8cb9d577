"""What the engines of a call are put into: from inside out a meter, a speech gate, a chain with those that stand by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from livekit.agents import llm, stt, tts

from voiceworker.config import AgentDefinition, Settings
from voiceworker.events import Event, ModelsSwitched
from voiceworker.models import ModelName
from voiceworker.policy.outage import Role as ChainRole
from voiceworker.policy.pricing import PriceTable
from voiceworker.probe import probe_of
from voiceworker.providers import COMPATIBLE, Role
from voiceworker.runtime.chains import Breakers, HttpProbe, Link, Switch
from voiceworker.runtime.chains.apology import Apology
from voiceworker.runtime.chains.language_model import LanguageModelChain
from voiceworker.runtime.chains.recognition import SpeechRecognitionChain
from voiceworker.runtime.chains.voice import VoiceChain
from voiceworker.runtime.engines import Assembly, EngineBuilder, Links
from voiceworker.runtime.metering import Meter
from voiceworker.runtime.speech_gate import SpeechGate, gate_detector

_HEALTH_FILE = "providers.json"
"what the calls of this machine know of which provider is out of order"

_PATIENCE: dict[tuple[Role, str], float] = {
    ("llm", "ollama"): 4.0,
    ("llm", COMPATIBLE): 4.0,
    ("tts", "openai"): 1.5,
    ("tts", "piper"): 2.0,
    ("stt", "whisper"): 10.0,
}
"seconds: what answers on this machine, or waits for the whole text, is not taken to hang as soon as others are"

_Engine = TypeVar("_Engine")
_Whole = TypeVar("_Whole", stt.STT[Any], llm.LLM[Any], tts.TTS[Any])


@dataclass(slots=True)
class Listeners:
    """What a call wants to be told. Engines are made before it is there."""

    tell: Callable[[Event], None] = lambda _event: None
    on_deaf: Callable[[], None] = lambda: None
    "the caller has said something that no recogniser has heard"
    on_no_answer: Callable[[], None] = lambda: None
    "the caller waits for a reply, and no language model gives one"
    filler: Callable[[], str] = lambda: ""
    "what is said while the language model takes its time; empty when nothing may be"
    on_mute: Callable[[], str] = lambda: ""
    "no voice answers: which of the texts that were prepared is said instead; empty: none"
    on_success: Callable[[ChainRole], None] = lambda _role: None
    "a distant model of this role has done its work"


class CallModels:
    """Of one call: its meter, its breakers, and the chains that they are part of."""

    def __init__(self, settings: Settings, prices: PriceTable) -> None:
        """Raises UnknownCurrencyError."""
        self.prices = prices
        self.meter = Meter(prices, settings.budget_currency)
        self.breakers = Breakers(settings.data_directory / _HEALTH_FILE, on_success=self._succeeded)
        self.settings = settings
        self.listeners = Listeners()
        self._apologies: dict[str, Apology] = {}
        "by their text"
        self._made: list[stt.STT[Any] | llm.LLM[Any] | tts.TTS[Any]] = []

    def engines(self, definition: AgentDefinition) -> EngineBuilder:
        """Raises what EngineBuilder does."""
        return EngineBuilder(definition, self.settings, self.settings.now, _CallAssembly(self, definition))

    def switched(self, switch: Switch) -> None:
        self.listeners.tell(ModelsSwitched(switch.role, from_=switch.old, to=switch.new, reason=switch.reason))

    def nothing_heard(self) -> None:
        self.listeners.on_deaf()

    def no_answer(self) -> None:
        self.listeners.on_no_answer()

    def filler(self) -> str:
        return self.listeners.filler()

    def mute(self) -> Apology | None:
        return self.apology(self.listeners.on_mute())

    def apology(self, text: str) -> Apology | None:
        """This text from a file, where it was prepared."""
        return self._apologies.get(text)

    async def prepare(self, language: str, *texts: str) -> None:
        """Makes what may have to be said when no voice answers, in the built-in one; nothing where that one speaks."""
        for text in texts if any(isinstance(engine, VoiceChain) for engine in self._made) else ():
            apology = Apology(self.settings.cache_directory / "apologies", text, voice=language)
            await apology.prepare()
            self._apologies[text] = apology

    def kept(self, engine: _Whole) -> _Whole:
        """It is closed with the rest."""
        self._made.append(engine)
        return engine

    def _succeeded(self, role: ChainRole) -> None:
        self.listeners.on_success(role)

    async def aclose(self) -> None:
        """After the call is over: closes its engines, too."""
        for engine in self._made:
            await engine.aclose()
        await self.breakers.aclose()


class _CallAssembly(Assembly):
    """What is embedded costs nothing and does not fail: it gets neither gate nor meter, and alone no chain. Alone, a
    distant one is a chain as well: that is what waits for it no longer than a caller does, and says so."""

    def __init__(self, models: CallModels, definition: AgentDefinition) -> None:
        self._models = models
        self._definition = definition

    def hearing(self, links: Links[stt.STT[Any]]) -> stt.STT[Any]:
        models = self._models
        made = [(name, self._gated(name, engine)) for name, engine in links]
        if _is_embedded(made):
            return models.kept(made[0][1])
        members = [self._link("stt", name, engine) for name, engine in made]
        return models.kept(
            SpeechRecognitionChain(members, models.breakers, models.switched, on_deaf=models.nothing_heard)
        )

    def thinking(self, links: Links[llm.LLM[Any]]) -> llm.LLM[Any]:
        models = self._models
        made = [(name, engine if name.embedded else models.meter.llm(name.priced, engine)) for name, engine in links]
        if _is_embedded(made):
            return models.kept(made[0][1])
        members = [self._link("llm", name, engine, continues=name.provider != "script") for name, engine in made]
        return models.kept(LanguageModelChain(members, models.breakers, models.switched, filler=models.filler))

    def speaking(self, links: Links[tts.TTS[Any]]) -> tts.TTS[Any]:
        models = self._models
        made = [(name, engine if name.embedded else models.meter.tts(name.priced, engine)) for name, engine in links]
        if _is_embedded(made):
            return models.kept(made[0][1])
        members = [self._link("tts", name, engine) for name, engine in made]
        return models.kept(VoiceChain(members, models.breakers, models.switched, on_down=models.mute))

    def _gated(self, name: ModelName, engine: stt.STT[Any]) -> stt.STT[Any]:
        if name.embedded:
            return engine
        metered = self._models.meter.stt(name.priced, engine)
        if name.paid and engine.capabilities.streaming and self._definition.limits.speech_gate:
            return SpeechGate(metered, vad=gate_detector())  # around the meter: what is sent is what is paid for
        return metered

    def _link(self, role: Role, name: ModelName, engine: _Engine, *, continues: bool = True) -> Link[_Engine]:
        free = probe_of(name, self._definition, self._models.settings)
        probe = HttpProbe(free.url, dict(free.headers)) if free is not None and free.asks else None
        patience = _PATIENCE.get((role, name.provider))
        return Link(str(name), engine, probe, patience, continues)


def _is_embedded(made: Sequence[tuple[ModelName, object]]) -> bool:
    """One engine, that is here always."""
    return len(made) == 1 and made[0][0].embedded
