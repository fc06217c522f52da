"""How answers look on the wire: what an endpoint tells, a refusal, and a way elsewhere."""

from __future__ import annotations

import html
import json

from starlette.responses import Response

from scheduler.simulator.refusals import Refusal


class Told(Response):
    """What an endpoint tells, without what a framework does for one: in a rehearsal there are millions."""

    def __init__(self, status_code: int, body: bytes, media_type: bytes) -> None:
        self.status_code = status_code
        self.body = body
        self.background = None
        self.raw_headers = [
            (b"content-type", media_type),
            (b"content-length", b"%d" % len(body)),
        ]


def refused(refusal: Refusal) -> Response:
    """A refusal with the headers that gateways give it; without an error it has no body."""
    headers = {"cache-control": "no-cache, no-store"}
    if not refusal.error:
        return Response(status_code=refusal.code, headers=headers)
    body = {"code": refusal.code, "error": refusal.error, "message": refusal.message}
    headers |= {"content-type": "application/json", "x-content-type-options": "nosniff"}
    return Response(json.dumps(body, separators=(",", ":")), refusal.code, headers=headers)


def moved(url: str, method: str) -> Response:
    """301 to ``url``, with the body that Go's library gives it: one for who reads, none for who writes."""
    if method not in {"GET", "HEAD"}:
        return Response(status_code=301, headers={"location": url})
    body = f'<a href="{html.escape(url)}">Moved Permanently</a>.\n\n'
    return Response(body, 301, headers={"location": url, "content-type": "text/html; charset=utf-8"})
