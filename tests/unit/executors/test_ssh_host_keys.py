"""Host keys: what is known, what is refused, what is written down."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sciflow.errors import HostRefused
from sciflow.executors.transports.host_keys import HostKey, check
from sciflow.executors.transports.ssh_config import Hop


def make_key(folder: Path, name: str, kind: str = "ed25519") -> tuple[HostKey, str, str]:
    """The key, its line, and the fingerprint as OpenSSH tells it."""
    import base64

    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)], check=True)
    words = Path(f"{path}.pub").read_text("utf-8").split()
    told = subprocess.run(["ssh-keygen", "-lf", str(path)], capture_output=True, text=True, check=True).stdout
    return HostKey(words[0], base64.b64decode(words[1])), f"{words[0]} {words[1]}", told.split()[1]


def hop(folder: Path, *, port: int = 22) -> Hop:
    return Hop(
        alias="box", goal="box", host="box.example", port=port, user="ada", known=(folder / "known", folder / "global")
    )


def test_an_unknown_host_is_refused_with_its_fingerprint_and_the_command_that_accepts_it(tmp_path: Path) -> None:
    key, _, fingerprint = make_key(tmp_path, "key")
    with pytest.raises(HostRefused) as refused:
        check(hop(tmp_path), key)
    assert f"sciflow connect box --accept-host-key {fingerprint}" in str(refused.value)
    assert not (tmp_path / "known").exists()


@pytest.mark.parametrize("port", [22, 2222])
@pytest.mark.parametrize("hashed", [False, True])
def test_a_host_that_is_known_by_name_port_and_hash_is_accepted(tmp_path: Path, port: int, hashed: bool) -> None:
    key, line, _ = make_key(tmp_path, "key")
    name = "box.example" if port == 22 else f"[box.example]:{port}"
    (tmp_path / "known").write_text(f"# comment\n\nother ssh-ed25519 AAAA\n{name},10.0.0.1 {line} note\n")
    if hashed:
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(tmp_path / "known")], check=True, capture_output=True)
        assert name not in (tmp_path / "known").read_text()
    check(hop(tmp_path, port=port), key)
    with pytest.raises(HostRefused, match="not known"):
        check(hop(tmp_path, port=port + 1), key)


def test_patterns_and_exceptions_from_them_are_understood(tmp_path: Path) -> None:
    key, line, _ = make_key(tmp_path, "key")
    (tmp_path / "global").write_text(f"*.example {line}\n")
    check(hop(tmp_path), key)
    (tmp_path / "global").write_text(f"*.example,!box.* {line}\n")
    with pytest.raises(HostRefused, match="not known"):
        check(hop(tmp_path), key)


def test_a_changed_key_is_refused_loudly_and_both_fingerprints_are_shown(tmp_path: Path) -> None:
    _, line, old = make_key(tmp_path, "old")
    key, _, new = make_key(tmp_path, "new")
    (tmp_path / "known").write_text(f"box.example {line}\n")
    with pytest.raises(HostRefused, match="HAS CHANGED") as refused:
        check(hop(tmp_path), key)
    assert old in str(refused.value)
    assert new in str(refused.value)
    assert "known, line 1" in str(refused.value)


def test_an_accepted_key_takes_the_place_of_the_old_one_and_leaves_all_else(tmp_path: Path) -> None:
    _, line, _ = make_key(tmp_path, "old")
    key, _, new = make_key(tmp_path, "new")
    (tmp_path / "known").write_text(f"# mine\nbox.example {line}\nother {line}\n")
    check(hop(tmp_path), key, accept=[new])
    check(hop(tmp_path), key)
    lines = (tmp_path / "known").read_text().splitlines()
    assert lines[:2] == ["# mine", f"other {line}"]
    assert len(lines) == 3
    found = subprocess.run(
        ["ssh-keygen", "-F", "box.example", "-f", str(tmp_path / "known")], capture_output=True, check=True
    )
    assert b"line 3" in found.stdout


def test_another_fingerprint_than_the_one_that_is_shown_accepts_nothing(tmp_path: Path) -> None:
    key, _, _ = make_key(tmp_path, "key")
    with pytest.raises(HostRefused, match="not known"):
        check(hop(tmp_path), key, accept=["SHA256:" + "A" * 43])


def test_a_revoked_key_is_refused_even_if_it_is_accepted(tmp_path: Path) -> None:
    key, line, fingerprint = make_key(tmp_path, "key")
    (tmp_path / "known").write_text(f"@revoked * {line}\nbox.example {line}\n")
    with pytest.raises(HostRefused, match="revoked"):
        check(hop(tmp_path), key, accept=[fingerprint])
