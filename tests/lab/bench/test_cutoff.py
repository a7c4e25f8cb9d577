from pathlib import Path

import pytest

from voiceworker.lab.bench.cutoff import cut_offs, report, with_pauses
from voiceworker.lab.bench.latency import Turn
from voiceworker.lab.speech import Speech, SpokenWord


def speech(pause: float) -> Speech:
    words = (SpokenWord("one", 0, 0.5), SpokenWord("two", 0.5 + pause, 1 + pause))
    return Speech(f"pause-{pause}", "turn", "slt", Path("none.wav"), words, 1 + pause)


def test_utterances_with_a_pause_to_fall_into_are_chosen() -> None:
    chosen = with_pauses([speech(0.1), speech(0.3), speech(1.5), speech(2.5)])
    assert [one.longest_pause_seconds for one in chosen] == pytest.approx([0.3, 1.5])


def test_a_turn_that_was_spoken_into_is_a_cut_off_and_no_latency() -> None:
    turns = [
        Turn(0, "ours", "pause-0.3", 0.5, cut_off=False),
        Turn(0, "livekit", "pause-0.3", 1.0, cut_off=False),
        Turn(1, "ours", "pause-1.5", 0.6, cut_off=False),
        Turn(1, "livekit", "pause-1.5", None, cut_off=True),
    ]
    assert {name: share.value for name, share in cut_offs(turns).items()} == {"ours": 0.0, "livekit": 0.5}
    found = report(turns, {"pause-0.3": 0.3, "pause-1.5": 1.5}, {})
    v2v = next(line for line in found.lines if line.metric == "v2v p50")
    assert (v2v.interval.value, v2v.interval.pairs) == (0.5, 1)
    assert found.rounds[3]["longest_pause"] == 1.5
