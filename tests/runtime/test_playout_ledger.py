from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.runtime.playout_ledger import FRAME_SAMPLES, Grid, PlayoutLedger, SentFrame


def frame(offset: int = 0, segment: int = 1, count: int = FRAME_SAMPLES) -> SentFrame:
    return SentFrame(segment, offset, count, np.zeros(FRAME_SAMPLES, np.int16), 1.0, 1.0)


def test_the_grid_is_the_earliest_phase_that_was_seen() -> None:
    grid = Grid()
    for late in (0.004, 0.0005, 0.002, 0.0001, 0.003):
        grid.completed(7.0 + late)
    assert grid.moment(grid.index(7.0105)) == pytest.approx(7.0101)
    assert grid.index(7.0100) == grid.index(7.0102) - 1


def test_a_clock_that_stood_still_is_followed_in_the_end() -> None:
    grid = Grid()
    grid.completed(7.0)
    for tick in range(40):
        grid.completed(9.004 + tick * 0.01)
    assert grid.moment(grid.index(9.5)) % 0.01 == pytest.approx(0.004)


def test_a_frame_leaves_at_the_tick_after_the_one_before_it() -> None:
    ledger = PlayoutLedger()
    ledger.grid.completed(5.003)
    leaves = [ledger.send(frame(place * 240), 5.0041).leaves_at for place in range(3)]
    assert leaves == pytest.approx([5.013, 5.023, 5.033])
    assert [sent.offset for sent in ledger.advance(5.0235)] == [0, 240]
    assert [sent.offset for sent in ledger.take_back(5.0235)] == [480]
    assert ledger.dry_at is None


def test_an_empty_queue_makes_a_gap_between_two_runs() -> None:
    ledger = PlayoutLedger()
    ledger.grid.completed(5.0)
    ledger.send(frame(0), 5.001)
    ledger.send(frame(240), 5.001)
    ledger.advance(5.1)
    ledger.send(frame(480, count=100), 5.1005)
    ledger.advance(5.2)
    assert [(round(run.started_at, 3), run.offset, run.count) for run in ledger.runs(1)] == [
        (5.01, 0, 480),
        (5.11, 480, 100),
    ]
    assert ledger.position(1, 5.02) == 240
    assert ledger.position(1, 5.07) == 480
    assert ledger.position(1, 9.0) == 580


@given(
    st.lists(
        st.tuples(st.floats(0.0, 0.03), st.sampled_from(["send", "advance", "take back"])), min_size=1, max_size=60
    )
)
def test_whatever_happens_every_sample_leaves_once_in_order_or_is_taken_back(steps: list[tuple[float, str]]) -> None:
    ledger = PlayoutLedger()
    ledger.grid.completed(1.0)
    now, place, left, position = 1.0, 0, [], 0
    for wait, step in steps:
        now += wait
        left += [sent.offset for sent in ledger.advance(now)]
        if step == "send":
            sent = ledger.send(frame(place), now)
            assert sent.leaves_at > now
            place += FRAME_SAMPLES
        elif step == "take back":
            taken = ledger.take_back(now)
            place -= FRAME_SAMPLES * len(taken)
        assert ledger.position(1, now) >= position
        position = ledger.position(1, now)
    left += [sent.offset for sent in ledger.advance(now + 100)]
    assert left == list(range(0, place, FRAME_SAMPLES))
    assert ledger.position(1, now + 100) == place


@pytest.mark.parametrize("believed", [4, 5, 6, 7, 8])
def test_what_the_source_shows_twice_is_believed(believed: int) -> None:
    ledger = PlayoutLedger()
    ledger.grid.completed(5.0)
    for place in range(believed):
        ledger.send(frame(place * FRAME_SAMPLES), 5.0001)
    for tick in (5.0, 5.0):  # six frames are in its queue
        ledger.completed(tick + 0.0001, 6)
    ledger.advance(5.0002)
    last = ledger.waiting[-1]
    assert last.leaves_at == pytest.approx(5.06)
    assert [sent.leaves_at for sent in ledger.waiting] == sorted({sent.leaves_at for sent in ledger.waiting})


def test_a_completion_that_is_heard_of_late_changes_nothing() -> None:
    ledger = PlayoutLedger()
    ledger.grid.completed(5.0)
    for place in range(8):
        ledger.send(frame(place * FRAME_SAMPLES), 5.0001)
    before = ledger.waiting
    for _ in range(3):
        ledger.completed(5.004, 6)
    assert ledger.waiting == before
