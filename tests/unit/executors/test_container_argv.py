"""What the engines of containers are told: golden files, an argument a line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sciflow.executors.containers.box import Box, Engine, Mount
from sciflow.executors.containers.engines import OF_ALL, Wanted
from sciflow.executors.containers.launch import ENGINES
from sciflow.runner import container
from sciflow.runner.container import Containers

ALL: tuple[Engine, ...] = ("podman", "docker", "apptainer")
WANTED = Wanted(
    mounts=[Mount(source="/runs/a, b", write=True), Mount(source="/dev/null", to="/runs/a, b/run.db")],
    variables=["OMP_NUM_THREADS", "SCIFLOW_SECRET_0"],
    set_=[("HOME", "/tmp")],
    cpus=2,
    memory_mb=500,
    gpus=(1, 3),
)
COMMAND = ["python3", "/depot/code/runner.zip", "element", "/runs/a, b/batches/x", "7"]


def lines(engine: Engine, box: Box, wanted: Wanted, *, inside: bool) -> str:
    told = {**ENGINES[engine](box, wanted), "image": "repo/image:1", "inside": inside, "python": "python3"}
    name = "sciflow-x-7-1" if told["named"] else ""
    if inside:
        argv = Containers(told, "", "").argv(COMMAND, name=name)
    else:
        argv = Containers(told, "", "").argv(["pw.x", "-in", "a b"], name=name, workdir="/w/x-7/cwd", attached=True)
    return "\n".join([*argv, ""])


@pytest.fixture(autouse=True)
def user_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, number in (("getuid", 1000), ("geteuid", 1000), ("getgid", 100)):
        monkeypatch.setattr(container.os, name, lambda number=number: number)


@pytest.mark.parametrize("engine", ALL)
def test_an_element_is_run_in_a_container_with_what_it_needs(
    engine: Engine, golden: Callable[[str, str], None]
) -> None:
    golden(f"containers/{engine}-element.txt", lines(engine, Box(engine=engine), WANTED, inside=True))


@pytest.mark.parametrize("engine", ALL)
def test_a_program_is_run_in_a_container_that_sees_its_working_folder(
    engine: Engine, golden: Callable[[str, str], None]
) -> None:
    box = Box(engine=engine, network=True, arguments=("--shm-size=1g",), program="/opt/bin/engine")
    wanted = Wanted(variables=["OMP_NUM_THREADS"], set_=[("HOME", "/tmp")], gpus=OF_ALL)
    golden(f"containers/{engine}-program.txt", lines(engine, box, wanted, inside=False))
