"""The page: the built web client, its cookie, and the policy under which it runs."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

from voiceworker.api.authentication import PagePass
from voiceworker.api.problems import Problem

_UNBUILT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>voiceworker</title></head>
<body>
<h1>voiceworker</h1>
<p>The API is running, but its page is not built. Build it with:</p>
<pre>make web</pre>
<p>Then load this page again. The API is described at <a href="/docs">/docs</a>.</p>
</body>
</html>
"""
_A_YEAR_SECONDS = 31_536_000


def content_security_policy(livekit_url: str) -> str:
    """Files from here, the SFU to connect to, and nothing else.

    The client asks the SFU over HTTP too, when a WebSocket is refused, to learn why.
    """
    sfu = urlsplit(livekit_url)
    secure = sfu.scheme in ("wss", "https")
    peers = f"{'wss' if secure else 'ws'}://{sfu.netloc} {'https' if secure else 'http'}://{sfu.netloc}"
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        f"media-src 'self' blob:; worker-src 'self' blob:; connect-src 'self' {peers}; manifest-src 'self'; "
        f"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def page_routes(directory: Path, livekit_url: str, page: PagePass | None) -> APIRouter:
    """Serves `directory`, the folder Vite builds into; it may be built while the server runs."""
    router = APIRouter(include_in_schema=False)
    headers = {
        "Content-Security-Policy": content_security_policy(livekit_url),
        "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    }

    @router.get("/")
    async def index() -> Response:
        built = directory / "index.html"
        response = FileResponse(built, headers=headers) if built.is_file() else HTMLResponse(_UNBUILT, headers=headers)
        response.headers["Cache-Control"] = "no-store"
        if page is not None:
            response.set_cookie(page.cookie, page.token, path="/v1", httponly=True, samesite="strict")
        return response

    @router.get("/assets/{path:path}")
    async def asset(path: str) -> Response:
        # Vite puts a hash of the content into the names of these.
        return _file(f"assets/{path}", f"public, max-age={_A_YEAR_SECONDS}, immutable")

    @router.get("/{name}")
    async def file(name: str) -> Response:
        return _file(name, "no-cache")

    def _file(path: str, caching: str) -> Response:
        found = _inside(directory, path)
        if found is None:
            raise Problem("not_found", "There is nothing at this address; /docs lists what there is.")
        return FileResponse(found, headers={**headers, "Cache-Control": caching})

    return router


def _inside(directory: Path, path: str) -> Path | None:
    """The file at `path` when it really lies in `directory`: neither `..` nor a link leads out."""
    try:
        found = (directory / path).resolve()
        if found.is_relative_to(directory.resolve()) and found.is_file():
            return found
    except (OSError, ValueError):  # a name too long, or with a zero byte
        pass
    return None
