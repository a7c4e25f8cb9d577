"""What is known of a caller's channel: the mean of the features, which the decoder subtracts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .native import FRAMES_PER_SECOND

# Where the wheel's acoustic model starts from, by the file feat.params it was published with.
_PRIOR = (41.00, -5.29, -0.12, 5.09, 2.48, -4.07, -1.37, -1.78, -5.08, -2.05, -6.45, -1.42, 1.17)
_PRIOR_SECONDS = 1.0
_ENOUGH_SECONDS = 4.0


@dataclass(frozen=True)
class Channel:
    """An estimate by what was heard so far, which begins as the average of the voices the model was made from."""

    mean: tuple[float, ...] = _PRIOR
    seconds: float = _PRIOR_SECONDS
    "how much speech the estimate stands for, the prior's share included"

    @property
    def is_known(self) -> bool:
        """Enough has been heard for the decoder's own slow adaptation to carry on."""
        return self.seconds >= _ENOUGH_SECONDS

    def with_speech(self, mean: Sequence[float], frames: int) -> Channel:
        """The estimate after speech of so many frames with its own mean."""
        seconds = frames / FRAMES_PER_SECOND
        total = self.seconds + seconds
        blended = ((self.seconds * known + seconds * new) / total for known, new in zip(self.mean, mean, strict=True))
        return Channel(tuple(blended), total)
