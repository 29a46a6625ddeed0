"""The executor of containers keeps the contract, with podman."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sciflow.executors.executor import Executor
from sciflow.executors.registry import make_executor
from sciflow.testing import ExecutorContract
from tests.contract.errand import MODULE, errand_in
from tests.services.podman import Podman
from tests.services.processes import soon


class TestPodman(ExecutorContract):
    name = "box"
    module = MODULE

    @pytest.fixture
    def executor(self, tmp_path: Path, podman: Podman) -> Iterator[Executor]:
        table = {"type": "container", "engine": "podman", "image": podman.python_image, "look_most_s": 0.3}
        executor = make_executor("box", {"box": table}, errand_in(tmp_path))
        yield executor
        executor.close()
        assert soon(lambda: not podman.containers(), 10.0), podman.containers()
