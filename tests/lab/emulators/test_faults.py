from __future__ import annotations

from typing import Any

import pytest

from voiceworker.lab.emulators.faults import Fault, Faults


def kinds(faults: Faults, key: str, count: int) -> list[list[str]]:
    return [[fault.kind for fault in faults.next_request("llm", key).faults] for _ in range(count)]


def test_the_nth_request_of_each_key_is_struck() -> None:
    faults = Faults([Fault("llm", "status", nth=2), Fault("llm", "stall", nth=2), Fault("stt", "reset", nth=1)])
    assert kinds(faults, "a", 3) == [[], ["status", "stall"], []]
    assert kinds(faults, "b", 2) == [[], ["status", "stall"]]


def test_chance_has_its_share_and_gives_each_key_the_same_luck() -> None:
    faults = Faults([Fault("llm", "status", probability=0.3)], seed=1)
    first, second = kinds(faults, "a", 500), kinds(faults, "b", 500)
    assert first == second
    assert sum(map(len, first)) == pytest.approx(150, abs=35)
    assert kinds(Faults([Fault("llm", "status", probability=0.3)], seed=2), "a", 500) != first


def test_a_fault_may_be_meant_for_one_key() -> None:
    faults = Faults([Fault("llm", "refuse", nth=1, api_key="a")])
    assert kinds(faults, "b", 1) == [[]]
    assert kinds(faults, "a", 1) == [["refuse"]]


def test_late_finals_add_up() -> None:
    faults = Faults([Fault("stt", "late_final", nth=1, seconds=1), Fault("stt", "late_final", nth=1, seconds=2)])
    assert faults.next_request("stt", "a").late_final_seconds == 3


@pytest.mark.parametrize(
    "options",
    [
        {"role": "llm", "kind": "status"},
        {"role": "llm", "kind": "status", "probability": 0.5, "nth": 1},
        {"role": "llm", "kind": "status", "probability": 1.5},
        {"role": "llm", "kind": "status", "nth": 0},
        {"role": "llm", "kind": "late_final", "nth": 1},
    ],
)
def test_a_fault_that_makes_no_sense_is_an_error(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Fault(**options)
