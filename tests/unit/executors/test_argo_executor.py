"""What an engine hears of its tasks, and what is ordered, as a workflow is ended, paused and gone on with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sciflow.core.graph import EXIT_NODE, OpTemplate, Policy, Program, Resources
from sciflow.core.job import Job, Need
from sciflow.core.ports import ANY
from sciflow.core.records import TaskError
from sciflow.executors.argo.executor import ArgoExecutor
from sciflow.executors.argo.follow.news import Waiting
from sciflow.executors.argo.follow.orders import Mission
from sciflow.executors.argo.follow.waiting import Waits
from sciflow.executors.executor import Advanced, Denied, Died, Ended, Lost, Report, Steered
from tests.unit.executors.argo_follower import HERE, LAYOUT, Shelf, following, outcome
from tests.unit.executors.argo_stand_in import JSON, StandIn, stand_in

LOOKS = Mission(begins=False, goes_on=False, gates=False)
LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as found:
        for verb in ("suspend", "resume", "stop", "terminate", "retry"):
            found.answers[f"PUT {HERE}/{verb}"] = 200, {}
        yield found


def orders(server: StandIn) -> list[str]:
    return [call.rpartition("/")[2] for call, _ in server.told if call.startswith("PUT")]


def shows(server: StandIn, phase: str, *, pods: dict[str, str] | None = None, **spec: object) -> None:
    """How the workflow is from now on; `pods`: phases by path."""
    nodes = {
        path: {
            "type": "Pod",
            "phase": said,
            "inputs": {"parameters": [{"name": "path", "value": path}, {"name": "chunk", "value": "0"}]},
        }
        for path, said in (pods or {}).items()
    }
    status: JSON = {"phase": phase, "nodes": nodes, "progress": f"{time.monotonic()}"}
    if phase != "Running":
        status["finishedAt"] = LONG_AGO
    server.answers[f"GET {HERE}"] = 200, {"status": status, "spec": spec}


@contextmanager
def executing(server: StandIn, shelf: Shelf, here: Path, *, revives: bool = False) -> Iterator[ArgoExecutor]:
    """An executor that looks after the workflow `run`."""
    with following(server, shelf, here, mission=LOOKS) as follower:
        executor = ArgoExecutor(follower, revives=revives)
        executor.begin({}, {})
        yield executor


def reports(executor: ArgoExecutor, until: Callable[[list[Report]], bool]) -> list[Report]:
    limit, found = time.monotonic() + 15.0, list[Report]()
    while not until(found):
        assert time.monotonic() < limit, found
        found += executor.poll()
        time.sleep(0.01)
    return found


def has(kind: type[Report]) -> Callable[[list[Report]], bool]:
    return lambda found: any(isinstance(one, kind) for one in found)


def settled(executor: ArgoExecutor) -> Callable[[list[Report]], bool]:
    return lambda _: executor.settled


def job(path: str, id_: int = 1) -> Job:
    template = OpTemplate(name="op", inputs=(), output=ANY, code=Program(argv=("true",)))
    need = Need(executor="argo", resources=Resources(), env=())
    return Job(
        id=id_, node=id_, path=path, template=template, policy=Policy(), need=need, fixed=b"{}", slices=[0],
        attempts=[1], elements=[()], keys=[None], seed=0,
    )  # fmt: skip


def test_an_exit_handler_that_leaves_nothing_has_failed_also_where_somebody_else_has_stopped_the_run(
    server: StandIn, tmp_path: Path
) -> None:
    shelf = Shelf()
    shelf.objects[LAYOUT.part("halted")] = b'{"killed": false, "why": "enough"}'
    shows(server, "Failed", shutdown="Stop")
    with executing(server, shelf, tmp_path) as executor:
        executor.submit(job("a"))
        assert Steered(level="stop", why="enough") in reports(executor, has(Steered))
        executor.withdraw()
        assert Lost(numbers=[job("a").number(0)]) in reports(executor, has(Lost))
        handler = job(EXIT_NODE, 2)
        executor.submit(handler)
        died = [one for one in reports(executor, has(Died)) if isinstance(one, Died)]
    assert [(one.number, one.error.type) for one in died] == [(handler.number(0), "sciflow:PodLost")]


def test_a_run_that_somebody_else_stops_is_not_taken_up_again_by_who_has_resumed_it(
    server: StandIn, tmp_path: Path
) -> None:
    shows(server, "Running")
    with executing(server, Shelf(), tmp_path, revives=True) as executor:
        executor.submit(job("a"))
        reports(executor, lambda _: executor.informed)
        shows(server, "Failed", shutdown="Stop")
        found = reports(executor, has(Steered))
    assert [one.why for one in found if isinstance(one, Steered)] == ["the run was stopped"]
    assert "retry" not in orders(server)


def test_a_run_that_had_failed_is_gone_on_with_once(server: StandIn, tmp_path: Path) -> None:
    shows(server, "Failed")
    with executing(server, Shelf(), tmp_path, revives=True) as executor:
        executor.submit(job("a"))
        died = reports(executor, has(Died))
    assert orders(server) == ["retry"]
    assert [one.number for one in died if isinstance(one, Died)] == [job("a").number(0)]


def test_a_task_that_ends_while_its_run_is_paused_is_not_begun_anew(server: StandIn, tmp_path: Path) -> None:
    shelf = Shelf()
    shows(server, "Running", pods={"a": "Running"})
    key, text = outcome("a")

    def ends() -> None:  # after the bucket was listed
        if "suspend" in orders(server):
            shelf.objects[key] = text
            shows(server, "Running", pods={"a": "Succeeded"}, suspend=True)

    shelf.listed = ends
    with executing(server, shelf, tmp_path) as executor:
        executor.submit(job("a"))
        reports(executor, lambda _: executor.informed)
        executor.withdraw()
        found = reports(executor, lambda found: has(Ended)(found) or has(Lost)(found))
    assert has(Ended)(found)


def test_what_has_not_begun_when_a_run_is_paused_is_taken_back(server: StandIn, tmp_path: Path) -> None:
    shows(server, "Running", pods={"a": "Running"})
    with executing(server, Shelf(), tmp_path) as executor:
        executor.submit(job("a"))
        executor.submit(job("b", 2))
        executor.withdraw()
        found = reports(executor, has(Lost))
    assert [one for one in found if isinstance(one, Lost)] == [Lost(numbers=[job("b", 2).number(0)])]


def test_a_cancel_ends_an_exit_handler_that_runs_after_a_stop(server: StandIn, tmp_path: Path) -> None:
    shows(server, "Running")
    with executing(server, Shelf(), tmp_path) as executor:
        executor.end(exit_handler=True, killed=False, why="stopped")
        reports(executor, settled(executor))
        executor.submit(job(EXIT_NODE))
        for _ in range(2):  # an engine asks again and again
            executor.end(exit_handler=False, killed=True, why="cancelled")
            executor.cancel([], TaskError(message="cancelled"))
        reports(executor, settled(executor))
        shows(server, "Failed", shutdown="Terminate")
        found = reports(executor, has(Died))
    assert orders(server) == ["stop", "terminate"]
    assert [one.error.message for one in found if isinstance(one, Died)] == ["cancelled"]


def test_a_run_that_may_not_be_ended_and_stays_suspended_is_told_to_be_so(server: StandIn, tmp_path: Path) -> None:
    server.answers[f"PUT {HERE}/stop"] = 403, {"message": "forbidden: cannot patch"}
    shows(server, "Running", suspend=True)
    with executing(server, Shelf(), tmp_path) as executor:
        reports(executor, has(Steered))  # it is suspended
        executor.withdraw()
        executor.end(exit_handler=True, killed=False, why="stopped")
        found = reports(executor, lambda found: has(Denied)(found) and has(Steered)(found))
    assert [one.level for one in found if isinstance(one, Steered)] == ["pause"]


def test_a_workflow_that_may_not_go_on_is_what_it_is_and_says_why(server: StandIn, tmp_path: Path) -> None:
    shelf = Shelf()
    key, text = outcome("b")
    shelf.objects[key] = text
    server.answers[f"PUT {HERE}/retry"] = 403, {"message": "forbidden: cannot patch"}
    shows(server, "Failed")
    with executing(server, shelf, tmp_path, revives=True) as executor:
        executor.submit(job("a"))
        found = reports(executor, has(Died))
        executor.submit(job("b", 2))
        found += reports(executor, has(Ended))
    died = [one for one in found if isinstance(one, Died)]
    assert [one.number for one in died] == [job("a").number(0)]
    assert "cannot patch" in died[0].error.message


def test_pods_that_cannot_be_started_are_given_up_when_all_is_told_that_others_beside_them_have_left(
    server: StandIn, tmp_path: Path
) -> None:
    shelf = Shelf()
    shows(server, "Running")
    with following(server, shelf, tmp_path, mission=LOOKS) as follower:
        executor = ArgoExecutor(follower, revives=False)
        executor.begin({}, {})
        executor.submit(job("a"))
        reports(executor, lambda _: executor.informed)
        blocked = Waiting(waits=Waits(given_up={"a": "no image"}))
        follower.news.put(blocked)
        assert not has(Died)(executor.poll())
        key, text = outcome("a")  # another pod has ended after the bucket was listed
        shelf.objects[key] = text
        reports(executor, has(Ended))
        executor.submit(job("b", 2))
        for _ in range(2):
            follower.news.put(Waiting(waits=Waits(given_up={"b": "no image"})))
        died = reports(executor, has(Died))
    assert [one.number for one in died if isinstance(one, Died)] == [job("b", 2).number(0)]


def test_a_workflow_that_is_over_when_a_late_engine_looks_is_followed_to_its_end(
    server: StandIn, tmp_path: Path
) -> None:
    shelf = Shelf()
    shelf.objects |= dict([outcome("first"), outcome("second")])
    shows(server, "Succeeded")
    with executing(server, shelf, tmp_path) as executor:
        executor.submit(job("first"))
        limit = time.monotonic() + 15.0
        while sum(call == f"GET {HERE}" for call, _ in server.told) < 8:  # several looks, while the engine is held up
            assert time.monotonic() < limit
            time.sleep(0.01)
        found = executor.poll()
        executor.submit(job("second", 2))
        found += reports(executor, lambda more: sum(isinstance(one, Ended) for one in (*found, *more)) == 2)
    assert not has(Steered)(found)


def test_of_a_pod_that_has_succeeded_and_whose_outcome_is_lost_is_said_what_helps(
    server: StandIn, tmp_path: Path
) -> None:
    shows(server, "Succeeded", pods={"a": "Succeeded"})
    with executing(server, Shelf(), tmp_path) as executor:
        executor.submit(job("a"))
        found = reports(executor, has(Died))
    (died,) = [one for one in found if isinstance(one, Died)]
    assert died.error.type == "sciflow:PodLost"
    assert "`sciflow retry`, which runs again" in died.error.message


def test_tasks_are_told_to_have_begun_when_the_first_of_their_pods_has(server: StandIn, tmp_path: Path) -> None:
    number = job("square").number(0)
    with executing(server, Shelf(), tmp_path) as executor:
        shows(server, "Running", pods={"square": "Pending"})
        executor.submit(job("square"))
        assert Advanced(number=number, begun=False) in reports(executor, has(Advanced))
        shows(server, "Running", pods={"square": "Running"})
        (runs,) = (one for one in reports(executor, has(Advanced)) if isinstance(one, Advanced))
        assert runs.begun


def test_a_retry_of_a_run_whose_outcome_is_lost_begins_its_workflow_anew(server: StandIn, tmp_path: Path) -> None:
    shows(server, "Succeeded", pods={"a": "Succeeded"})
    server.answers[f"DELETE {HERE}"] = 200, {}
    with executing(server, Shelf(), tmp_path, revives=True) as executor:
        executor.submit(job("a"))
        reports(executor, has(Died))
    assert [call for call, _ in server.told if not call.startswith("GET")] == [f"DELETE {HERE}"]
