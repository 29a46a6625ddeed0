"""An SSH server that asks: for a password, or for a password and a one-time password, perhaps after a key. A program.

It stands for what a cluster does by PAM. A one-time password holds once: 100000, 100001 and so on, in this order.
What it was asked and what it let in is written to `--log`, one JSON list a line.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import paramiko

USER, PASSWORD = "ada", "corr\u00e9ct horse"
FIRST_CODE = 100000


class Server(paramiko.ServerInterface):
    """One client's connection."""

    def __init__(self, arguments: argparse.Namespace, door: Door) -> None:
        self.arguments = arguments
        self.door = door
        self.key_shown = False

    def get_allowed_auths(self, username: str) -> str:
        if self.arguments.mode == "key+otp" and not self.key_shown:
            return "publickey"
        return {"password": "password", "key+otp": "keyboard-interactive"}.get(
            self.arguments.mode, "keyboard-interactive"
        )

    def check_auth_password(self, username: str, password: str) -> int:
        right = self.arguments.mode == "password" and username == USER and password == PASSWORD
        self.door.note("password", right)
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        allowed = Path(self.arguments.authorized).read_text("utf-8").split()[1] if self.arguments.authorized else ""
        if self.arguments.mode != "key+otp" or key.get_base64() != allowed:
            return paramiko.AUTH_FAILED
        self.key_shown = True
        return paramiko.AUTH_PARTIALLY_SUCCESSFUL

    def check_auth_interactive(self, username: str, submethods: str) -> Any:
        if self.arguments.mode == "password":
            return paramiko.AUTH_FAILED
        query = paramiko.InteractiveQuery("", "Cluster login")
        if self.arguments.mode == "otp":
            query.add_prompt("Password: ", echo=False)
        query.add_prompt("One-time password: ", echo=True)
        return query

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        *words, code = responses
        right = words in ([], [PASSWORD]) and self.door.opens(code)
        self.door.note("otp", right)
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=run, args=(channel, command), daemon=True).start()
        return True

    def check_global_request(self, kind: str, msg: paramiko.Message) -> bool:
        return False


class Door:
    """What all connections share: the codes that are left, and the log."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._code = FIRST_CODE
        self._lock = threading.Lock()

    def opens(self, code: str) -> bool:
        with self._lock:
            right = code == str(self._code)
            self._code += right
            return right

    def note(self, what: str, right: bool) -> None:
        with self._lock, self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps([what, right]) + "\n")


def run(channel: paramiko.Channel, command: bytes) -> None:
    """One program, with its three streams."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(["sh", "-c", command], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
    assert process.stdin is not None

    def feed() -> None:
        while block := channel.recv(1 << 16):
            process.stdin.write(block)
        process.stdin.close()

    def pass_on(source: Any, send: Any) -> None:
        while block := source.read1(1 << 16):
            send(block)

    threading.Thread(target=feed, daemon=True).start()
    readers = [
        threading.Thread(target=pass_on, args=pair)
        for pair in ((process.stdout, channel.sendall), (process.stderr, channel.sendall_stderr))
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    channel.send_exit_status(process.wait())
    channel.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host-key", required=True)
    parser.add_argument("--mode", choices=["password", "otp", "key+otp"], required=True)
    parser.add_argument("--authorized", help="a public key, for key+otp")
    parser.add_argument("--log", type=Path, required=True)
    arguments = parser.parse_args()
    door = Door(arguments.log)
    key = paramiko.Ed25519Key.from_private_key_file(arguments.host_key)
    with socket.create_server(("127.0.0.1", arguments.port)) as listener:
        while True:
            client, _ = listener.accept()
            transport = paramiko.Transport(client)
            transport.add_server_key(key)
            try:
                transport.start_server(event=threading.Event(), server=Server(arguments, door))
            except (paramiko.SSHException, EOFError):
                transport.close()


if __name__ == "__main__":
    main()
