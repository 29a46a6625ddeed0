"""How an executor of Argo reaches its workflows: certificates, tokens, kubeconfigs, servers that do not answer."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from traceback import format_exception
from typing import Any

import pytest

from sciflow.errors import ConfigError, HostRefused, HostUnreachable, InvalidSettings
from sciflow.executors.argo.server import argo_server
from sciflow.executors.argo.server.access import Access, Words
from sciflow.executors.argo.server.connection import Connection
from sciflow.executors.argo.server.kubeconfig import Entries, kubeconfig_access
from sciflow.executors.argo.server.reaching import make_server
from sciflow.executors.argo.server.workflows import Workflows
from sciflow.executors.settings import ArgoSettings, parse_executor
from tests.services.tls_front import certificate, tls_before
from tests.unit.executors.argo_stand_in import StandIn, stand_in

HERE = "/apis/argoproj.io/v1alpha1/namespaces/argo/workflows/run"
THERE = "/api/v1/workflows/argo/run"


Reach = Callable[..., Workflows]


@pytest.fixture
def workflows() -> Iterator[Reach]:
    """Those that an executor with such settings has."""
    made: list[Workflows] = []

    def reach(**settings: Any) -> Workflows:
        found = parse_executor("argo", {"type": "argo", "namespace": "argo", "storage": "bucket", **settings})
        assert isinstance(found, ArgoSettings)
        made.append(make_server(found))
        return made[-1]

    yield reach
    for one in made:
        one.close()


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as found:
        found.answers["GET /api/v1/version"] = 200, {"version": "v3.7.14"}
        yield found


# --- certificates


@pytest.fixture
def tls(server: StandIn, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The same behind TLS, and the certificate of who has signed its own."""
    made, key = certificate(tmp_path)
    with tls_before(server.port, certificate=made, key=key) as port:
        yield f"https://127.0.0.1:{port}", made


def test_a_server_whose_certificate_was_signed_by_our_own_is_trusted(workflows: Reach, tls: tuple[str, Path]) -> None:
    url, ca = tls
    assert workflows(server=url, ca_file=str(ca)).version() == "v3.7.14"
    assert workflows(server=url, verify=False).version() == "v3.7.14"


def test_a_server_whose_certificate_nobody_knows_is_refused_with_the_setting_that_names_it(
    workflows: Reach, tls: tuple[str, Path], tmp_path: Path
) -> None:
    url, _ = tls
    with pytest.raises(HostRefused, match="name the certificate of who signed the server's: `ca_file`"):
        workflows(server=url).version()
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(HostRefused, match="for a test: verify = false"):
        workflows(server=url, ca_file=str(certificate(other)[0])).version()


def test_a_server_whose_certificate_has_another_name_is_refused_with_what_to_write(
    workflows: Reach, server: StandIn, tmp_path: Path
) -> None:
    made, key = certificate(tmp_path, "DNS:argo.example.org")
    with (
        tls_before(server.port, certificate=made, key=key) as port,
        pytest.raises(HostRefused, match="write in `server` the name that stands in the server's certificate"),
    ):
        workflows(server=f"https://127.0.0.1:{port}", ca_file=str(made)).version()


def test_http_and_https_are_told_from_each_other(workflows: Reach, server: StandIn, tls: tuple[str, Path]) -> None:
    with pytest.raises(HostUnreachable, match="write http:// in `server`"):
        workflows(server=server.url.replace("http", "https")).version()
    with pytest.raises(HostUnreachable, match="write https:// in `server`"):
        workflows(server=tls[0].replace("https", "http")).version()


