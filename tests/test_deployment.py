"""What cannot run here is at least checked by its schema, and against what it must agree with."""

from __future__ import annotations

import subprocess
import sys

import yaml

from voiceworker.config import ROOT
from voiceworker.runtime.worker import DRAIN_SECONDS


def test_the_compose_file_fits_the_compose_specification() -> None:
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    outcome = subprocess.run([*checker, "docker-compose.yml"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout


def test_containers_are_not_killed_before_the_calls_have_drained() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name in ("worker", "livekit"):
        assert services[name]["stop_grace_period"] == "70m"
        assert services[name]["restart"] == "always"
    framework_cleanup_seconds = 15 + 300 + 10  # entrypoint, end of session, process
    assert DRAIN_SECONDS + framework_cleanup_seconds < 70 * 60


def test_every_service_says_whether_it_is_well() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert set(services) == {"livekit", "redis", "worker", "api"}
    assert all("healthcheck" in service for service in services.values())


def test_no_default_secret_is_written_down_anywhere() -> None:
    text = (ROOT / "docker-compose.yml").read_text() + (ROOT / "livekit.yaml").read_text()
    assert "LIVEKIT_API_SECRET:?" in text
    assert "devkey" not in text
    assert "keys:" not in (ROOT / "livekit.yaml").read_text()
