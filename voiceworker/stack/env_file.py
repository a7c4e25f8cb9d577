"""The key pair that SFU, worker and API share: made at the first run, kept in `.env`, never a default."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from voiceworker.config import ROOT, ConfigError, Settings


def ensure_key_pair(settings: Settings, path: Path = ROOT / ".env") -> tuple[Settings, bool]:
    """Settings with a key pair, and whether it was made just now.

    Raises ConfigError when one half is missing, or when a server elsewhere (LIVEKIT_URL) would not know a new pair.
    """
    if settings.livekit_api_key and settings.livekit_api_secret:
        return settings, False
    if settings.livekit_api_key or settings.livekit_api_secret:
        missing = "LIVEKIT_API_SECRET" if settings.livekit_api_key else "LIVEKIT_API_KEY"
        raise ConfigError(f"{missing} is missing: set both of the pair, or neither and a new pair is made")
    if settings.livekit_url_given:
        raise ConfigError("LIVEKIT_URL is set, but not LIVEKIT_API_KEY and LIVEKIT_API_SECRET of that server: set them")
    key, secret = f"API{secrets.token_hex(6)}", secrets.token_urlsafe(32)
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    if before and not before.endswith("\n"):
        before += "\n"
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{before}LIVEKIT_API_KEY={key}\nLIVEKIT_API_SECRET={secret}\n")
    fresh.rename(path)
    return settings.model_copy(update={"livekit_api_key": key, "livekit_api_secret": secret}), True
