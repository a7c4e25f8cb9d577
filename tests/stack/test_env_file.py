from __future__ import annotations

from pathlib import Path

import dotenv
import pytest

from voiceworker.config import ConfigError, Settings
from voiceworker.stack.env_file import ensure_key_pair


def test_the_first_run_makes_a_pair_that_only_its_owner_can_read(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("OPENAI_API_KEY=x")
    settings, made = ensure_key_pair(Settings(), path)
    assert made
    assert len(settings.livekit_api_secret) >= 32
    assert dotenv.dotenv_values(path) == {
        "OPENAI_API_KEY": "x",
        "LIVEKIT_API_KEY": settings.livekit_api_key,
        "LIVEKIT_API_SECRET": settings.livekit_api_secret,
    }
    assert path.stat().st_mode & 0o077 == 0


def test_two_installations_never_share_a_secret(tmp_path: Path) -> None:
    secrets = {ensure_key_pair(Settings(), tmp_path / str(n))[0].livekit_api_secret for n in range(5)}
    assert len(secrets) == 5


def test_a_pair_that_is_there_is_left_alone(tmp_path: Path) -> None:
    settings = Settings(livekit_api_key="a", livekit_api_secret="b")
    assert ensure_key_pair(settings, tmp_path / ".env") == (settings, False)
    assert not (tmp_path / ".env").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(livekit_api_key="a"), "LIVEKIT_API_SECRET is missing"),
        (Settings(livekit_api_secret="a"), "LIVEKIT_API_KEY is missing"),
        (Settings(livekit_url="wss://x", livekit_url_given=True), "LIVEKIT_URL is set, but not"),
    ],
)
def test_half_a_pair_is_refused(settings: Settings, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        ensure_key_pair(settings, tmp_path / ".env")
