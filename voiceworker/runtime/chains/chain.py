"""What the chains of all roles share: they are engines to the framework, and answer as the link that serves now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from livekit.agents import llm, stt, tts

from voiceworker.policy.outage import Role
from voiceworker.runtime.chains.breakers import Breakers
from voiceworker.runtime.chains.links import Failure, Link, OnSwitch, RetryAfters, Switch
from voiceworker.runtime.tasks import Tasks

Engine = TypeVar("Engine", bound=llm.LLM[Any] | stt.STT[Any] | tts.TTS[Any])


class Chain(Generic[Engine]):
    """To be inherited from ahead of the engine's base class; `_join` comes after the making of that one."""

    role: ClassVar[Role]
    links: tuple[Link[Engine], ...]
    breakers: Breakers
    tasks: Tasks
    retry_afters: RetryAfters

    def _join(
        self,
        links: Sequence[Link[Engine]],
        breakers: Breakers,
        on_switch: OnSwitch,
        given: Sequence[Link[Engine]] | None = None,
    ) -> None:
        """`given`: the links as they were handed in, where their engines had to be wrapped."""
        self.links = tuple(links)
        self._given = tuple(links if given is None else given)
        self.breakers = breakers
        self.tasks = Tasks()
        self.retry_afters = RetryAfters()
        self._on_switch = on_switch
        self._serving = links[0]
        for link in self._given:
            link.engine.on("metrics_collected", self._metrics_collected)
            self.retry_afters.listen_to(link.engine)

    if TYPE_CHECKING:

        def emit(self, event: Any, *args: Any) -> None: ...

    @property
    def model(self) -> str:
        return self._serving.engine.model

    @property
    def provider(self) -> str:
        return self._serving.engine.provider

    @property
    def serving(self) -> str:
        """The name of the link that was the last to answer, or will be the first."""
        return self._serving.name

    def now_serves(self, link: Link[Engine], failure: Failure | None) -> bool:
        """`failure`: of the one before, None: this one has recovered. True when it is another one."""
        old, self._serving = self._serving, link
        if old.name == link.name:
            return False
        self._on_switch(Switch(self.role, old.name, link.name, failure.reason if failure else "recovered"))
        return True

    async def aclose(self) -> None:
        """Closes the engines, too."""
        await self.tasks.aclose()
        for link in self._given:
            link.engine.off("metrics_collected", self._metrics_collected)
        engines = [link.engine for link in (*self.links, *self._given)]  # a wrapper before what it is wrapped around
        for engine in dict.fromkeys(engines):
            await engine.aclose()

    def _metrics_collected(self, figures: Any) -> None:
        self.emit("metrics_collected", figures)
