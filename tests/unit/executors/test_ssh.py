"""Logging in and connecting by SSH, at real servers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sciflow.errors import HostRefused, HostUnreachable
from sciflow.executors.transports.ssh import SshTransport
from tests.services import instances
from tests.services.plugin import require
from tests.services.processes import free_ports
from tests.services.sshd import Sshd, SshdService


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


def says(transport: SshTransport) -> bytes:
    try:
        return transport.run(["echo", "here"], timeout_s=30).stdout
    finally:
        transport.close()


def test_a_key_logs_in(sshd: Sshd) -> None:
    transport = SshTransport(sshd.host, config=sshd.config)
    assert transport.name == f"{sshd.user}@127.0.0.1:{sshd.port}"
    assert says(transport) == b"here\n"


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_keys_of_each_kind_log_in(sshd: Sshd, kind: str) -> None:
    key = sshd.folder / f"another_{kind}"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(key)], check=True)
    (sshd.folder / "authorized_keys").write_bytes(Path(f"{key}.pub").read_bytes())
    sshd.config.write_text(sshd.entry().replace(str(sshd.key), str(key)))
    assert says(SshTransport(sshd.host, config=sshd.config)) == b"here\n"


def test_a_key_that_only_the_agent_can_use_logs_in(sshd: Sshd) -> None:
    address = sshd.folder / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(address)], stdout=subprocess.DEVNULL)
    try:
        while not address.exists():
            assert agent.poll() is None
        env = {**os.environ, "SSH_AUTH_SOCK": str(address)}
        subprocess.run(["ssh-add", "-q", str(sshd.key)], env=env, check=True, capture_output=True)
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret phrase", "-f", str(sshd.key)], check=True)
        sshd.config.write_text(sshd.entry().replace("IdentityAgent none", f"IdentityAgent {address}"))
        assert says(SshTransport(sshd.host, config=sshd.config)) == b"here\n"
    finally:
        agent.kill()
        agent.wait()


def test_a_key_with_a_passphrase_and_nobody_to_ask_says_what_to_do(sshd: Sshd) -> None:
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret phrase", "-f", str(sshd.key)], check=True)
    with pytest.raises(
        HostRefused, match=rf"passphrase of {sshd.key}.*run `sciflow connect -F {sshd.config} {sshd.host}`"
    ):
        says(SshTransport(sshd.host, config=sshd.config))


def test_a_key_that_is_not_authorized_is_refused_with_a_way_to_find_out(sshd: Sshd) -> None:
    (sshd.folder / "authorized_keys").write_text("")
    with pytest.raises(HostRefused, match=rf"login refused .* does `ssh -F {sshd.config} {sshd.host}` work"):
        says(SshTransport(sshd.host, config=sshd.config))


def test_an_unknown_host_key_is_refused_and_nothing_is_written(sshd: Sshd) -> None:
    sshd.known_hosts.write_text("")
    with pytest.raises(HostRefused, match="host key is not known") as refused:
        says(SshTransport(sshd.host, config=sshd.config))
    assert f"sciflow connect -F {sshd.config} {sshd.host} --accept-host-key {sshd.fingerprint}" in str(refused.value)
    assert sshd.known_hosts.read_text() == ""


def test_a_host_on_the_way_that_refuses_names_the_whole_way_to_be_connected(sshd: Sshd) -> None:
    (sshd.folder / "authorized_keys").write_text("")
    sshd.config.write_text(sshd.entry("gate") + sshd.entry(more=["ProxyJump gate"]))
    with pytest.raises(HostRefused, match=rf"does `ssh -F {sshd.config} {sshd.host}` work"):
        says(SshTransport(sshd.host, config=sshd.config))
    sshd.known_hosts.write_text("")
    with pytest.raises(HostRefused, match=rf"sciflow connect -F {sshd.config} {sshd.host} --accept"):
        says(SshTransport(sshd.host, config=sshd.config))


def test_a_host_that_has_several_keys_is_asked_for_the_known_one(sshd: Sshd) -> None:
    key = sshd.folder / "other_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", str(key)], check=True)
    sshd.stop()
    with (sshd.folder / "sshd_config").open("a") as file:
        file.write(f"HostKey {key}\n")
    sshd.start()
    kind, blob = Path(f"{key}.pub").read_text().split()[:2]
    sshd.known_hosts.write_text(f"{sshd.host} {kind} {blob}\n")
    assert says(SshTransport(sshd.host, config=sshd.config)) == b"here\n"


def test_a_host_that_is_down_is_unreachable_and_is_not_asked_again_at_once(sshd: Sshd) -> None:
    sshd.stop()
    transport = SshTransport(sshd.host, config=sshd.config)
    with pytest.raises(HostUnreachable, match="cannot be reached"):
        says(transport)
    with pytest.raises(HostUnreachable, match="the next attempt is made in"):
        says(transport)


def test_a_port_that_says_nothing_is_unreachable_within_the_time_limit(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    silent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); print(flush=True); time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert silent.stdout is not None
        silent.stdout.readline()
        (tmp_path / "config").write_text("")
        with pytest.raises(HostUnreachable):
            says(SshTransport("127.0.0.1", port=port, config=tmp_path / "config", connect_timeout_s=1))
    finally:
        silent.kill()
        silent.communicate()


def test_a_user_who_may_run_nothing_is_told_what_the_host_says() -> None:
    require("sshd")
    with (
        instances.running(SshdService(options=["ForceCommand echo This account is closed.; exit 1"])) as sshd,
        pytest.raises(HostRefused, match=r"runs no programs for this user, it says: This account is closed\."),
    ):
        says(SshTransport(sshd.host, config=sshd.config))


def test_one_session_only_is_found_out_and_kept_to() -> None:
    from concurrent.futures import ThreadPoolExecutor

    require("sshd")
    with instances.running(SshdService(options=["MaxSessions 1"])) as sshd:
        transport = SshTransport(sshd.host, config=sshd.config)
        with ThreadPoolExecutor(6) as pool:
            outputs = list(pool.map(lambda n: transport.run(["echo", str(n)], timeout_s=60).stdout, range(12)))
        transport.close()
    assert outputs == [b"%d\n" % n for n in range(12)]
