"""`sciflow connect`: what a host asks is asked in the terminal once, and all runs use the connection."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from sciflow.errors import HostRefused, HostUnreachable
from sciflow.executors.transports.kept_connection import find, find_all
from sciflow.executors.transports.ssh import SshTransport
from sciflow.executors.transports.ssh_config import route
from tests.services import asking_server, instances
from tests.services.plugin import require
from tests.services.processes import Processes, free_ports, listens, soon
from tests.services.sshd import Sshd, SshdService

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the sockets lie; no process is left at the end."""
    run = Path(tempfile.mkdtemp(prefix="sciflow-run-", dir="/tmp"))  # a socket's path must be short
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    yield run / "sciflow"
    for kept, told in find_all():
        kept.end()
        assert soon(lambda pid=told.pid: not Path(f"/proc/{pid}").exists(), 10)
    shutil.rmtree(run)


@pytest.fixture
def sshd() -> Iterator[Sshd]:
    require("sshd")
    with instances.running(SshdService()) as server:
        yield server


def connect(*words: str, answers: Sequence[str] = (), patience_s: float = 60.0) -> tuple[int, str]:
    """`sciflow connect` in a terminal: exit code, and what the terminal showed. An answer is typed at each colon."""
    code = "import sys; from sciflow.cli.main import main; sys.argv[0] = 'sciflow'; main()"
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-c", code, "connect", *words])
    shown, rest, end = b"", list(answers), time.monotonic() + patience_s
    seen = 0
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            shown += os.read(terminal, 4096)
        except OSError:
            break
        if rest and re.search(rb": ?$", shown[seen:]):
            seen = len(shown)
            time.sleep(0.05)  # until the echo is off
            os.write(terminal, rest.pop(0).encode() + b"\n")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode(errors="replace")


