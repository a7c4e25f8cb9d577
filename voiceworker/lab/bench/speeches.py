"""What the callers of the benches say: the recorded material of tests/audio/turns, drawn by the seed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from voiceworker.config import ROOT, ConfigError
from voiceworker.lab.bench.cutoff import LEAST_PAUSE_SECONDS
from voiceworker.lab.material import Material, MaterialError, load_material, spread
from voiceworker.lab.speech import Speech, SpeechKind

DIRECTORY = ROOT / "tests" / "audio" / "turns"
_HARMLESS: tuple[SpeechKind, ...] = ("backchannel", "noise", "side_remark")


class Speeches:
    """The voices are mixed, and the same seed gives the same order. Raises ConfigError when the files are not there."""

    def __init__(self, seed: int) -> None:
        try:
            self._material: Material = load_material(DIRECTORY)
        except MaterialError as error:
            raise ConfigError(str(error)) from None
        self._seed = seed

    def whole_turns(self) -> list[Speech]:
        """Questions without a long silence inside."""
        return self._mixed([one for one in self._turns() if one.longest_pause_seconds < LEAST_PAUSE_SECONDS])

    def paused_turns(self) -> list[Speech]:
        """Questions with a silence of 0.3 s and more inside."""
        return self._mixed([one for one in self._turns() if one.longest_pause_seconds >= LEAST_PAUSE_SECONDS])

    def interruptions(self) -> list[Speech]:
        """What must stop the agent."""
        return self._mixed(self._material.of_kind("interruption"))

    def overlaps(self, count: int) -> list[Speech]:
        """What callers utter while the agent speaks: half of it true interruptions, half of it none, of every kind."""
        kinds = zip_longest(*(self._mixed(self._material.of_kind(kind)) for kind in _HARMLESS))
        harmless = [speech for some in kinds for speech in some if speech is not None]
        return [*harmless[: count // 2], *self.interruptions()[: count - count // 2]]

    def _turns(self) -> Sequence[Speech]:
        return self._material.of_kind("turn")

    def _mixed(self, speeches: Sequence[Speech]) -> list[Speech]:
        return list(spread(speeches, len(speeches), self._seed))
