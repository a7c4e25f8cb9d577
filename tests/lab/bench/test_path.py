import pytest

from voiceworker.lab.bench.path import Passage, report


def test_each_part_is_compared_with_the_frameworks_own() -> None:
    passages = [Passage(number, "source", 0.05, 0.10) for number in range(8)]
    passages += [Passage(number, "input", 0.04, 0.05) for number in range(8)]
    passages += [Passage(number, "silence", 0.1, 0.3) for number in range(8)]
    passages[0].ours = None  # a sound that was lost
    found = report(passages, {})
    source, heard, silence = found.lines
    assert (source.ours, source.theirs, source.interval.pairs, source.verdict) == ("50 ms", "100 ms", 7, "met")
    assert heard.interval.value == pytest.approx(0.8)
    assert silence.interval.value == pytest.approx(1 / 3)
    assert found.notes[2] == "from text to the first sound of the voice: 200 ms less than the framework's own, p50"