def test_a_file_without_certificates_is_told_by_its_name(workflows: Reach, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`ca_file` /nowhere\.pem: No such file"):
        workflows(server="https://127.0.0.1:9", ca_file="/nowhere.pem")


# --- tokens


def test_a_token_that_has_expired_is_read_anew_and_waited_for(
    workflows: Reach, server: StandIn, tmp_path: Path
) -> None:
    server.answers[f"GET {THERE}"] = 200, {"status": {"phase": "Running"}}
    server.token, token = "one", tmp_path / "token"
    token.write_text("none")
    with pytest.raises(HostRefused, match=f"renew `token`, in {token}"):
        workflows(server=server.url, token={"file": str(token)}).status("run", nodes=False)
    token.write_text("one")
    found = workflows(server=server.url, token={"file": str(token)})
    assert found.status("run", nodes=False) is not None
    server.token = "two"
    with pytest.raises(HostUnreachable, match="it is missing, wrong, or has expired"):
        found.status("run", nodes=False)
    token.write_text("two")
    assert found.status("run", nodes=False) is not None


def test_a_server_that_takes_a_call_and_is_silent_is_given_up() -> None:
    words = Words(server="the server", place="`server`", token="", ca="", plain="")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        connection = Connection(lambda: Access(url=url), words, timeout_s=0.3)
        with pytest.raises(HostUnreachable, match="no answer: timed out"):
            connection.json("GET", "/")
        connection.close()


def test_a_workflow_that_a_server_does_not_come_to_the_end_of_is_told_with_its_size(
    workflows: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(argo_server, "CREATION_S", 0.3)
    chain = {"spec": {"templates": [{"dag": {"tasks": [{}] * 3000}}, {"container": {}}]}}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = workflows(server=f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(HostUnreachable, match=r"(?s)timed out.*found: +a workflow of 3,000 tasks was .*VPN"):
            found.create(chain)


def test_a_proxy_that_does_not_wait_for_a_large_workflow_and_a_server_that_is_away_are_told_apart(
    workflows: Reach, server: StandIn
) -> None:
    chain = {"spec": {"templates": [{"dag": {"tasks": [{}] * 3000}}, {"container": {}}]}}
    server.page = 504, "text/html", "<h1>504 Gateway Time-out</h1>"
    with pytest.raises(HostUnreachable, match=r"(?s)\(504\).*found: +a workflow of 3,000 tasks was to be created"):
        workflows(server=server.url).create(chain)
    with pytest.raises(HostUnreachable) as caught:
        workflows(server="http://127.0.0.1:9").create(chain)
    assert "tasks" not in str(caught.value)


# --- what is told of workflows


PORTAL = "<html>Log in to the network</html>"


@pytest.mark.parametrize(
    "page", [(200, "text/html; charset=utf-8", PORTAL), (302, "text/html", ""), (200, "application/json", PORTAL)]
)
@pytest.mark.parametrize("by", ["server", "kubeconfig"])
def test_the_page_of_a_network_is_no_answer_and_waited_for(
    by: str, page: tuple[int, str, str], workflows: Reach, server: StandIn, tmp_path: Path
) -> None:
    file = str(kubeconfig(tmp_path, server.url))
    found = workflows(kubeconfig=file) if by == "kubeconfig" else workflows(server=server.url)
    server.answers[f"GET {HERE}"] = server.answers[f"GET {THERE}"] = 200, {"status": {"phase": "Running"}}
    assert found.status("run", nodes=True) is not None
    server.page = page
    with pytest.raises(HostUnreachable, match="what answers there is not"):
        found.status("run", nodes=True)
    if "html" in page[1]:
        with pytest.raises(HostUnreachable, match="what answers there is not"):
            found.create({})
    server.page = None
    assert found.status("run", nodes=True) is not None


def test_the_page_of_a_proxy_in_place_of_a_server_is_refused_with_what_to_write(
    workflows: Reach, server: StandIn
) -> None:
    server.page = 200, "text/html", PORTAL
    with pytest.raises(HostRefused, match=r"not Argo's server(.|\n)*`server`"):
        workflows(server=server.url).status("run", nodes=False)


ELSEWHERE = [
    ("text/plain", "default backend - 404"),
    ("text/html", "<html>404 Not Found</html>"),
    ("application/json", '{"code": 5, "message": "Not Found"}'),  # Argo's: no such call
    ("application/json", '{"code": 5, "message": "workflows.argoproj.io \\"other\\" not found"}'),
    ("application/json", '{"kind": "Status", "reason": "NotFound", "details": {}, "code": 404}'),
    ("application/json", '"run"'),
]


@pytest.mark.parametrize("page", ELSEWHERE)
@pytest.mark.parametrize("by", ["server", "kubeconfig"])
def test_only_argo_and_kubernetes_themselves_say_that_a_workflow_is_not_there(
    by: str, page: tuple[str, str], workflows: Reach, server: StandIn, tmp_path: Path
) -> None:
    file = str(kubeconfig(tmp_path, server.url))
    found = workflows(kubeconfig=file) if by == "kubeconfig" else workflows(server=server.url)
    assert found.status("run", nodes=True) is None
    assert found.annotation("run", "sciflow/run") == ""
    found.delete("run")
    server.page = 404, *page
    for ask in (
        lambda: found.status("run", nodes=True),
        lambda: found.annotation("run", "sciflow/run"),
        lambda: found.delete("run"),
        lambda: found.suspend("run"),
    ):
        with pytest.raises((HostRefused, HostUnreachable)):
            ask()
    if page[0] != "application/json":
        with pytest.raises(HostUnreachable, match="what answers there is not"):
            found.create({})


@pytest.mark.parametrize(
    ("kind", "text", "codes"),
    [
        ("text/plain", "{} Authorization: {}\n", (200, 403, 404, 500, 502)),
        ("application/json", '{{"message": "{} you sent {}"}}', (403, 404, 500, 502)),
        ("application/json", '{{"headers": ["{}{}"', (200, 403, 404, 500, 502)),
        ("text/plain", "{:.800} {:.60}", (200, 403, 404, 500, 502)),
    ],
    ids=["by a page", "by a message", "by a text cut off", "in part"],
)
def test_a_token_that_is_shown_back_stands_in_no_message(
    kind: str, text: str, codes: tuple[int, ...], workflows: Reach, server: StandIn, tmp_path: Path
) -> None:
    token = "eyJhbGciOiJSUzI1NiIsImtpZCI6Ik" + "0123456789abcdef/+" * 40  # as long as they are
    (tmp_path / "token").write_text(token)
    found = workflows(server=server.url, token={"file": str(tmp_path / "token")})
    for code in codes:
        server.page = code, kind, text.format("x" * 900, f"Bearer {token}")
        for ask in (lambda: found.status("run", nodes=True), lambda: found.create({})):
            with pytest.raises((HostRefused, HostUnreachable)) as caught:
                ask()
            assert token[:20] not in str(caught.value)
            assert "***" in str(caught.value)


def test_a_password_that_is_shown_back_stands_in_no_message(workflows: Reach, server: StandIn, tmp_path: Path) -> None:
    login = base64.b64encode(b"someone:open sesame").decode()
    (tmp_path / "token").write_text(f"Basic {login}")
    found = workflows(server=server.url, token={"file": str(tmp_path / "token")})
    server.page = 403, "text/plain", f"Authorization: Basic {login}, which is someone with open sesame"
    with pytest.raises(HostRefused, match=r"Basic \*\*\*, which is someone with \*\*\*"):
        found.status("run", nodes=True)


def test_a_short_password_does_not_spoil_messages_in_which_its_letters_stand(
    workflows: Reach, server: StandIn, tmp_path: Path
) -> None:
    login = base64.b64encode(b"me:argo").decode()
    (tmp_path / "token").write_text(f"Basic {login}")
    found = workflows(server=server.url, token={"file": str(tmp_path / "token")})
    server.page = 403, "text/plain", f"workflows.argoproj.io: not for me:argo, {login}"
    with pytest.raises(HostRefused, match=r"workflows\.argoproj\.io: not for \*\*\*, \*\*\* "):
        found.status("run", nodes=True)


def test_a_workflow_that_only_argos_database_has_is_told_as_such(workflows: Reach, server: StandIn) -> None:
    label = {"workflows.argoproj.io/workflow-archiving-status": "Persisted"}
    server.answers[f"GET {THERE}"] = 200, {"metadata": {"labels": label}, "status": {"phase": "Failed"}}
    status = workflows(server=server.url).status("run", nodes=False)
    assert status is not None
    assert (status.phase, status.archived) == ("Failed", True)


@pytest.fixture
def cluster(workflows: Reach, server: StandIn, tmp_path: Path) -> Workflows:
    """The same server, taken for Kubernetes."""
    return workflows(kubeconfig=str(kubeconfig(tmp_path, server.url)))


def kubeconfig(folder: Path, url: str, *, cluster: Any = None, **user: Any) -> Path:
    file = folder / "kubeconfig"
    context = {"name": "here", "context": {"cluster": "c", "user": "u"}}
    clusters = [{"name": "c", "cluster": {"server": url, **(cluster or {})}}]
    users = [{"name": "u", "user": user}]
    told = {"current-context": "here", "contexts": [context], "clusters": clusters, "users": users}
    file.write_text(json.dumps(told))  # which is YAML, too
    return file


def packed(nodes: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(nodes).encode())).decode()


GATE = {
    "id": "n1",
    "type": "Suspend",
    "phase": "Running",
    "inputs": {"parameters": [{"name": "path", "value": "gate"}]},
    "outputs": {"parameters": [{"name": "answer", "valueFrom": {"supplied": {}}}]},
}


def test_nodes_that_argo_has_packed_are_read_and_changed(server: StandIn, cluster: Workflows) -> None:
    status = {"phase": "Running", "compressedNodes": packed({"n1": GATE, "n2": {"id": "n2", "type": "DAG"}})}
    server.answers[f"GET {HERE}"] = 200, {"metadata": {"resourceVersion": "7"}, "status": status}
    server.answers[f"PATCH {HERE}"] = 200, {}
    found = cluster.status("run", nodes=True)
    assert found is not None
    assert found.gates == {"gate": "n1"}
    cluster.release("run", "n1", {"answer": "given"})
    patch = server.told[-1][1]
    assert patch["metadata"] == {"resourceVersion": "7"}
    nodes = json.loads(gzip.decompress(base64.b64decode(patch["status"]["compressedNodes"])))
    assert nodes["n1"]["phase"] == "Succeeded"
    assert nodes["n1"]["outputs"] == {"parameters": [{"name": "answer", "value": "given"}]}
    assert nodes["n2"] == {"id": "n2", "type": "DAG"}


def test_nodes_that_are_in_a_database_are_no_nodes_and_a_gate_among_them_needs_the_server(
    server: StandIn, cluster: Workflows
) -> None:
    status = {"phase": "Running", "offloadNodeStatusVersion": "fnv:1"}
    server.answers[f"GET {HERE}"] = 200, {"metadata": {"resourceVersion": "7"}, "status": status}
    found = cluster.status("run", nodes=True)
    assert found is not None
    assert found.nodes == {}
    with pytest.raises(HostRefused, match="`server` instead of `kubeconfig`"):
        cluster.release("run", "n1", {"answer": "given"})


def test_of_a_workflow_that_is_gone_nothing_is_left_to_be_done(server: StandIn, cluster: Workflows) -> None:
    for order in (cluster.suspend, cluster.resume, cluster.stop, cluster.terminate):
        order("run")
    server.answers[f"PATCH {HERE}"] = 403, {"message": "cannot patch"}
    with pytest.raises(HostRefused, match="cannot patch"):
        cluster.stop("run")


def test_a_cluster_without_argo_is_told_with_what_may_be_wrong(cluster: Workflows) -> None:
    with pytest.raises(HostRefused, match="no workflows of Argo\n    fix:      is `context`"):
        cluster.version()


def test_a_run_in_a_cluster_without_argo_is_told_so_and_not_of_proxies_alone(
    cluster: Workflows, server: StandIn
) -> None:
    server.page = 404, "text/plain", "404 page not found"
    with pytest.raises(HostRefused, match="Has the cluster workflows of Argo at all"):
        cluster.status("run", nodes=True)


# --- kubeconfigs


def test_a_certificate_speaks_for_a_user(workflows: Reach, server: StandIn, tmp_path: Path) -> None:
    server.answers["GET /apis/argoproj.io/v1alpha1"] = 200, {}
    made, key = certificate(tmp_path)
    coded = {
        "client-certificate-data": base64.b64encode(made.read_bytes()).decode(),
        "client-key-data": base64.b64encode(key.read_bytes()).decode(),
    }
    with tls_before(server.port, certificate=made, key=key, client=made) as port:
        url = f"https://127.0.0.1:{port}"
        trusted = {"certificate-authority": made.name}  # beside the kubeconfig
        file = kubeconfig(tmp_path, url, cluster=trusted, **coded)
        assert workflows(kubeconfig=str(file)).version() == ""
        file = kubeconfig(tmp_path, url, cluster=trusted, **{"client-certificate": str(made), "client-key": str(key)})
        assert workflows(kubeconfig=str(file)).version() == ""
        with pytest.raises(HostRefused, match="the server asks for a certificate of yours"):
            workflows(kubeconfig=str(kubeconfig(tmp_path, url, cluster=trusted))).version()


def test_a_program_that_the_kubeconfig_names_gives_a_token_and_a_new_one_when_it_has_expired(
    workflows: Reach, server: StandIn, tmp_path: Path
) -> None:
    server.answers["GET /apis/argoproj.io/v1alpha1"] = 200, {}
    program, token = tmp_path / "login", tmp_path / "token"
    program.write_text('#!/bin/sh\necho "{\\"status\\": {\\"token\\": \\"$(cat $TOKEN)\\"}}"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    told = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program)}
    file = kubeconfig(tmp_path, server.url, exec={**told, "env": [{"name": "TOKEN", "value": str(token)}]})
    token.write_text("one")
    server.token = "one"
    found = workflows(kubeconfig=str(file))
    assert found.version() == ""
    server.token = "two"
    token.write_text("two")
    assert found.version() == ""
    file = kubeconfig(tmp_path, server.url, exec={**told, "command": "no-such-login", "installHint": "install it"})
    with pytest.raises(ConfigError, match=r"no-such-login, which the kubeconfig names: No such file.*install it"):
        workflows(kubeconfig=str(file))


def test_what_gives_access_is_in_no_message(workflows: Reach, server: StandIn, tmp_path: Path) -> None:
    program = tmp_path / "login"
    program.write_text("#!/bin/sh\necho 'got hidden-token' >&2\necho 'no such realm' >&2\nexit 1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(ConfigError) as caught:
        workflows(kubeconfig=str(kubeconfig(tmp_path, server.url, exec={"command": str(program)})))
    assert str(caught.value).endswith("failed: no such realm")
    file = kubeconfig(tmp_path, server.url, token="hidden-token")
    assert "hidden" not in repr(kubeconfig_access(str(file), ""))
    assert "hidden" not in repr(Entries(tmp_path, {}, {"token": "hidden-token"}))
    file.write_text("token: hidden-token: {\n")
    with pytest.raises(ConfigError, match=r"no YAML \(line 1\)") as caught:
        workflows(kubeconfig=str(file))
    assert "hidden" not in "".join(format_exception(caught.value))


def test_of_a_long_message_of_a_server_as_much_is_told_as_somebody_reads(workflows: Reach, server: StandIn) -> None:
    server.answers[f"GET {THERE}"] = 400, {"message": "no. " * 10_000}
    with pytest.raises(HostRefused, match=r"no\.  ?\.\.\. \(400\)") as caught:
        workflows(server=server.url).status("run", nodes=False)
    assert len(str(caught.value)) < 2000
    server.answers[f"GET {THERE}"] = 500, {"message": "no. " * 10_000 + "connection refused"}
    with pytest.raises(HostUnreachable, match="not now"):
        workflows(server=server.url).status("run", nodes=False)


def test_a_context_that_is_not_there_is_told_with_those_that_are(workflows: Reach, tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, "http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="no context 'there'\n    found:    here"):
        workflows(kubeconfig=str(file), context="there")
    with pytest.raises(ConfigError, match="kubeconfig /nowhere: No such file"):
        workflows(kubeconfig="/nowhere")
    with pytest.raises(ConfigError, match="a pod of the cluster"):
        workflows(kubeconfig="in-cluster")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "server is missing"),
        ({"server": "http://x", "kubeconfig": "y"}, "server and kubeconfig"),
        ({"server": "http://x", "context": "y"}, "context without kubeconfig"),
        ({"kubeconfig": "y", "token": {"env": "T"}}, "token without server"),
    ],
)
def test_where_workflows_are_is_said_once(workflows: Reach, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSettings, match=said):
        workflows(**settings)
