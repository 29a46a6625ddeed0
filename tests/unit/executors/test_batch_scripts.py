"""The scripts that batch systems are given."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
import pytest

from sciflow.core.graph import Resources
from sciflow.errors import ConfigError
from sciflow.executors.batch.names import submission_name
from sciflow.executors.systems.lsf import LSF
from sciflow.executors.systems.pbs import PBS
from sciflow.executors.systems.sge import SGE
from sciflow.executors.systems.shell import Shell
from sciflow.executors.systems.slurm import Slurm
from sciflow.executors.systems.system import BatchSystem, Site, Submission

SYSTEMS: dict[str, BatchSystem] = {
    "slurm": Slurm(),
    "pbs": PBS(),
    "torque": PBS(dialect="torque"),
    "lsf": LSF(),
    "sge": SGE(),
    "shell": Shell(runner="/depot/code/runner.zip", work_root="/depot"),
}
NO_QOS = {"pbs", "sge"}
COMMAND = ("python3", "/depot/code/runner.zip", "element", "/depot/runs/eos-1/batches/relax-1")


def submission(resources: Resources, site: Site, **more: object) -> Submission:
    return Submission(
        name="relax-1",
        folder=COMMAND[-1],
        resources=resources,
        site=site,
        command=COMMAND,
        **{"elements": 1, **more},  # type: ignore[arg-type]
    )


def directives(system: BatchSystem, resources: Resources, site: Site | None = None, **more: object) -> list[str]:
    """The directives of a script, without its other lines."""
    text = system.script(submission(resources, site or Site(), **more))
    return text.split("\n\n")[0].splitlines()[1:]


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_plain_script(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"batch/{name}/plain.sh", SYSTEMS[name].script(submission(Resources(), Site())))


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_script_of_an_array(name: str, golden: Callable[[str, str], None]) -> None:
    wanted = submission(Resources(memory_mb=2000), Site(), elements=100, throttle=10, walltime_s=3600)
    golden(f"batch/{name}/array.sh", SYSTEMS[name].script(wanted))


@pytest.mark.parametrize("executor", ["2080ti", "GPU nodes", "größe/1", "_", "x" * 300])
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_job_is_known_by_the_name_of_its_submission_whatever_its_executor_is_called(name: str, executor: str) -> None:
    wanted = msgspec.structs.replace(submission(Resources(), Site()), name=submission_name(executor))
    words = re.findall(r"[^\s=\[\"]+", SYSTEMS[name].script(wanted))
    assert wanted.name in words


@pytest.mark.parametrize("name", [name for name in SYSTEMS if name != "shell"])
def test_a_script_with_everything_set(name: str, golden: Callable[[str, str], None]) -> None:
    site = Site(
        queue="long",
        account="mat42",
        qos="" if name in NO_QOS else "high",
        constraint="skylake",
        exclusive=True,
        extra=("-hold_jid none",) if name == "sge" else ("--licenses=vasp:1",) if name == "slurm" else (),
        prologue=("module load 'qe/7.2 beta'", "export OMP_PLACES=cores"),
    )
    resources = Resources(cpus=4, ranks=16, nodes=2, memory_mb=3000, gpus=4, gpu_type="a100")
    wanted = submission(resources, site, elements=7, throttle=2, walltime_s=90_061.5)
    golden(f"batch/{name}/everything.sh", SYSTEMS[name].script(wanted))


def test_memory_of_a_rank_becomes_that_of_a_node() -> None:
    wanted = Resources(memory_mb=1000, ranks=8, nodes=2)
    assert "#SBATCH --mem=4000M" in directives(SYSTEMS["slurm"], wanted)
    assert "#PBS -l select=2:ncpus=4:mpiprocs=4:ompthreads=1:mem=4000mb" in directives(SYSTEMS["pbs"], wanted)
    assert "#PBS -l mem=8000mb" in directives(SYSTEMS["torque"], wanted)
    assert "#BSUB -M 4000" in directives(SYSTEMS["lsf"], wanted)
    assert "#$ -l h_vmem=1000M" in directives(SYSTEMS["sge"], wanted)


def test_memory_is_written_in_the_unit_that_a_site_chose() -> None:
    wanted = Resources(memory_mb=1500)
    found = {unit: directives(LSF(memory_unit=unit), wanted) for unit in ("KB", "MB", "GB")}
    assert ["#BSUB -M 1536000" in found["KB"], "#BSUB -M 1500" in found["MB"], "#BSUB -M 2" in found["GB"]] == [
        True
    ] * 3
    assert "#BSUB -M 375" in directives(LSF(memory_per="slot"), Resources(memory_mb=1500, cpus=4))


def test_ranks_that_do_not_fill_nodes_evenly_make_chunks_of_two_sizes() -> None:
    found = directives(SYSTEMS["pbs"], Resources(ranks=5, nodes=2))
    assert "#PBS -l select=1:ncpus=3:mpiprocs=3:ompthreads=1+1:ncpus=2:mpiprocs=2:ompthreads=1" in found


@pytest.mark.parametrize(("seconds", "clock"), [(0.2, "00:00:01"), (60, "00:01:00"), (360_000, "100:00:00")])
def test_a_time_limit_is_rounded_up(seconds: float, clock: str) -> None:
    assert f"#SBATCH --time={clock}" in directives(SYSTEMS["slurm"], Resources(), walltime_s=seconds)


@pytest.mark.parametrize("name", ["slurm", "pbs", "lsf", "sge"])
def test_more_nodes_than_ranks_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="ranks=4 or more"):
        SYSTEMS[name].script(submission(Resources(nodes=4, ranks=2), Site()))


def test_a_machine_without_a_batch_system_has_no_queues() -> None:
    with pytest.raises(ConfigError, match="queue, account"):
        SYSTEMS["shell"].script(submission(Resources(), Site(queue="q", account="a")))


@pytest.mark.parametrize("folder", ["/a b/c", "/a,b", "/a:b", "/a'b", "/a$b"])
def test_a_folder_that_a_directive_cannot_hold_is_refused(folder: str) -> None:
    wanted = Submission(name="n", folder=folder, elements=1, resources=Resources(), site=Site(), command=("true",))
    with pytest.raises(ConfigError, match="work_root"):
        SYSTEMS["pbs"].script(wanted)
