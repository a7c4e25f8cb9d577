from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("faster_whisper", reason="faster-whisper is not installed", exc_type=ImportError)

from livekit.plugins.fasterwhisper.pace import PAUSE_SECONDS, QUICK_SECONDS, Heard, covers, is_due

SLOW, QUICK = 2.0, 0.05
seconds = st.floats(0, 30)


@st.composite
def moments(draw: st.DrawFn) -> Heard:
    until = draw(seconds)
    return Heard(until, draw(st.floats(0, until)), draw(st.floats(0, until)), draw(st.booleans()))


@pytest.mark.parametrize(
    ("heard", "cost_seconds", "due"),
    [
        (Heard(until=1.0, voice_until=1.0), SLOW, False),  # a slow machine waits for a pause
        (Heard(until=1.25, voice_until=1.0), SLOW, True),
        (Heard(until=1.25, voice_until=1.0), None, True),
        (Heard(until=1.3, voice_until=1.0, decoded_until=1.2), SLOW, False),  # nothing was said since
        (Heard(until=2.0, voice_until=2.0, decoded_until=1.2, running=True), SLOW, False),
        (Heard(until=2.25, voice_until=2.0, decoded_until=1.2, running=True), SLOW, True),  # another pause: anew
        (Heard(until=0.5, voice_until=0.5), QUICK, True),  # a quick one shows what it hears
        (Heard(until=0.7, voice_until=0.7, decoded_until=0.5), QUICK, False),
        (Heard(until=0.9, voice_until=0.9, decoded_until=0.5), QUICK, True),
        (Heard(until=0.9, voice_until=0.9, decoded_until=0.5, running=True), QUICK, False),
        (Heard(until=0.5, voice_until=0.5), None, False),
    ],
)
def test_it_decodes_in_pauses_and_while_he_speaks_where_that_is_quick(
    heard: Heard, cost_seconds: float | None, due: bool
) -> None:
    assert is_due(heard, cost_seconds) is due


@given(moments(), st.none() | seconds)
def test_what_is_covered_is_not_decoded_again_and_a_pause_that_is_not_is_decoded(
    heard: Heard, cost_seconds: float | None
) -> None:
    due = is_due(heard, cost_seconds)
    assert not (due and covers(heard))
    if heard.until - heard.voice_until >= PAUSE_SECONDS:
        assert due or covers(heard)


@given(moments(), st.floats(QUICK_SECONDS, 30, exclude_min=True))
def test_a_slow_machine_decodes_in_pauses_alone(heard: Heard, cost_seconds: float) -> None:
    assert not is_due(heard, cost_seconds) or heard.until - heard.voice_until >= PAUSE_SECONDS
