"""Who asks: the holder of an API key, or the page this server shows on a loopback address.

The page's pass is a cookie with a random token of this process. It is there only while the API listens on loopback:
who can reach that may use this machine anyway. Two things guard it against other web pages the same person has open:
the cookie is SameSite=Strict, and a request that uses it must come from the page's own origin (SameSite does not tell
ports apart, and another local server is another origin).
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import secrets
from dataclasses import dataclass

from starlette.requests import Request

from voiceworker.api.problems import Problem
from voiceworker.api.rate_limits import RateLimiter
from voiceworker.records import Scope
from voiceworker.records.keys import Keys

PAGE_OWNER = "page"
_PAGE_SCOPES = frozenset(
    {Scope.SESSIONS_CREATE, Scope.SESSIONS_READ, Scope.SESSIONS_DELETE, Scope.AGENTS_READ, Scope.METRICS_READ}
)
_SAFE_METHODS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Client:
    """Whoever is behind a request."""

    owner: str
    "what his sessions are kept under: the key's id, or `page`"
    scopes: frozenset[Scope]

    @property
    def is_page(self) -> bool:
        return self.owner == PAGE_OWNER


class PagePass:
    """The page's cookie."""

    def __init__(self, port: int) -> None:
        # Cookies do not tell ports apart: two servers on one machine must not overwrite each other's.
        self.cookie = f"voiceworker_page_{port}"
        self.token = secrets.token_urlsafe(32)

    def holds(self, request: Request) -> bool:
        shown = request.cookies.get(self.cookie, "")
        return hmac.compare_digest(shown.encode(), self.token.encode())


class Authentication:
    """Raises Problem 401, 403 or 429 from its one method."""

    def __init__(self, keys: Keys, limiter: RateLimiter, page: PagePass | None) -> None:
        self._keys = keys
        self._limiter = limiter
        self._page = page

    async def client(self, request: Request, scope: Scope) -> Client:
        """The client of `request`, who has `scope`."""
        self._limiter.count_address(request.client.host if request.client else "unknown")
        client = await self._identify(request)
        self._limiter.count_request(client.owner)
        if scope not in client.scopes:
            raise Problem("missing_scope", f"The key needs the scope {scope}.", members={"scope": scope})
        return client

    async def _identify(self, request: Request) -> Client:
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        if kind:
            key = await asyncio.to_thread(self._keys.verify, text.strip()) if kind.lower() == "bearer" else None
            if key is None:
                raise Problem("unauthenticated", "The Authorization header holds no key in force.")
            return Client(key.id, key.scopes)
        if self._page is not None and self._page.holds(request):
            if not _from_own_origin(request):
                raise Problem("foreign_origin", "Ask with an API key, or from the page this server shows.")
            return Client(PAGE_OWNER, _PAGE_SCOPES)
        raise Problem("unauthenticated", "Send `Authorization: Bearer KEY`; `voiceworker keys create` makes one.")


def _from_own_origin(request: Request) -> bool:
    origin = request.headers.get("origin")
    if origin is not None:
        return origin == f"{request.url.scheme}://{request.headers.get('host', '')}"
    # Browsers leave Origin out of a page's own GET, and say where it came from in Sec-Fetch-Site.
    return request.method in _SAFE_METHODS and request.headers.get("sec-fetch-site") == "same-origin"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
