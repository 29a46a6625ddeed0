"""`sciflow doctor NAME` of Argo: from the way to the server to a task that ran, in the words of whoever refuses."""

from __future__ import annotations

import json
import secrets

import pytest
from minio import Minio

from sciflow.cli.main import exit_code
from sciflow.executors.checkup.argo import ArgoVisit, bucket
from sciflow.executors.settings import ArgoSettings
from tests.services.kubernetes.service import Kubernetes
from tests.unit.executors.argo_stand_in import stand_in

NOWHERE = {"type": "argo", "server": "http://127.0.0.1:9", "namespace": "argo", "storage": "bucket"}


@pytest.fixture
def doctor(monkeypatch, tmp_path, capsys):
    """`doctor("--no-job", server=...)`: the findings by subject, and the exit code."""
    monkeypatch.chdir(tmp_path)

    def findings(*args, **settings):
        table = {name: value for name, value in (NOWHERE | settings).items() if value is not None}
        monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"argo": table}))
        code = exit_code(["doctor", "argo", "--json", *args])
        return {found["subject"]: found for found in json.loads(capsys.readouterr().out)}, code

    return findings


@pytest.fixture
def there(doctor, kubernetes: Kubernetes, monkeypatch):
    """The same of the cluster, unless settings say otherwise."""
    for name, value in kubernetes.s3.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ARGO_TEST_TOKEN", kubernetes.token)
    bucket = {"type": "s3", "endpoint": kubernetes.s3.url, "bucket": kubernetes.s3.bucket}

    def findings(*args, bucket=bucket, **settings):
        monkeypatch.setenv("SCIFLOW_STORAGES", json.dumps({"bucket": bucket}))
        table = {"server": kubernetes.argo_url, "namespace": kubernetes.namespace, "token": {"env": "ARGO_TEST_TOKEN"}}
        return doctor(
            *args, **{**table, "base_image": kubernetes.base_image, "secret": kubernetes.s3_secret, **settings}
        )

    return findings


def test_a_server_that_is_not_there_is_told_before_anything_else(doctor):
    found, code = doctor()
    assert code == 1
    assert "http://127.0.0.1:9: no answer" in found["server"]["found"]
    assert "is Argo's server up" in found["server"]["fix"]
    assert found["not checked"]["found"] == "account, permissions, bucket, test workflow"


def test_a_server_that_does_not_know_all_that_we_write_is_too_old(doctor):
    with stand_in() as server:
        server.answers["GET /api/v1/version"] = 200, {"version": "v3.5.8"}
        found, code = doctor(server=server.url)
    assert code == 1
    assert found["server"]["found"] == "Argo v3.5.8"
    assert "Argo Workflows 3.6 or newer is needed" in found["server"]["fix"]


def test_a_token_that_is_not_set_is_told_with_the_variable(doctor):
    found, code = doctor(token={"env": "NO_SUCH_TOKEN"})
    assert code == 1
    assert "NO_SUCH_TOKEN is not set" in found["token"]["found"]
    assert "export NO_SUCH_TOKEN=..." in found["token"]["fix"]


def test_mistakes_in_the_settings_end_the_examination(doctor):
    found, code = doctor(namespce="argo")
    assert code == 1
    assert "did you mean 'namespace'?" in found["settings"]["fix"]


def test_all_is_in_order_up_to_a_task_that_ran(there, kubernetes):
    found, code = there("--wait-s", "240", user=1234567)  # one without a name in the image
    assert code == 0, found
    assert found["server"]["found"].startswith("Argo v3.")
    assert "by the token in $ARGO_TEST_TOKEN" in found["account"]["found"]
    assert found["permissions"]["state"] == "ok"
    assert "4 MiB unchanged" in found["bucket"]["found"]
    assert found["artifacts"]["state"] == "ok"
    assert f"ran in {kubernetes.base_image} (Python 3." in found["test task"]["found"]


