"""What is sent to a program over a connection that ends meanwhile."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import paramiko
import pytest

from sciflow.executors.transports.command import command
from sciflow.executors.transports.exchange import Exchange


class Server(paramiko.ServerInterface):
    """Lets everybody in, and never says anything."""

    def check_auth_none(self, username: str) -> int:
        return paramiko.common.AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED


def test_an_input_that_cannot_be_made_is_told_of_although_the_connection_ends_at_the_same_moment() -> None:
    here, there = socket.socketpair()
    server, client = paramiko.Transport(there), paramiko.Transport(here)
    server.add_server_key(paramiko.ECDSAKey.generate())
    server.start_server(threading.Event(), Server())  # with an event it does not wait
    client.start_client()
    client.auth_none("somebody")

    def blocks() -> Iterator[bytes]:
        yield b"begun"
        here.shutdown(socket.SHUT_WR)  # as of a connection that breaks; nobody has noticed yet
        raise OSError(5, "the disk is broken")

    before = set(threading.enumerate())
    with pytest.raises(OSError, match="the disk is broken"):
        Exchange(client.open_session(), command(["cat"]), host="there").run(blocks(), len, end=time.monotonic() + 60)
    for thread in set(threading.enumerate()) - before:
        thread.join(30)  # what it raises is an error of this test
    client.close()
    server.close()
