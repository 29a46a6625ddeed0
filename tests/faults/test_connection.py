"""Connections that break: nothing is half there, nothing is sent twice, and nobody waits for ever."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sciflow.errors import HostError, HostUnreachable
from sciflow.executors.transports.kept_connection import find, start
from sciflow.executors.transports.ssh import SshTransport
from sciflow.executors.transports.ssh_config import route
from sciflow.executors.transports.transfer import part_name
from tests.services import instances, stalling_proxy
from tests.services.plugin import require
from tests.services.processes import Processes, free_ports, listens, soon
from tests.services.sshd import Sshd, SshdService

LARGE_BYTES = 150_000_000
KEEPALIVE_S = 1.0


@pytest.fixture(autouse=True)
def nobody_keeps_a_connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="sciflow-run-", dir="/tmp") as run:  # a socket's path must be short
        monkeypatch.setenv("XDG_RUNTIME_DIR", run)
        yield


@pytest.fixture
def sshd() -> Iterator[Sshd]:
    require("sshd")
    with instances.running(SshdService()) as server:
        yield server


@pytest.fixture
def transport(sshd: Sshd) -> Iterator[SshTransport]:
    transport = SshTransport(sshd.host, config=sshd.config, keepalive_s=KEEPALIVE_S)
    yield transport
    transport.close()


@contextlib.contextmanager
def proxied(sshd: Sshd, folder: Path, *, after: int = 0) -> Iterator[tuple[SshTransport, Processes]]:
    """A transport through a proxy that can stop passing anything on."""
    (port,) = free_ports(1)
    processes = Processes(folder)
    argv = [sys.executable, stalling_proxy.__file__, str(port), str(sshd.port), "--after", str(after)]
    processes.start("proxy", argv, ready=lambda: listens(port))
    sshd.config.write_text(sshd.entry(port=port))
    transport = SshTransport(sshd.host, config=sshd.config, keepalive_s=KEEPALIVE_S, connect_timeout_s=5)
    try:
        yield transport, processes
    finally:
        transport.close()
        processes.end("proxy")


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def large(folder: Path) -> Path:
    path = folder / "large"
    path.write_bytes(os.urandom(LARGE_BYTES))
    return path


def when(condition: Callable[[], object], act: Callable[[], object]) -> threading.Thread:
    """Does it in another thread as soon as that has come true."""

    def wait() -> None:
        if soon(condition, 60, every_s=0.002):
            act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def part_beside(target: Path) -> int:
    """How much of a file has come so far."""
    return sum(path.stat().st_size for path in target.parent.glob(".*.part"))


def restart(sshd: Sshd) -> None:
    sshd.stop()
    time.sleep(0.5)
    sshd.start()


def test_a_server_that_goes_down_under_a_program_is_noticed_at_once_and_the_next_call_connects_again(
    sshd: Sshd, transport: SshTransport, tmp_path: Path
) -> None:
    began = tmp_path / "began"
    breaking = when(began.exists, lambda: restart(sshd))
    with pytest.raises(HostUnreachable, match="connection broke"):
        transport.run(["sh", "-c", 'touch "$1"; sleep 60', "sh", str(began)], timeout_s=60)
    breaking.join()
    assert soon(lambda: works(transport), 20, every_s=0.2)


def works(transport: SshTransport) -> bool:
    try:
        return transport.run(["echo", "here"], timeout_s=30).stdout == b"here\n"
    except HostError:
        return False


def test_a_connection_that_broke_while_nobody_used_it_is_made_again_unnoticed(
    sshd: Sshd, transport: SshTransport
) -> None:
    assert works(transport)
    restart(sshd)
    assert transport.run(["echo", "here"], timeout_s=30).stdout == b"here\n"


def test_a_file_on_its_way_there_goes_on_where_it_was_when_the_server_is_back(
    sshd: Sshd, transport: SshTransport, tmp_path: Path
) -> None:
    source, target = large(tmp_path), tmp_path / "there" / "copy"
    sizes: list[int] = []

    def interrupt() -> None:
        sshd.stop()
        sizes.append(part_beside(target))
        assert not target.exists()
        sshd.start()

    breaking = when(lambda: part_beside(target) > LARGE_BYTES // 4, interrupt)
    transport.put(source, str(target), timeout_s=120)
    breaking.join()
    assert sizes, "it was not interrupted"
    assert digest(target) == digest(source)
    assert names(target.parent) == ["copy"]


def test_a_file_on_its_way_back_goes_on_where_it_was_when_the_server_is_back(
    sshd: Sshd, transport: SshTransport, tmp_path: Path
) -> None:
    source, target = large(tmp_path), tmp_path / "back" / "copy"
    sizes: list[int] = []

    def interrupt() -> None:
        sshd.stop()
        sizes.append(part_beside(target))
        assert not target.exists()
        sshd.start()

    breaking = when(lambda: part_beside(target) > LARGE_BYTES // 4, interrupt)
    transport.get(str(source), target, timeout_s=120)
    breaking.join()
    assert sizes, "it was not interrupted"
    assert digest(target) == digest(source)
    assert names(target.parent) == ["copy"]


def test_what_came_across_before_a_break_is_not_sent_again(sshd: Sshd, tmp_path: Path) -> None:
    source, target = large(tmp_path), tmp_path / "there" / "copy"
    with proxied(sshd, tmp_path / "proxy", after=LARGE_BYTES // 2) as (transport, _):
        transport.put(source, str(target), timeout_s=120)
    with proxied(sshd, tmp_path / "proxy2", after=LARGE_BYTES // 2) as (transport, _):
        transport.get(str(target), tmp_path / "back", timeout_s=120)
    assert digest(target) == digest(tmp_path / "back") == digest(source)


def test_a_part_that_is_damaged_is_sent_again_as_a_whole(transport: SshTransport, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "there" / "copy"
    source.write_bytes(os.urandom(5_000_000))
    target.parent.mkdir()
    part = target.parent / part_name(target.name, digest(source))
    part.write_bytes(b"x" * 3_000_000)
    transport.put(source, str(target), timeout_s=60)
    assert digest(target) == digest(source)
    back = tmp_path / "back" / "copy"
    back.parent.mkdir()
    (back.parent / part_name(back.name, digest(source))).write_bytes(b"y" * 7_000_000)
    transport.get(str(target), back, timeout_s=60)
    assert digest(back) == digest(source)
    assert names(back.parent) == ["copy"]


def test_a_host_that_says_nothing_more_is_noticed_and_another_connection_is_made(sshd: Sshd, tmp_path: Path) -> None:
    with proxied(sshd, tmp_path / "proxy") as (transport, processes):
        assert works(transport)
        proxy = processes.get("proxy")
        assert proxy is not None
        began = tmp_path / "began"

        def stall() -> None:
            proxy.signal(signal.SIGUSR1)
            time.sleep(0.2)
            proxy.signal(signal.SIGUSR2)

        stalling = when(began.exists, stall)
        at = time.monotonic()
        with pytest.raises(HostUnreachable, match="connection broke"):
            transport.run(["sh", "-c", 'touch "$1"; sleep 60', "sh", str(began)], timeout_s=50)
        assert time.monotonic() - at < 30
        stalling.join()
        assert works(transport)


def test_a_server_that_hangs_holds_nobody_longer_than_the_time_limit(sshd: Sshd, transport: SshTransport) -> None:
    assert works(transport)
    sshd.freeze()
    try:
        at = time.monotonic()
        with pytest.raises(HostUnreachable):
            transport.run(["true"], timeout_s=2)
        assert time.monotonic() - at < 12
    finally:
        sshd.thaw()
    assert soon(lambda: works(transport), 30, every_s=0.5)


def test_a_process_that_keeps_a_connection_notices_a_break_and_connects_again(
    sshd: Sshd, transport: SshTransport
) -> None:
    kept = start(route(sshd.host, config=sshd.config), idle_limit_s=600, keepalive_s=KEEPALIVE_S)
    kept.log_in(refuse)
    try:
        assert works(transport)
        restart(sshd)
        assert soon(lambda: not kept.tell().connected, 10)
        assert transport.run(["echo", "here"], timeout_s=30).stdout == b"here\n"
        assert kept.tell().connected
    finally:
        kept.end()


def refuse(prompt: str, *, secret: bool) -> str:
    pytest.fail(f"asked for {prompt}, secret: {secret}")


def test_a_process_that_is_killed_in_the_middle_of_a_transfer_does_not_stop_it(
    sshd: Sshd, transport: SshTransport, tmp_path: Path
) -> None:
    hops = route(sshd.host, config=sshd.config)
    kept = start(hops, idle_limit_s=600)
    pid = kept.log_in(refuse).pid
    source, target = large(tmp_path), tmp_path / "there" / "copy"
    breaking = when(lambda: part_beside(target) > LARGE_BYTES // 4, lambda: os.kill(pid, signal.SIGKILL))
    transport.put(source, str(target), timeout_s=120)
    breaking.join()
    assert find(hops) is None
    assert digest(target) == digest(source)


def test_a_call_through_a_process_that_is_killed_says_so_and_the_next_one_works(
    sshd: Sshd, transport: SshTransport, tmp_path: Path
) -> None:
    kept = start(route(sshd.host, config=sshd.config), idle_limit_s=600)
    pid = kept.log_in(refuse).pid
    began = tmp_path / "began"
    breaking = when(began.exists, lambda: os.kill(pid, signal.SIGKILL))
    with pytest.raises(HostUnreachable, match="ended during a call"):
        transport.run(["sh", "-c", 'touch "$1"; sleep 60', "sh", str(began)], timeout_s=60)
    breaking.join()
    assert works(transport)
