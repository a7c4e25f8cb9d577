"""docs/costs.md says what the code does."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from voiceworker.config import ROOT
from voiceworker.policy.budget import Budget, BudgetSettings
from voiceworker.policy.pricing import Usage
from voiceworker.prices import _UNITS, load_prices

TEXT = (ROOT / "docs" / "costs.md").read_text(encoding="utf-8")


def test_its_example_is_a_table_of_prices(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    path = tmp_path / "prices.toml"
    path.write_text(example, encoding="utf-8")
    usage = Usage("llm", "openai-compatible/mine", input_tokens=10**6, output_tokens=10**6)
    assert load_prices(path).cost(usage, "EUR") == Decimal("0.80")


def test_it_names_every_unit() -> None:
    for unit in _UNITS:
        assert f"`{unit}`" in TEXT


def test_its_figures_are_the_policys() -> None:
    settings = BudgetSettings()
    assert (Budget("session", Decimal(1)).warn_at, settings.cut_at) == (Decimal("0.8"), Decimal("1.5"))
    assert (settings.turn_seconds, settings.farewell_seconds) == (60, 30)
