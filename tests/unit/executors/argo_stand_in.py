"""An HTTP server that answers as Argo's or Kubernetes' does, as far as a test says it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

JSON = dict[str, Any]


class StandIn:
    """What it answers by method and path, and what it was told."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, JSON]] = {}
        self.token = ""  # the one that it knows
        self.logs: dict[str, list[str]] = {}  # lines that a call answers with in place of that
        self.told: list[tuple[str, JSON]] = []
        self.url = ""
        self.page: tuple[int, str, str] | None = None  # code, kind and text that the network answers in its place

    def answer(self, call: str, body: JSON, token: str) -> tuple[int, JSON]:
        if self.token and token != f"Bearer {self.token}":
            return 401, {"message": "token not valid"}
        self.told.append((call, body))
        return self.answers.get(call, (404, missing(call)))

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


def missing(call: str) -> JSON:
    """How Kubernetes and Argo's server say that there is no such object."""
    name = call.rpartition("/")[2]
    message = f'"{name}" not found'
    if " /apis/" in call:
        return {"kind": "Status", "reason": "NotFound", "details": {"name": name}, "message": message, "code": 404}
    return {"code": 5, "message": message}


@contextmanager
def stand_in() -> Iterator[StandIn]:
    found = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size) or b"{}")
            call = f"{self.command} {self.path.partition('?')[0]}"
            if found.page is not None:
                code, kind, said = found.page
                text = said.encode()
            elif call in found.logs:
                code, _ = found.answer(call, body, self.headers.get("Authorization", ""))
                code, kind, text = (401 if code == 401 else 200), "text/plain", "\n".join(found.logs[call]).encode()
            else:
                code, answer = found.answer(call, body, self.headers.get("Authorization", ""))
                kind, text = "application/json", json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """Prints nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield found
        server.shutdown()
        thread.join()
