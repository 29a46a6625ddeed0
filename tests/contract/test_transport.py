"""Every way to reach a machine keeps the contract: this one, and a real sshd in many shapes."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sciflow.executors.transports.kept_connection import find, start
from sciflow.executors.transports.local import LocalTransport
from sciflow.executors.transports.ssh import SshTransport
from sciflow.executors.transports.ssh_config import route
from sciflow.executors.transports.transport import Transport
from sciflow.testing import TransportContract
from tests.services import instances
from tests.services.plugin import require
from tests.services.sshd import Sshd, SshdService


@pytest.fixture
def folder(tmp_path: Path) -> str:
    there = tmp_path / "over there"
    there.mkdir()
    return str(there)


@pytest.fixture(autouse=True, scope="module")
def nobody_keeps_a_connection() -> Iterator[None]:
    # a socket's path must be short
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="sciflow-run-", dir="/tmp") as run:
        patch.setenv("XDG_RUNTIME_DIR", run)
        yield


@contextlib.contextmanager
def server(*options: str, sftp: bool = True) -> Iterator[Sshd]:
    require("sshd")
    with instances.running(SshdService(options=options, sftp=sftp)) as sshd:
        yield sshd


@contextlib.contextmanager
def closing(transport: SshTransport) -> Iterator[SshTransport]:
    try:
        yield transport
    finally:
        transport.close()


class TestLocal(TransportContract):
    @pytest.fixture
    def transport(self) -> Transport:
        return LocalTransport()


def nobody(prompt: str, *, secret: bool) -> str:
    pytest.fail(f"asked for {prompt}, secret: {secret}")


@pytest.fixture(scope="module")
def plain() -> Iterator[Transport]:
    with server() as sshd, closing(SshTransport(sshd.host, config=sshd.config)) as transport:
        yield transport


class TestSsh(TransportContract):
    @pytest.fixture
    def transport(self, plain: Transport) -> Transport:
        return plain


@pytest.fixture(scope="module")
def narrow() -> Iterator[Transport]:
    with (
        server("MaxSessions 1", sftp=False) as sshd,
        closing(SshTransport(sshd.host, config=sshd.config)) as transport,
    ):
        yield transport


class TestSshWithoutSftpAndWithOneSession(TransportContract):
    @pytest.fixture
    def transport(self, narrow: Transport) -> Transport:
        return narrow


@pytest.fixture(scope="module")
def far() -> Iterator[Transport]:
    with server() as first, server() as second, server() as last:
        way = (first.entry("outer"), second.entry("inner"), last.entry(more=["ProxyJump outer,inner"]))
        last.config.write_text("\n".join(way), "utf-8")
        with closing(SshTransport(last.host, config=last.config)) as transport:
            yield transport


class TestSshThroughTwoJumpHosts(TransportContract):
    @pytest.fixture
    def transport(self, far: Transport) -> Transport:
        return far


@pytest.fixture(scope="module")
def by_program() -> Iterator[Transport]:
    with server() as sshd:
        program = Path(__file__).parents[1] / "services" / "stalling_proxy.py"
        line = f"ProxyCommand {sys.executable} {program} --stdio %p"
        sshd.config.write_text(sshd.entry(more=[line]), "utf-8")
        with closing(SshTransport(sshd.host, config=sshd.config)) as transport:
            yield transport


class TestSshByAProxyCommand(TransportContract):
    @pytest.fixture
    def transport(self, by_program: Transport) -> Transport:
        return by_program


@pytest.fixture(scope="module")
def kept() -> Iterator[Transport]:
    with server() as sshd, closing(SshTransport(sshd.host, config=sshd.config)) as transport:
        hops = route(sshd.host, config=sshd.config)
        kept = start(hops, idle_limit_s=600)
        kept.log_in(nobody)
        yield transport
        assert find(hops) is not None, "the process ended meanwhile"
        kept.end()


class TestConnectionThatAProcessKeeps(TransportContract):
    @pytest.fixture
    def transport(self, kept: Transport) -> Transport:
        return kept


@pytest.mark.parametrize("shell", ["dash", "bash", "csh", "tcsh", "fish", "zsh", "busybox"])
class TestLoginShells:
    """A user's login shell reads the one line that is sent."""

    @pytest.fixture
    def transport(self, shell: str, tmp_path: Path) -> Iterator[Transport]:
        if subprocess.run(["sh", "-c", f"command -v {shell}"], capture_output=True, check=False).returncode:
            pytest.skip(f"no {shell} on this machine")
        # a session runs this in place of the login shell, and this runs the line as that would; it says hello, too
        script = tmp_path / "login"
        program = f"{shell} sh" if shell == "busybox" else shell
        script.write_text(f'#!/bin/sh\nprintf hello; echo warning >&2; exec {program} -c "$SSH_ORIGINAL_COMMAND"\n')
        script.chmod(0o755)
        with (
            server(f"ForceCommand {script}") as sshd,
            closing(SshTransport(sshd.host, config=sshd.config)) as transport,
        ):
            yield transport

    test_arguments = TransportContract.test_arguments_arrive_as_they_are_whatever_characters_they_hold
    test_outputs = TransportContract.test_a_program_gets_its_input_and_its_outputs_and_exit_code_come_back
    test_files = TransportContract.test_several_files_go_at_once
