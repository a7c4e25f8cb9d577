"""`voiceworker serve`: the application in uvicorn, until a signal."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
from datetime import UTC, datetime

import uvicorn
from fastapi import FastAPI

from voiceworker.api.app import create_app
from voiceworker.api.rooms import LiveKitRooms
from voiceworker.config import PREFIX, AgentCatalog, ConfigError, Settings
from voiceworker.records import migrate, open_records
from voiceworker.redaction import redact_logs, secrets_of

_SHUTDOWN_SECONDS = 5
"requests take milliseconds; only a client that does not read keeps one open for longer"


def serve(settings: Settings) -> None:
    """Runs until SIGINT or SIGTERM. Raises ConfigError when it cannot start: a busy port, a missing key pair."""
    if not settings.livekit_api_key or not settings.livekit_api_secret:
        raise ConfigError("LIVEKIT_API_KEY, LIVEKIT_API_SECRET: not set; `voiceworker up` makes them into .env")
    redact_logs(secrets_of(settings))
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    listening = _listen(settings)
    try:
        migrate(settings.records_url)
        asyncio.run(_serve(settings, listening))
    finally:
        listening.close()


async def _serve(settings: Settings, listening: socket.socket) -> None:
    records = open_records(settings.records_url)
    rooms = LiveKitRooms(settings.livekit_url, settings.livekit_api_key, settings.livekit_api_secret)
    try:
        catalog = AgentCatalog(settings.agents_directory)
        app = create_app(settings, records, rooms, catalog, lambda: datetime.now(UTC))
        # uvicorn ends in order at a signal and then raises it again, to end the process; ours still has to clean up.
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: None)
        await uvicorn.Server(uvicorn_config(app, settings)).serve(sockets=[listening])
    finally:
        await rooms.aclose()
        records.close()


def uvicorn_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    trusted = list(settings.trusted_proxies)
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # paths carry session ids; /metrics counts requests by route
        server_header=False,
        # We count by address, and a forwarded one is what the sender says it is, unless he is a proxy of ours.
        proxy_headers=bool(trusted),
        forwarded_allow_ips=trusted,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.api_host, settings.api_port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"{PREFIX}API_HOST: {host} is no address of this machine: {error.strerror}") from None
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"port {port} is in use: stop what runs there, or set {PREFIX}API_PORT") from None
        raise ConfigError(f"{host}:{port} cannot be used: {error.strerror}; set {PREFIX}API_HOST") from None
    return listening
