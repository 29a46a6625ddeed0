"""Every batch system keeps the contract: in text, and over its programs where they are, or programs like them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from sciflow.executors.systems.lsf import LSF
from sciflow.executors.systems.pbs import PBS
from sciflow.executors.systems.sge import SGE
from sciflow.executors.systems.shell import Shell
from sciflow.executors.systems.slurm import Slurm
from sciflow.executors.transports.transport import Output
from sciflow.testing.batch_system import BatchSystemContract, LiveBatchSystemContract, Run
from tests.services.sge import Sge as GridEngine
from tests.services.slurm import Slurm as SlurmServer
from tests.services.stand_ins import StandIn


def programs(env: Mapping[str, str]) -> Run:
    """Runs programs with more variables in their environment."""

    def run(argv: Sequence[str], cwd: Path) -> Output:
        done = subprocess.run(
            list(argv), cwd=cwd, env={**os.environ, **env}, capture_output=True, timeout=60, check=False
        )
        return Output(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    return run


class StandInContract(LiveBatchSystemContract):
    kind = "pbs"
    dialect = "pro"

    @pytest.fixture
    def stand_in(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
        made = StandIn.make(self.kind, tmp_path_factory.mktemp("queue"), dialect=self.dialect)
        yield made
        made.close()

    @pytest.fixture
    def run(self, stand_in: StandIn) -> Run:
        return programs({"PATH": f"{stand_in.path}:{os.environ['PATH']}"})


class TestPBSPro(StandInContract):
    def environment(self, element: int) -> dict[str, str]:
        return {"PBS_ARRAY_INDEX": str(element)}

    @pytest.fixture
    def system(self) -> PBS:
        return PBS()


class TestTorque(StandInContract):
    dialect = "torque"

    def environment(self, element: int) -> dict[str, str]:
        return {"PBS_ARRAYID": str(element)}

    @pytest.fixture
    def system(self) -> PBS:
        return PBS(dialect="torque")


class TestLSF(StandInContract):
    kind = "lsf"

    def environment(self, element: int) -> dict[str, str]:
        return {"LSB_JOBINDEX": str(element + 1)}

    @pytest.fixture
    def system(self) -> LSF:
        return LSF()


class TestSGE(BatchSystemContract):
    def environment(self, element: int) -> dict[str, str]:
        return {"SGE_TASK_ID": str(element + 1)}

    @pytest.fixture
    def system(self) -> SGE:
        return SGE()


class TestSlurm(BatchSystemContract):
    def environment(self, element: int) -> dict[str, str]:
        return {"SLURM_ARRAY_TASK_ID": str(element)}

    @pytest.fixture
    def system(self) -> Slurm:
        return Slurm()


class TestShell(BatchSystemContract):
    def environment(self, element: int) -> dict[str, str]:
        return {"SCIFLOW_ELEMENT": str(element)}

    @pytest.fixture
    def system(self) -> Shell:
        return Shell(runner="/depot/runner.zip", work_root="/depot")


class TestSlurmInTruth(TestSlurm, LiveBatchSystemContract):
    """Without accounting: `squeue` tells how elements ended, and not with what exit code."""

    tells_exit_codes = False

    @pytest.fixture
    def run(self, slurm: SlurmServer) -> Run:
        return programs(slurm.env)


class TestSlurmWithAccounting(TestSlurm, LiveBatchSystemContract):
    @pytest.fixture
    def run(self, slurmdbd: SlurmServer) -> Run:
        return programs(slurmdbd.env)


class TestSGEInTruth(TestSGE, LiveBatchSystemContract):
    @pytest.fixture
    def run(self, sge: GridEngine) -> Run:
        return programs(sge.env)
