from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from voiceworker.lab.long_call.growth import course, courses, growing

Figure = Callable[[int, random.Random], float]


def points(figure: Figure, *, count: int = 40, every: int = 72, seed: int = 0) -> list[tuple[int, float]]:
    dice = random.Random(seed)
    return [(turn, figure(turn, dice)) for turn in range(every, (count + 1) * every, every)]


@pytest.mark.parametrize(
    ("figure", "rises"),
    [
        (lambda turn, dice: 50, False),
        (lambda turn, dice: 50 + dice.randint(-5, 5), False),
        (lambda turn, dice: min(turn, 700), False),  # it fills up, and then stays
        (lambda turn, dice: turn % 100, False),  # a history that is cut
        (lambda turn, dice: 5000 - turn, False),
        (lambda turn, dice: 50 + turn / 100, True),
        (lambda turn, dice: 400_000 + turn * 3 + dice.gauss(0, 500), True),
        (lambda turn, dice: 50 + (turn > 1800), True),  # one that stays open
    ],
)
def test_what_goes_on_rising_is_told_from_what_fills_up_or_swings(figure: Figure, rises: bool) -> None:
    assert course(points(figure)).rises is rises


def test_of_a_thousand_figures_that_swing_by_chance_none_rises() -> None:
    chance: Figure = lambda turn, dice: dice.gauss(100, 20)  # noqa: E731
    assert not any(course(points(chance, seed=seed)).rises for seed in range(1000))


def test_a_slope_is_told_in_a_thousand_turns() -> None:
    one = course(points(lambda turn, dice: 10 + turn / 10))
    assert one.per_thousand_turns == pytest.approx(100)
    assert one.last > one.first


def sample(turn: int, **sizes: int) -> dict[str, object]:
    figures = {"memory_kilobytes": 1000, "tasks": 5, "threads": 2, "descriptors": 9, "objects": 100}
    return {"turn": turn, **figures, "sizes": sizes, "types": {}}


def test_a_container_that_comes_up_later_and_grows_is_named_and_what_is_excused_is_not() -> None:
    samples = [sample(turn, **({"Call.notes": turn} if turn > 3 else {}), Lab=turn) for turn in range(30)]
    assert set(growing(courses(samples), apart_from=["sizes: Lab"])) == {"sizes: Call.notes"}


def test_few_samples_tell_no_course() -> None:
    with pytest.raises(ValueError, match="too few"):
        course([(1, 1.0), (2, 2.0), (3, 3.0)])
