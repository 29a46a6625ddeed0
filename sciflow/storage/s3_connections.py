"""Connections to a server of S3, which take no other for one."""

from __future__ import annotations

from typing import Any

from urllib3 import BaseHTTPResponse, PoolManager

OURS = ("ETag", "x-amz-request-id")  # headers of S3; an object may be a web page, too


class S3Connections(PoolManager):
    """Those of `urllib3`. The client takes any answer of code 200 to what was put for the server's."""

    def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> BaseHTTPResponse:  # type: ignore[override]  # of PoolManager alike
        """The answer to a request.

        Raises:
            ValueError: it is a web page of somebody else's.
        """
        answer = super().urlopen(method, url, redirect, **kw)
        told = answer.headers
        page = "text/html" in told.get("Content-Type", "") and not any(name in told for name in OURS)
        if page and (answer.status < 300 or method == "HEAD"):  # what a HEAD is refused for, nothing else tells
            answer.close()
            raise ValueError(f"a web page ({answer.status})")
        return answer