@dataclass(frozen=True)
class Asking:
    """A server that asks; `config` is a client's configuration for `host`."""

    folder: Path
    config: Path
    processes: Processes
    host: str = "asking"

    def asked(self) -> list[list[object]]:
        path = self.folder / "asked"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def asking(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Asking]:
    folder = tmp_path / "asking"
    folder.mkdir()
    for name in ("host_key", "id"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (port,) = free_ports(1)
    processes = Processes(folder)
    argv = [sys.executable, asking_server.__file__, "--port", str(port), "--host-key", str(folder / "host_key")]
    argv += ["--mode", request.param, "--log", str(folder / "asked"), "--authorized", str(folder / "id.pub")]
    processes.start("server", argv, ready=lambda: listens(port))
    kind, blob = (folder / "host_key.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {blob}\n")
    (folder / "config").write_text(
        f"Host asking\n HostName 127.0.0.1\n Port {port}\n User {asking_server.USER}\n IdentityFile {folder / 'id'}\n"
        f" UserKnownHostsFile {folder / 'known_hosts'}\n GlobalKnownHostsFile none\n IdentityAgent none\n"
    )
    yield Asking(folder, folder / "config", processes)
    processes.end("server")


ANSWERS = {
    "password": [asking_server.PASSWORD],
    "otp": [asking_server.PASSWORD, "100000"],
    "key+otp": ["100000"],
}


@pytest.mark.parametrize(("asking", "answers"), ANSWERS.items(), indirect=["asking"], ids=ANSWERS)
def test_what_a_host_asks_is_asked_once_and_not_shown_and_all_runs_use_the_login(
    asking: Asking, answers: list[str], place: Path
) -> None:
    transports = [SshTransport(asking.host, config=asking.config) for _ in range(3)]
    with pytest.raises(HostRefused, match=f"run `sciflow connect -F {asking.config} asking` in a terminal"):
        transports[0].run(["true"], timeout_s=30)
    code, shown = connect(asking.host, "-F", str(asking.config), answers=answers)
    assert code == 0, shown
    assert "connected to ada@127.0.0.1" in shown
    assert asking_server.PASSWORD not in shown
    assert [t.run(["echo", "here"], timeout_s=30).stdout for t in transports] == [b"here\n"] * 3
    assert [right for _, right in asking.asked()] == [True]
    secret = asking_server.PASSWORD.encode()
    assert not any(secret in path.read_bytes() for path in place.iterdir() if path.is_file())


@pytest.mark.parametrize("asking", ["password"], indirect=True)
def test_a_mistyped_password_is_asked_for_again(asking: Asking) -> None:
    answers = ["wrong", asking_server.PASSWORD]
    assert connect(asking.host, "-F", str(asking.config), answers=answers)[0] == 0
    assert [right for _, right in asking.asked()] == [False, True]


@pytest.mark.parametrize("asking", ["password"], indirect=True)
def test_a_login_that_fails_leaves_no_process(asking: Asking) -> None:
    code, shown = connect(asking.host, "-F", str(asking.config), answers=["wrong"] * 3)
    assert code == 2
    assert "login refused" in shown
    assert soon(lambda: find(route(asking.host, config=asking.config)) is None, 10)


@pytest.mark.parametrize("asking", ["otp"], indirect=True)
def test_a_connection_that_breaks_and_needs_the_user_says_so_until_the_user_has_connected_again(asking: Asking) -> None:
    words = (asking.host, "-F", str(asking.config))
    assert connect(*words, answers=ANSWERS["otp"])[0] == 0
    transport = SshTransport(asking.host, config=asking.config)
    identity = asking.processes.get("server")
    assert identity is not None
    argv = Path(f"/proc/{identity.pid}/cmdline").read_text().split("\0")[:-1]
    asking.processes.end("server")
    with pytest.raises(HostUnreachable):
        transport.run(["true"], timeout_s=30)
    asking.processes.start("server", argv, ready=lambda: listens(int(argv[3])))
    time.sleep(1)
    with pytest.raises(HostRefused, match=f"run `sciflow connect -F {asking.config} asking`"):
        transport.run(["true"], timeout_s=30)
    (_, told), *_ = find_all()
    assert not told.connected
    assert connect(*words, answers=ANSWERS["otp"])[0] == 0
    assert transport.run(["echo", "here"], timeout_s=30).stdout == b"here\n"


def test_the_passphrase_of_a_key_is_asked_for_once_also_when_the_connection_is_made_again(sshd: Sshd) -> None:
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret phrase", "-f", str(sshd.key)], check=True)
    code, shown = connect(sshd.host, "-F", str(sshd.config), answers=["wrong", "secret phrase"])
    assert code == 0, shown
    assert "secret" not in shown
    transport = SshTransport(sshd.host, config=sshd.config)
    sshd.stop()
    sshd.start()
    assert soon(lambda: _works(transport), 20, every_s=0.5)


def _works(transport: SshTransport) -> bool:
    try:
        return transport.run(["echo", "here"], timeout_s=30).stdout == b"here\n"
    except HostUnreachable:
        return False


def test_a_host_that_does_not_answer_is_told_with_what_to_try(sshd: Sshd) -> None:
    sshd.stop()
    code, shown = connect("-F", str(sshd.config), sshd.host)
    assert code == 2
    assert f"does `ssh -F {sshd.config} {sshd.host}` work?" in " ".join(shown.split())
    assert find_all() == []


def test_a_host_key_is_accepted_by_its_fingerprint(sshd: Sshd) -> None:
    sshd.known_hosts.write_text("")
    words = (sshd.host, "-F", str(sshd.config))
    code, shown = connect(*words)
    assert code == 2
    assert sshd.fingerprint in shown
    code, shown = connect(*words, "--accept-host-key", sshd.fingerprint)
    assert code == 0, shown
    assert sshd.host in sshd.known_hosts.read_text()


def test_connecting_twice_keeps_one_connection_and_closing_ends_it(sshd: Sshd) -> None:
    words = (sshd.host, "-F", str(sshd.config))
    assert connect(*words)[0] == 0
    assert connect(*words)[0] == 0
    assert len(find_all()) == 1
    _, shown = connect("--list")
    assert f"{sshd.host}  {sshd.user}@127.0.0.1:{sshd.port}" in shown
    assert "connected" in shown
    assert "closed" in connect(*words, "--close")[1]
    assert soon(lambda: not find_all(), 10)
    assert "no connections are kept" in connect("--list")[1]
    assert "no connection to cluster is kept" in connect(*words, "--close")[1]


def test_calls_of_several_transports_share_one_connection(sshd: Sshd) -> None:
    assert connect(sshd.host, "-F", str(sshd.config))[0] == 0
    for _ in range(3):
        assert SshTransport(sshd.host, config=sshd.config).run(["true"], timeout_s=30).code == 0
    assert (sshd.folder / "log" / "sshd.log").read_text().count("Accepted publickey") == 1


def test_a_connection_that_nobody_uses_is_closed(sshd: Sshd) -> None:
    assert connect(sshd.host, "-F", str(sshd.config), "--idle-hours", "0.0003")[0] == 0
    assert soon(lambda: not find_all(), 15, every_s=0.2)


def test_when_the_process_is_killed_the_next_call_connects_by_itself(sshd: Sshd) -> None:
    assert connect(sshd.host, "-F", str(sshd.config))[0] == 0
    transport = SshTransport(sshd.host, config=sshd.config)
    assert transport.run(["true"], timeout_s=30).code == 0
    os.kill(find_all()[0][1].pid, signal.SIGKILL)
    assert transport.run(["echo", "here"], timeout_s=30).stdout == b"here\n"
    transport.close()


def test_the_sockets_lie_where_nobody_else_can_come(sshd: Sshd, place: Path) -> None:
    assert connect(sshd.host, "-F", str(sshd.config))[0] == 0
    assert place.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o600}
    place.chmod(0o755)
    with pytest.raises(HostRefused, match="must belong to you alone"):
        SshTransport(sshd.host, config=sshd.config).run(["true"], timeout_s=30)
    place.chmod(0o700)
