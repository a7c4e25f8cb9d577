import pytest

from voiceworker.lab.bench.join import Join
from voiceworker.lab.bench.join import report as join_report
from voiceworker.lab.bench.load import Step
from voiceworker.lab.bench.load import report as load_report


def test_joins_are_compared_from_the_request_to_the_greeting() -> None:
    joins = [Join(n, "ours", 0.1, 0.4, 0.5) for n in range(10)] + [
        Join(n, "livekit", 0.05, 0.5, 1.0) for n in range(10)
    ]
    joins[0].greeting = None
    found = join_report(joins, {})
    first, after_connect, _ = found.lines
    assert (first.ours, first.theirs, first.interval.pairs, first.verdict) == ("500 ms", "1000 ms", 9, "met")
    assert after_connect.interval.value == pytest.approx(0.4 / 0.95)
    assert found.notes[0] == "ours: 1 of 10 calls without greeting"


def test_what_one_more_call_costs_is_a_slope() -> None:
    steps = [Step("ours", n, (0.5,) * n, 0, 0.2 + 0.08 * n, 300 + 40 * n, 0.3, 0.002) for n in (1, 2, 4)]
    steps += [Step("livekit", n, (1.0,) * n, 0, 0.4 + 0.16 * n, 500 + 80 * n, 0.3, 0.002) for n in (1, 2, 4)]
    cores, memory, *latencies = load_report(steps, {}).lines
    assert (cores.ours, cores.interval.value) == ("0.080 core", pytest.approx(0.5))
    assert memory.interval.value == pytest.approx(0.5)
    assert [line.interval.value for line in latencies] == pytest.approx([0.5, 0.5, 0.5])
