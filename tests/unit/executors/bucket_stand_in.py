"""An S3 server in memory, with what buckets of runs need of one: objects, parts of them, lists, copies, conditions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from sciflow.executors.argo.place.bucket import Bucket
from sciflow.storage.settings import S3Settings

TIME = "<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
LISTED = f"<Contents><Key>{{key}}</Key>{TIME}<ETag>{{etag}}</ETag><Size>{{size}}</Size></Contents>"
COPIED = f"<CopyObjectResult>{TIME}<ETag>{{etag}}</ETag></CopyObjectResult>"


class Objects:
    """What it has, and what it was asked."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.asked: list[str] = []  # METHOD key
        self.conditional = True  # whether it knows `If-None-Match`
        self.kind = "application/xml"  # of all that it answers
        self.page: str | None = None  # that the network answers in its place
        self.instead: list[bytes] = []  # what the next ones get that ask for an object that there is
        self.most = 0  # connections at a time
        self.breaks_at: int | None = None  # after so many bytes it breaks off what it sends


class _Handler(BaseHTTPRequestHandler):
    objects: Objects
    protocol_version = "HTTP/1.1"
    connections: set[int]

    def setup(self) -> None:
        super().setup()
        self.connections.add(id(self))
        self.objects.most = max(self.objects.most, len(self.connections))

    def finish(self) -> None:
        self.connections.discard(id(self))
        super().finish()

    def parse_request(self) -> bool:
        fits = super().parse_request()
        if not fits or self.objects.page is None:
            return fits
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(200, self.objects.page.encode())
        return False

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = parse_qs(url.query)
        if "list-type" in asked:
            self._list(asked.get("prefix", [""])[0])
            return
        key = self._note()
        data = self.objects.held.get(key)
        if data is None:
            self._fail(404, "NoSuchKey")
            return
        if self.command == "GET" and self.objects.instead:
            data = self.objects.instead.pop(0)
        begin, _, end = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        part = data[int(begin) : int(end) + 1 if end else None]
        self._answer(206 if "Range" in self.headers else 200, part, etag=_etag(data))

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        key = self._note()
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        source = self.headers.get("x-amz-copy-source")
        if "If-None-Match" in self.headers and not self.objects.conditional:
            self._fail(501, "NotImplemented")
        elif "If-None-Match" in self.headers and key in self.objects.held:
            self._fail(412, "PreconditionFailed")
        elif source is None:
            self.objects.held[key] = data
            self._answer(200, b"", etag=_etag(data))
        elif (copied := self.objects.held.get(unquote(source).lstrip("/").partition("/")[2])) is not None:
            self.objects.held[key] = copied
            self._answer(200, COPIED.format(etag=_etag(copied)).encode())
        else:
            self._fail(404, "NoSuchKey")

    def do_DELETE(self) -> None:
        key = self._note()
        if key not in self.objects.held:  # S3 itself answers 204 here, too; others do not
            self._fail(404, "NoSuchKey")
            return
        del self.objects.held[key]
        self._answer(204, b"")

    def _note(self) -> str:
        key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]
        self.objects.asked.append(f"{self.command} {key}")
        return key

    def _list(self, prefix: str) -> None:
        found = {key: data for key, data in sorted(self.objects.held.items()) if key.startswith(prefix)}
        listed = (LISTED.format(key=escape(key), etag=_etag(data), size=len(data)) for key, data in found.items())
        self._answer(200, f"<ListBucketResult><Name>bucket</Name>{''.join(listed)}</ListBucketResult>".encode())

    def _fail(self, code: int, said: str) -> None:
        self._answer(code, f"<Error><Code>{said}</Code><Message>{said}</Message></Error>".encode())

    def _answer(self, code: int, text: bytes, *, etag: str = "") -> None:
        self.send_response(code)
        self.send_header("Content-Type", self.objects.kind)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        if etag:
            self.send_header("ETag", f'"{etag}"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text[: self.objects.breaks_at])
            self.close_connection = self.close_connection or len(text) > (self.objects.breaks_at or len(text))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Prints nothing."""


def _etag(data: bytes) -> str:
    return md5(data, usedforsecurity=False).hexdigest()


@contextmanager
def stand_in_bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Bucket, Objects]]:
    """A bucket there, and what it holds."""
    objects = Objects()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")
    handler = type("Handler", (_Handler,), {"objects": objects, "connections": set()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        yield Bucket("bucket", S3Settings(endpoint=endpoint, bucket="bucket", patience_s=0.0)), objects
        server.shutdown()
        thread.join()
