"""What Argo cannot do is told with its line before anything runs, and before any server is asked."""

from __future__ import annotations

import json

import pytest

from sciflow import InvalidWorkflow, op, secret, when, workflow

BUCKET = {"type": "s3", "endpoint": "http://127.0.0.1:9", "bucket": "artifacts"}
ARGO = {"type": "argo", "server": "http://127.0.0.1:9", "namespace": "argo", "storage": "bucket"}


@pytest.fixture(autouse=True)
def argo(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCIFLOW_STORAGES", json.dumps({"bucket": BUCKET}))
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"argo": ARGO}))


def refused(target, *args, on="argo"):
    """The only problem of a run."""
    with pytest.raises(InvalidWorkflow) as caught:
        target.plan(*args, on=on)
    (problem,) = caught.value.problems
    return problem


@op
def double(x: int) -> int:
    return 2 * x


@op(env={"TOKEN": secret(env="NOWHERE_SET")})
def looked_up(x: int) -> int:
    return x


@workflow
def elsewhere(x: int) -> int:
    return double.options(executor="local")(x)


def test_a_node_for_another_executor_than_the_run(monkeypatch):
    problem = refused(elsewhere, 1)
    assert "double is to run at another executor than the run" in problem.what
    assert problem.found == "executor='local'"
    assert problem.where.startswith(__file__)
    assert "leave it out" in problem.fix


HPC = {"type": "batch", "system": "slurm", "host": "me@login", "work_root": "/scratch/me", "argo_secret": "login"}
SHELL = {"type": "batch", "system": "shell"}
BOX = {"type": "container", "engine": "podman", "image": "tools:1"}


@pytest.mark.parametrize("table", [SHELL, BOX, {"type": "futures", "factory": "pools:made"}])
def test_a_node_for_an_executor_that_no_pod_can_reach(table, monkeypatch):
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"argo": ARGO, "local-too": table}))

    @workflow
    def there(x: int) -> int:
        return double.options(executor="local-too")(x)

    problem = refused(there, 1)
    assert "at another executor than the run" in problem.what
    assert "one of type batch with a host" in problem.expected


@workflow
def at_hpc(x: int) -> int:
    return double.options(executor="hpc", nodes=2, ranks=4)(x)


def test_a_node_for_a_batch_system_where_no_secret_says_how_a_pod_logs_in(monkeypatch):
    without = {name: value for name, value in HPC.items() if name != "argo_secret"}
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"argo": ARGO, "hpc": without}))
    problem = refused(at_hpc, 1)
    assert "how a pod logs in there is not said" in problem.what
    assert "nor for a password" in problem.fix
    assert 'argo_secret = "NAME" in [executors.hpc]' in problem.fix


def test_a_node_for_a_batch_system_may_ask_for_what_that_one_has(monkeypatch):
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"argo": ARGO, "hpc": HPC}))
    assert at_hpc.plan(1, on="argo")


def test_a_node_for_argo_in_a_run_that_is_not():
    @workflow
    def some(x: int) -> int:
        return double.options(executor="argo")(x)

    problem = refused(some, 1, on="local")
    assert "double is to run at argo, which carries out whole runs" in problem.what
    assert "on='argo'" in problem.fix
    assert some.plan(1, on="argo")  # named so, it is the run's own


def test_a_place_that_depends_on_a_value():
    @workflow
    def placed(x: int, place: str) -> int:
        return double.options(executor=place)(x)

    assert "known only while running" in refused(placed, 1, "argo").found


@op
def chosen(x: int) -> str:
    return f"tools:{x}"


def test_an_image_that_only_the_run_finds_out_or_that_is_none():
    @workflow
    def pictured(x: int, image: str) -> int:
        return double.options(image=image)(x)

    @workflow
    def found_out(x: int) -> int:
        return double.options(image=chosen(x))(x)

    @workflow
    def each(images: list[str]) -> list[int]:
        return pictured.partial(x=1).map(image=images)

    assert pictured.plan(1, "tools:1", on="argo")
    problem = refused(pictured, 1, "{{workflow.name}}")
    assert problem.found == "'{{workflow.name}}'"
    problem = refused(found_out, 1)
    assert "the image of double is not known before the run begins" in problem.what
    assert "let it be an input" in problem.fix
    assert refused(each, ["tools:1", "tools:2"]).found == "image"


