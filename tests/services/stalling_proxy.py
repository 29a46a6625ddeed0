"""A TCP proxy that can stop passing anything on, without closing: as a firewall does that has forgotten a connection.

A program: `stalling_proxy.py LISTEN_PORT TARGET_PORT`. SIGUSR1: what is connected hangs from now on, for ever; and so
does what comes later, until SIGUSR2. `--after BYTES`: the first connection that carries so many hangs by itself.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import threading
import time


class Proxy:
    """Connections by number: those up to `stalled` hang."""

    def __init__(self, target: int, after: int) -> None:
        self.target = target
        self.after = after
        self.closed = False
        self.hanging: set[int] = set()
        self.count = 0
        self.carried: dict[int, int] = {}

    def stop(self, *_: object) -> None:
        self.closed = True
        self.hanging |= set(range(1, self.count + 1))

    def go(self, *_: object) -> None:
        self.closed = False

    def carry(self, number: int, source: socket.socket, to: socket.socket) -> None:
        while True:
            try:
                block = source.recv(1 << 16)
                self.carried[number] = self.carried.get(number, 0) + len(block)
                if 0 < self.after < self.carried[number]:
                    self.after = 0
                    self.hanging.add(number)
                while number in self.hanging:
                    time.sleep(1)
                if not block:
                    to.shutdown(socket.SHUT_WR)
                    return
                to.sendall(block)
            except OSError:
                return

    def attend(self, client: socket.socket) -> None:
        self.count += 1
        number = self.count
        if self.closed:
            self.hanging.add(number)
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()
            return
        for pair in ((client, server), (server, client)):
            threading.Thread(target=self.carry, args=(number, *pair), daemon=True).start()


def stdio(port: int) -> None:
    """Between standard input and output and a port, as a ProxyCommand does; without any stalling."""
    with socket.create_connection(("127.0.0.1", port)) as server:

        def send() -> None:
            while block := os.read(0, 1 << 16):
                server.sendall(block)
            server.shutdown(socket.SHUT_WR)

        threading.Thread(target=send, daemon=True).start()
        while block := server.recv(1 << 16):
            view = memoryview(block)
            while view:
                view = view[os.write(1, view) :]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("listen", type=int, nargs="?", default=0)
    parser.add_argument("target", type=int)
    parser.add_argument("--stdio", action="store_true")
    parser.add_argument("--after", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.stdio:
        stdio(arguments.target)
        return
    proxy = Proxy(arguments.target, arguments.after)
    signal.signal(signal.SIGUSR1, proxy.stop)
    signal.signal(signal.SIGUSR2, proxy.go)
    with socket.create_server(("127.0.0.1", arguments.listen)) as listener:
        while True:
            client, _ = listener.accept()
            proxy.attend(client)


if __name__ == "__main__":
    main()
