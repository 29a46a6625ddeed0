"""The way to a host, as the user's SSH configuration has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sciflow.errors import HostRefused
from sciflow.executors.transports.ssh_config import Hop, route

CONFIG = """
Include {folder}/more
Host cluster
    HostName login.cluster.example
    User ada
    Port 2222
    IdentityFile {folder}/keys/%r
    ProxyJump gate,bob@inner:2200
Host gate
    HostName gate.example
    ProxyJump outermost
Host circle
    ProxyJump circle2
Host circle2
    ProxyJump circle
Host by-program
    ProxyCommand connect-to %h %p
    IdentityAgent none
    UserKnownHostsFile {folder}/a {folder}/b
    HostKeyAlias alias
"""


@pytest.fixture(params=["as ssh reads it", "without an ssh"])
def config(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "more").write_text("Host outermost\n    User carol\n")
    path = tmp_path / "config"
    text = CONFIG.format(folder=tmp_path)
    if request.param == "without an ssh":
        monkeypatch.setenv("PATH", str(tmp_path / "empty"))
        text = text.replace("Include", "#") + "Host outermost\n    User carol\n"
    path.write_text(text)
    return path


def names(hops: tuple[Hop, ...]) -> list[str]:
    return [hop.name for hop in hops]


def test_name_user_port_and_key_come_from_the_configuration(config: Path) -> None:
    last = route("cluster", config=config)[-1]
    assert last.name == "ada@login.cluster.example:2222"
    assert last.keys == (config.parent / "keys" / "ada",)
    assert last.known_as == "[login.cluster.example]:2222"


def test_a_user_may_be_named_with_the_host(config: Path) -> None:
    assert route("bob@cluster", config=config)[-1].name == "bob@login.cluster.example:2222"


def test_the_way_leads_over_all_hosts_and_over_those_before_the_first(config: Path) -> None:
    way = names(route("cluster", config=config))
    assert way[0] == "carol@outermost:22"
    assert way[1].endswith("@gate.example:22")
    assert way[2:] == ["bob@inner:2200", "ada@login.cluster.example:2222"]


def test_a_way_that_leads_in_a_circle_is_refused(config: Path) -> None:
    with pytest.raises(HostRefused, match="over more than 8 hosts"):
        route("circle", config=config)


def test_what_is_given_counts_more_than_the_configuration(config: Path) -> None:
    assert route("cluster", user="eve", port=22, config=config)[-1].name == "eve@login.cluster.example:22"


def test_a_program_may_be_the_way(config: Path) -> None:
    (hop,) = route("by-program", config=config)
    assert hop.command == "connect-to by-program 22"
    assert hop.agent is None
    assert hop.known[:2] == (config.parent / "a", config.parent / "b")
    assert hop.known_as == "alias"


def test_a_host_that_looks_like_an_option_is_none() -> None:
    with pytest.raises(HostRefused, match="no name of a host"):
        route("-oProxyCommand=touch /tmp/x")


def test_a_configuration_that_cannot_be_read_is_refused_in_the_words_of_ssh(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Nonsense yes\n")
    with pytest.raises(HostRefused, match=r"(?i)nonsense"):
        route("cluster", config=tmp_path / "config")