def test_a_fixed_image_is_taken_though_nothing_here_could_run_it():
    assert double.options(image="tools:1").plan(1, on="argo")


def test_a_secret_of_which_kubernetes_knows_nothing(monkeypatch):
    problem = refused(looked_up, 1)
    assert "the value of TOKEN" in problem.what
    assert problem.fix.endswith('secrets = { NOWHERE_SET = "SECRET/KEY" } in [executors.argo]')
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"argo": ARGO | {"secrets": {"NOWHERE_SET": "keys/token"}}}))
    assert looked_up.plan(1, on="argo")  # its value is not needed here


def test_an_op_that_asks_for_several_machines():
    assert refused(double.options(nodes=2, ranks=2), 1).found == "nodes=2"


def test_a_bucket_that_is_none(monkeypatch):
    monkeypatch.setenv("SCIFLOW_STORAGES", "{}")
    assert "expected the name of a bucket" in refused(double, 1).what


@workflow
def countdown(n: int, total: int = 0) -> None:
    left = n - 1
    with when(left > 0):
        countdown(left, double(total))


@workflow
def waits(n: int) -> None:
    with when(double(n) > 0):
        waits(n)


def test_a_loop_that_gets_deeper_than_argo_lets_it():
    problem = refused(countdown, 91 + 1)
    assert "deeper than Argo lets them: countdown" in problem.what
    assert problem.expected == "at most 90 levels"
    assert problem.where.startswith(__file__)
    assert countdown.plan(90, on="argo")
    assert countdown.plan(95, on="local")
    assert waits.plan(1, on="argo")  # how deep it gets shows only while it runs


def test_a_manifest_larger_than_kubernetes_keeps():
    @workflow
    def many(x: int) -> int:
        for number in range(400):
            x = double.options(memory_mb=100 + number)(x)
        return x

    problem = refused(many, 1)
    assert "the manifest of this workflow is larger than Kubernetes keeps" in problem.what
    assert problem.found.endswith("MB: 400 nodes, 400 kinds of pods")
    assert ".map(" in problem.fix


@workflow
def each(xs: list[int]) -> list[int]:
    return double.options(chunk=1).map(x=double.options(chunk=2, name="first").map(x=xs))


@workflow
def inner(n: int, xs: list[int]) -> list[int]:
    return double.options(chunk=1).map(x=xs)


@workflow
def nested(xs: list[int]) -> list[list[int]]:
    return inner.partial(xs=xs).map(n=list(range(100)))


@workflow
def large(xs: list[int]) -> list[int]:
    return double.map(x=xs)


def test_more_pods_than_argo_can_keep_the_status_of(monkeypatch):
    problem = refused(each, list(range(3334)))
    assert "most are of double" in problem.what
    assert problem.expected == "at most 5,000 pods"
    assert problem.found == "5,001 or more"
    assert problem.where.startswith(__file__)
    assert "chunk=" in problem.fix
    assert each.plan(list(range(3333)), on="argo")
    assert large.plan(list(range(100_000)), on="argo")
    assert refused(nested, list(range(51))).found == "5,100 or more"
    assert nested.plan(list(range(50)), on="argo")
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"argo": ARGO | {"most_pods": 6000}}))
    assert each.plan(list(range(3334)), on="argo")


def test_a_graph_that_calls_itself_twice_is_not_counted_without_end():
    @workflow
    def twice(n: int) -> None:
        left = n - 1
        with when(left > 0):
            twice(left)
            twice.options(name="other")(left)
        double(n)

    assert twice.plan(11, on="argo")
    assert refused(twice, 13).found == "8,191 or more"
