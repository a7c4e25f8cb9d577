from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from voiceworker.config import ROOT, ConfigError, Settings
from voiceworker.models import ModelName, weights_folder, weights_of
from voiceworker.runtime.plugins import plugin
from voiceworker.runtime.weights import want_weights

AGENT = """\
name: desk
instructions: Be kind.
greeting: Hello.
models: {stt: [whisper/tiny.en, whisper/OWNER/NAME, pocketsphinx]}
script: {help: x}
routes:
  - {when: {language: de}, stt: [whisper/tiny]}
  - {when: {plan: paid}, stt: [whisper/tiny.en]}
"""


def settings(directory: Path, agent: str = AGENT) -> Settings:
    agents = directory / "agents"
    agents.mkdir()
    (agents / "desk.yaml").write_text(agent, encoding="utf-8")
    return Settings(agents_directory=agents, cache_directory=directory / "cache")


def test_the_plugins_are_told_which_weights_the_lists_and_the_routes_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = settings(tmp_path)
    asked: list[tuple[str, Path]] = []
    monkeypatch.setattr(plugin("fasterwhisper"), "want", lambda model, folder: asked.append((model, folder)))
    wanted = [ModelName("whisper", model) for model in ("tiny.en", "OWNER/NAME", "tiny")]
    assert want_weights(here) == wanted
    assert asked == [(name.model, weights_folder("whisper", here)) for name in wanted]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("whisper/tiny.en]", "whispr/tiny.en]", "agent desk: 'whispr/tiny.en': no such stt model"),
        ("{plan: paid}", "{plan: paid}, nonsense: 1", "agent desk: .*nonsense|agent desk: no such key"),
        ("greeting: Hello.", "greeting: Hello.\ngreting: x", "did you mean greeting"),
    ],
)
def test_nothing_is_fetched_for_a_broken_file(tmp_path: Path, before: str, after: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        want_weights(settings(tmp_path, AGENT.replace(before, after)))


def fetch(here: Settings) -> subprocess.CompletedProcess[str]:
    """Runs the command where no hub can be reached."""
    environment = {
        **os.environ,
        "VOICEWORKER_AGENTS_DIRECTORY": str(here.agents_directory),
        "VOICEWORKER_CACHE_DIRECTORY": str(here.cache_directory),
        "HF_ENDPOINT": "http://127.0.0.1:1",
    }
    command = [sys.executable, "agent.py", "download-files"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100)


@pytest.mark.slow
def test_the_command_leaves_what_is_there_and_says_what_it_cannot_get(tmp_path: Path) -> None:
    here = settings(tmp_path, AGENT.replace("whisper/OWNER/NAME, ", "").replace("[whisper/tiny]", "[whisper/tiny.en]"))
    outcome = fetch(here)
    assert outcome.returncode == 1
    assert outcome.stderr.strip().splitlines()[-1].startswith("voiceworker: not everything could be fetched: ")
    weights = weights_of(ModelName("whisper", "tiny.en"), here)
    for path in (*weights, weights[0].with_name("vocabulary.txt")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert fetch(here).returncode == 0
