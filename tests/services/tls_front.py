"""TLS before a server that has none: takes connections with a certificate of its own, and hands on what they say."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def certificate(folder: Path, name: str = "IP:127.0.0.1") -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, or another name, that nobody but itself has signed, and its key."""
    made, key = folder / "certificate.pem", folder / "key.pem"
    about = ["-subj", "/CN=test", "-addext", f"subjectAltName={name}", "-days", "2"]
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *about, "-keyout", key, "-out", made]
    subprocess.run(argv, check=True, capture_output=True)
    return made, key


@contextmanager
def tls_before(port: int, *, certificate: Path, key: Path, client: Path | None = None) -> Iterator[int]:
    """A port with TLS that leads to one on this machine without; `client`: the certificate that it asks for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if client is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", port)) as behind,
                context.wrap_socket(self.request, server_side=True) as before,
            ):
                back = threading.Thread(target=_pump, args=(behind, before), daemon=True)
                back.start()
                _pump(before, behind)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        server.block_on_close = False
        thread.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
