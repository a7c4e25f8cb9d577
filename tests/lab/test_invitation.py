import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from voiceworker.config import load_settings
from voiceworker.lab.invitation import CallSetupError, Invitation, by_livekit, by_session_api

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def api_that(handler: Handler) -> AsyncIterator[str]:
    """A server of our own on loopback; gives its URL."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def invite(url: str, key: str = "") -> Invitation:
    async with by_session_api(url, key, "frontdesk") as invitation:
        return invitation


async def test_a_session_is_asked_for_with_the_key_and_ended_at_the_exit() -> None:
    asked: list[tuple[str, str, object]] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.json() if request.method == "POST" else None
        asked.append((f"{request.method} {request.path}", request.headers["Authorization"], body))
        made = {"id": "ses_1", "server_url": "ws://sfu", "participant_token": "jwt", "status": "dispatched"}
        return web.json_response(made, status=201)

    async with api_that(answer) as url:
        assert await invite(url + "/", "secret") == Invitation("ws://sfu", "jwt", "ses_1")
    assert asked == [
        ("POST /v1/realtime/sessions", "Bearer secret", {"agent": "frontdesk"}),
        ("DELETE /v1/realtime/sessions/ses_1", "Bearer secret", None),
    ]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "401: No key.*--api-key or VOICEWORKER_API_KEY.*keys create"),
        (403, "may not make sessions"),
        (404, "no session API"),
        (422, r"agents/frontdesk\.yaml"),
        (429, "try again in 7 s"),
        (503, "no worker is free: is `voiceworker up` running.*7 s"),
        (500, "its log says why"),
    ],
)
async def test_a_refusal_is_one_line_with_the_remedy(status: int, message: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"title": "Refused", "detail": "No key"}, status=status, headers={"Retry-After": "7"})

    async with api_that(answer) as url:
        with pytest.raises(CallSetupError, match=message) as caught:
            await invite(url)
    assert "\n" not in str(caught.value)


async def test_what_is_not_the_api_is_said_to_be_so() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="<html>hello</html>")

    async with api_that(answer) as url:
        with pytest.raises(CallSetupError, match="is not the voiceworker API"):
            await invite(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "nonsense", "http://"])
async def test_no_api_is_an_error_that_says_how_to_start_it(url: str) -> None:
    with pytest.raises(CallSetupError, match="`voiceworker up`"):
        await invite(url.format(port=unused_port()))


@pytest.mark.parametrize(
    ("environment", "url", "message"),
    [
        ({}, "ws://127.0.0.1:1", "set LIVEKIT_API_KEY and LIVEKIT_API_SECRET"),
        ({"LIVEKIT_API_KEY": "a", "LIVEKIT_API_SECRET": "b" * 32}, "127.0.0.1", "must look like wss://host"),
        (
            {"LIVEKIT_API_KEY": "a", "LIVEKIT_API_SECRET": "b" * 32},
            "ws://127.0.0.1:{port}",
            "no LiveKit server answers",
        ),
    ],
)
async def test_a_livekit_of_ones_own_needs_a_key_pair_and_an_address(
    environment: dict[str, str], url: str, message: str
) -> None:
    with pytest.raises(CallSetupError, match=message):
        async with by_livekit(load_settings(environment), url.format(port=unused_port()), "frontdesk"):
            pass
