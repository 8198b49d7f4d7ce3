# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Who may ask the server: its own page, and programs; no page of another site."""

from __future__ import annotations

import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from monai_gu2net.connections.loopback import ip_address, is_loopback

__all__ = ["OwnPagesOnly"]

_OF_JSON = ("/train", "/batch", "/scoring", "/activelearning")


class OwnPagesOnly:
    """Refuses the requests that a browser makes for pages of other sites.

    A browser sends whatever a page tells it to any address, this machine's among them, and says in the headers Origin
    and Sec-Fetch-Site which page that was. Programs send neither. A page whose own name was made to point here (DNS
    rebinding) is known by the header Host, which has that name.

    Refused are: a Host that is no name of the server (status 400); an Origin other than the server's own, a request of
    any other site's page that has no Origin, such as for a picture, but for following a link here (403); and another
    type than JSON for what is read as JSON (415).

    Args:
        application: that answers the others, an ASGI application.
        host: that the server listens at.
        names: it has beside that one.
        origins: of other sites' pages that may ask, such as "http://127.0.0.1:3000"; "*" is none.

    Source: Fetch Standard, 3.2 (Origin); Fetch Metadata Request Headers, 2; RFC 9110, 7.2 (Host).
    """

    def __init__(
        self, application: ASGIApp, *, host: str, names: Collection[str] = (), origins: Collection[str] = ()
    ) -> None:
        self.application = application
        self.names = {name.lower().strip("[]") for name in ("127.0.0.1", "localhost", "::1", host, *names)}
        self.any_address = not is_loopback(host)
        if self.any_address:
            self.names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        self.origins = {_without_slash(origin) for origin in origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self.application(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            status, reason = refusal
            await JSONResponse({"detail": reason}, status_code=status)(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and reason; None: the request may pass."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        place = _place(f"http://{hosts[0]}") if len(hosts) == 1 else None
        if place is None or not self._is_named(place[0]):
            return 400, (
                f"Invalid host header: it must be a name of this server; got {', '.join(hosts)!r}. Use its address."
            )
        origins = headers.getlist("origin")
        if origins and not all(self._is_own(text, place) for text in origins):
            return 403, f"Requests must come from this server's own page; got one of {', '.join(origins)!r}."
        site = headers.get("sec-fetch-site", "none")
        if not origins and site not in ("none", "same-origin"):
            followed = (headers.getlist("sec-fetch-mode"), headers.getlist("sec-fetch-dest")) == (
                ["navigate"],
                ["document"],
            )
            if not (followed and scope.get("method") in ("GET", "HEAD")):
                return 403, "Requests must come from this server's own page; got one of another site's page."
        kind = ", ".join(headers.getlist("content-type"))
        if (
            scope.get("method") == "POST"
            and scope["path"].startswith(_OF_JSON)
            and (kind or headers.get("content-length", "0") != "0" or "transfer-encoding" in headers)
            and kind.partition(";")[0].strip().lower() != "application/json"
        ):
            return 415, f"The request must be of the type application/json; got {kind!r}. Say so in Content-Type."
        return None

    def _is_named(self, name: str) -> bool:
        """Whether it is a name of the server; at an address of the network any address, which nobody can rebind."""
        return name in self.names or (self.any_address and ip_address(name) is not None)

    def _is_own(self, origin: str, host: tuple[str, int | None]) -> bool:
        """Whether an origin is the server, whatever in front of it speaks https, or one that may ask."""
        place = _place(origin)
        return place is not None and (place == host or _without_slash(origin) in self.origins)


def _place(origin: str) -> tuple[str, int | None] | None:
    """Name and port of an origin, None for the usual ports; None: it is no origin, such as "null"."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        return None
    return parts.hostname, None if port in (80, 443) else port


def _without_slash(origin: str) -> str:
    return origin.lower().rstrip("/")
