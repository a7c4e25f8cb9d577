import numpy as np
import pytest

from voiceworker.lab.bench.stats import Pairs, abba, quantile, ratio, share_of, slope, unpaired_ratio


def test_every_second_round_runs_backwards() -> None:
    assert abba(["ours", "livekit"], 4) == [
        ("ours", "livekit"),
        ("livekit", "ours"),
        ("ours", "livekit"),
        ("livekit", "ours"),
    ]
    assert abba("abc", 2) == [("a", "b", "c"), ("c", "b", "a")]


def test_a_constant_ratio_has_an_interval_of_no_width() -> None:
    peers = list(np.random.default_rng(1).uniform(500, 900, 30))
    found = ratio(Pairs.of([value / 2 for value in peers], peers))
    assert found.value == pytest.approx(0.5)
    assert (found.low, found.high) == (pytest.approx(0.5), pytest.approx(0.5))
    assert found.pairs == 30


def test_the_interval_holds_the_true_ratio_and_narrows_with_more_pairs() -> None:
    random = np.random.default_rng(2)
    widths = []
    for pairs in (10, 200):
        ours, peers = random.normal(300, 40, pairs), random.normal(600, 40, pairs)
        found = ratio(Pairs.of(list(ours), list(peers)))
        assert found.low < 0.5 < found.high
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 2


def test_the_same_pairs_give_the_same_interval() -> None:
    random = np.random.default_rng(4)
    pairs = Pairs.of(list(random.uniform(1, 2, 20)), list(random.uniform(3, 4, 20)))
    assert ratio(pairs, 0.95) == ratio(pairs, 0.95)
    assert ratio(pairs, 0.95, seed=1) != ratio(pairs, 0.95, seed=2)


def test_a_round_without_a_figure_of_either_is_left_out() -> None:
    pairs = Pairs.of([1.0, None, 3.0], [2.0, 2.0, None])
    assert (len(pairs), list(pairs.ours), list(pairs.peers)) == (1, [1.0], [2.0])


def test_nothing_measured_is_no_number_and_no_error() -> None:
    assert ratio(Pairs.of([], [])).pairs == 0
    assert np.isnan(ratio(Pairs.of([], [])).value)
    assert np.isnan(unpaired_ratio([], [1.0]).value)
    assert np.isnan(share_of(0, 0).value)
    assert np.isnan(quantile([], 0.5))
    assert np.isnan(slope([1, 1], [2, 3]))


def test_a_share_of_all_is_not_certain() -> None:
    found = share_of(30, 30)
    assert found.value == found.high == 1
    assert found.low == pytest.approx(0.886, abs=0.002)  # Wilson's table


def test_a_slope_leaves_out_what_is_fixed() -> None:
    assert slope([1, 2, 4], [10.1, 10.2, 10.4]) == pytest.approx(0.1)