def test_a_cluster_without_argos_server_is_examined_through_its_kubeconfig(there, kubernetes):
    found, code = there("--no-job", server=None, token=None, kubeconfig=str(kubernetes.kubeconfig))
    assert code == 0, found
    through = f"Argo through kubeconfig {kubernetes.kubeconfig}, namespace {kubernetes.namespace}"
    assert found["settings"]["found"] == through
    assert found["server"]["found"].endswith("Kubernetes, with the workflows of some Argo")
    assert found["account"]["found"] == f"admin, by {kubernetes.kubeconfig}"
    assert found["permissions"]["state"] == "ok"
    found, code = there("--no-job", server=None, token=None, kubeconfig="/nowhere")
    assert code == 1
    assert found["server"]["found"] == "kubeconfig /nowhere: No such file or directory"


def test_a_token_of_nobody_and_a_namespace_of_others(there, monkeypatch):
    found, code = there("--no-job", namespace="kube-system")
    assert code == 1
    assert "not allowed to list workflows" in found["permissions"]["found"]
    assert found["permissions"]["fix"].startswith("is kube-system the namespace of your workflows")
    assert "in namespace kube-system the account of the token needs a Role" in found["permissions"]["fix"]
    monkeypatch.setenv("ARGO_TEST_TOKEN", "eyJhbGciOiJub25lIn0.e30.x")
    found, code = there("--no-job")
    assert code == 1
    assert found["account"]["state"] == "note"
    assert "(401)" in found["permissions"]["found"]
    assert "renew `token`" in found["permissions"]["fix"]


def test_an_account_that_may_only_look_is_told_what_it_needs(there, kubernetes, monkeypatch):
    """Of all that the test workflow needs, the first is refused by Kubernetes itself."""
    role = f"looks-{secrets.token_hex(4)}"
    inside = ("-n", kubernetes.namespace)
    try:
        kubernetes.run("kubectl", "create", "serviceaccount", role, *inside)
        verbs = ("--verb=get,list", "--resource=workflows.argoproj.io")
        kubernetes.run("kubectl", "create", "role", role, *verbs, *inside)
        account = f"--serviceaccount={kubernetes.namespace}:{role}"
        kubernetes.run("kubectl", "create", "rolebinding", role, f"--role={role}", account, *inside)
        monkeypatch.setenv("ARGO_TEST_TOKEN", kubernetes.run("kubectl", "create", "token", role, *inside))
        found, code = there()
        assert code == 1
        assert 'cannot create resource "workflows"' in found["permissions"]["found"]
        assert "needs a Role with the verbs for workflows: create," in found["permissions"]["fix"]
    finally:
        for kind in ("rolebinding", "role", "serviceaccount"):
            kubernetes.run("kubectl", "delete", kind, role, "--ignore-not-found", *inside)


def test_why_a_pod_does_not_start_is_told_in_the_words_of_kubernetes(there):
    found, code = there(base_image="localhost/no-such:1")
    assert code == 1
    assert "failed to pull and unpack image" in found["test pod"]["found"]
    assert "correct `base_image`" in found["test pod"]["fix"]
    found, code = there(secret="no-such")
    assert code == 1
    assert found["test pod"]["found"] == 'CreateContainerConfigError: secret "no-such" not found'
    assert "create secret generic no-such --from-literal=key=..." in found["test pod"]["fix"]


def test_a_bucket_that_is_not_that_of_argos_artifacts_is_told_with_both_names(there, kubernetes):
    s3 = kubernetes.s3
    client = Minio(s3.endpoint, s3.access_key, s3.secret_key, secure=s3.secure, region=s3.region)
    if not client.bucket_exists("another"):
        client.make_bucket("another")
    found, code = there("--wait-s", "240", bucket={"type": "s3", "endpoint": kubernetes.s3.url, "bucket": "another"})
    assert code == 1
    assert f"in the bucket '{kubernetes.s3.bucket}'" in found["artifacts"]["found"]
    assert "[storages.bucket] names 'another'" in found["artifacts"]["found"]
    assert f'write bucket = "{kubernetes.s3.bucket}" there' in found["artifacts"]["fix"]


def test_a_bucket_that_is_not_there_is_told_and_not_made(s3, monkeypatch):
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    settings = ArgoSettings(server="http://127.0.0.1:9", namespace="argo", storage="bucket")
    storages = {"bucket": {"type": "s3", "endpoint": s3.url, "bucket": "nobody-has-made-this"}}
    for _ in range(2):
        (told,) = bucket(ArgoVisit("argo", settings, storages, wait_s=1.0))
        assert told.state == "bad"
        assert "there is no such bucket" in told.found
        assert "correct `bucket`" in told.fix
