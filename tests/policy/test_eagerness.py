from __future__ import annotations

import pytest

from voiceworker.policy.eagerness import Eagerness, turn_timing

EAGERNESSES: tuple[Eagerness, ...] = ("eager", "balanced", "patient")


def test_the_more_patient_the_longer_every_wait() -> None:
    eager, balanced, patient = (turn_timing(eagerness) for eagerness in EAGERNESSES)
    for field in ("minimum_silence_seconds", "maximum_silence_seconds", "vad_silence_seconds", "pace"):
        assert getattr(eager, field) < getattr(balanced, field) < getattr(patient, field)


@pytest.mark.parametrize("eagerness", EAGERNESSES)
def test_the_turn_model_gets_the_silence_that_it_needs(eagerness: Eagerness) -> None:
    assert turn_timing(eagerness).vad_silence_seconds >= 0.25


def test_callers_of_a_quick_language_are_answered_more_quickly() -> None:
    paces = [turn_timing("balanced", language).pace for language in ("ja", "nl", "en-GB", "it", "da")]
    assert paces == sorted(paces)
    assert paces[0] == pytest.approx(0.9)
    assert paces[-1] == pytest.approx(1.13)


def test_a_language_that_was_not_measured_has_the_mean_tempo() -> None:
    assert turn_timing("balanced", "xx").pace == 1.0
