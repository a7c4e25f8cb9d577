from __future__ import annotations

import pytest

from voiceworker.lab.emulators.delays import FAST, SLOW, TYPICAL, Delays


def test_fast_is_half_and_slow_is_double() -> None:
    assert Delays(0.3, 0.2, 0.2, 0.2, 50, 0.1, 0.2) == TYPICAL
    assert Delays(0.15, 0.1, 0.1, 0.1, 100, 0.05, 0.1) == FAST
    assert Delays(0.6, 0.4, 0.4, 0.4, 25, 0.2, 0.4) == SLOW


@pytest.mark.parametrize("options", [{"final_seconds": -1}, {"tokens_per_second": 0}, {"interim_every_seconds": 0}])
def test_delays_that_cannot_be_are_errors(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Delays(**options)


def test_a_factor_is_above_zero() -> None:
    with pytest.raises(ValueError, match="factor"):
        TYPICAL.times(0)
