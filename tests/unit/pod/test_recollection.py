"""What a pod reads of what others have left: as much as its own tasks need, however large the run is."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sciflow import Workflow
from sciflow.core.job import SINGLE
from sciflow.core.records import Phase
from sciflow.engine.activation import NodeRun
from sciflow.errors import RunDamaged
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.layout import Layout
from sciflow.executors.argo.place.outcomes import TaskEnd
from sciflow.executors.argo.place.run_files import RunFiles
from sciflow.pod.__main__ import DEPTH
from sciflow.pod.brought_values import BroughtValues
from sciflow.pod.node_output import NodeOutput
from sciflow.pod.recollection import Recollection
from sciflow.storage.settings import S3Settings
from tests.unit.pod import recollection_flow as flow

PODS = 4


class Left:
    """A source of texts that are at hand; notes down what is asked of it."""

    def __init__(self, outputs: Mapping[str, list[str | None]], each: Mapping[str, int]) -> None:
        self._outputs = outputs
        self._each = each
        self.asked: list[str] = []

    def _chunk(self, path: str, chunk: int) -> dict[int, bytes]:
        texts, each = self._outputs[path], self._each.get(path, 0)
        if not each:
            return {SINGLE: str(texts[0]).encode()}
        slices = range(chunk * each, min(len(texts), (chunk + 1) * each))
        return {i: text.encode() for i in slices if (text := texts[i]) is not None}

    def outputs(self, path: str, chunks: Iterable[int]) -> Mapping[int, bytes]:
        found: dict[int, bytes] = {}
        for chunk in chunks:
            self.asked.append(f"{path}.{chunk}")
            found |= self._chunk(path, chunk)
        return found

    def successes(self, path: str, chunks: Iterable[int]) -> int:
        self.asked.append(f"{path} counted")
        return sum(len(self._chunk(path, chunk)) for chunk in chunks)

    def ends(self, path: str, chunks: Iterable[int]) -> Mapping[int, TaskEnd]:
        raise AssertionError(path)

    def answer(self, path: str) -> bytes:
        raise AssertionError(path)


@pytest.fixture
def recalled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """`recalled(workflow, inputs, left, path)`: a node, its tasks' elements and inputs as the pod finds them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(DEPTH)

    def recall(work: Workflow[..., Any], inputs: dict[str, Any], left: Left, path: str) -> tuple[NodeRun, Any]:
        bucket = Bucket("none", S3Settings(endpoint="http://127.0.0.1:9", bucket="none"))  # nothing is brought
        layout = Layout("", "run")

        def told(number: int) -> NodeOutput:
            return run.told(number)

        values = BroughtValues(tmp_path, bucket, layout, RunFiles(bucket, layout), inline_bytes=4096, told=told)
        run: Recollection = Recollection(work.spec(), inputs, left, values, pods=PODS)
        node = run.node(path)
        if node.phase is not Phase.RUNNING:
            return node, None
        run.fix(node)
        return node, values

    yield recall
    sys.setrecursionlimit(before)


def texts(numbers: Iterable[int]) -> list[str | None]:
    return [str(number) for number in numbers]


def test_a_pod_of_a_fan_over_a_fan_reads_the_chunk_that_its_slices_need(recalled: Any) -> None:
    left = Left({"numbers": ["[0,1,2,3,4,5,6,7]"], "double": texts(range(0, 16, 2))}, {"double": 2})
    node, _ = recalled(flow.fans, {"n": 8}, left, "double-2")
    assert [node.tasks.elements(i) for i in (4, 5)] == [[b"8"], [b"10"]]
    assert left.asked == ["numbers.0", "double.2"]


def test_a_gather_reads_every_chunk_once_and_of_nothing_before_it(recalled: Any) -> None:
    left = Left({"double-2": texts(range(0, 32, 4)), "numbers": ["[0,1,2,3,4,5,6,7]"]}, {"double-2": 2})
    node, values = recalled(flow.fans, {"n": 8}, left, "total")
    assert values.localised([node.fixed]) == [b'{"xs":[0,4,8,12,16,20,24,28]}']
    assert left.asked == ["numbers.0", *(f"double-2.{chunk}" for chunk in range(4))]


def test_who_takes_what_is_left_of_a_fan_has_its_successes_counted_and_reads_its_own_chunk(recalled: Any) -> None:
    left = Left({"numbers": ["[0,1,2,3]"], "double": ["0", None, "4", "6"]}, {"double": 1})
    node, _ = recalled(flow.tolerant, {"n": 4}, left, "doubled_or")
    assert node.tasks.elements(1) == [b"null"]
    assert node.tasks.elements(2) == [b"4"]
    assert left.asked == ["numbers.0", "double counted", "double.1", "double.2", "double.3"]


def test_too_few_successes_leave_out_who_takes_what_is_left(recalled: Any) -> None:
    left = Left({"numbers": ["[0,1,2,3]"], "double": ["0", None, None, "6"]}, {"double": 1})
    node, _ = recalled(flow.tolerant, {"n": 4}, left, "doubled_or")
    assert node.phase is Phase.OMITTED


def test_a_list_that_goes_into_a_workflow_and_out_of_it_is_read_by_chunks_too(recalled: Any) -> None:
    outputs = {"numbers": ["[0,1,2,3,4,5,6,7]"], "double": texts(range(8)), "inner/double": texts(range(8, 16))}
    left = Left(outputs, {"double": 2, "inner/double": 2})
    node, _ = recalled(flow.passed, {"n": 8}, left, "inner/double")
    assert [node.tasks.elements(i) for i in (6, 7)] == [[b"6"], [b"7"]]
    assert left.asked == ["numbers.0", "double.3"]
    left.asked.clear()
    node, _ = recalled(flow.passed, {"n": 8}, left, "double-2")
    assert [node.tasks.elements(i) for i in (0, 1)] == [[b"8"], [b"9"]]
    assert left.asked == ["numbers.0", "inner/double.0"]


def test_a_fan_over_what_workflows_give_reads_those_of_its_own_slices(recalled: Any) -> None:
    left = Left({"numbers": ["[0,1,2]"], **{f"one/{i}/double-2": [str(4 * i)] for i in range(3)}}, {})
    node, _ = recalled(flow.fan_of_graphs, {"n": 3}, left, "double")
    assert node.tasks.elements(1) == [b"4"]
    assert left.asked == ["numbers.0", "one/1/double-2.0"]


def test_graphs_side_by_side_share_the_pods_of_a_fan(recalled: Any) -> None:
    outputs = {f"summed/{i}/double": texts(range(0, 16, 2)) for i in range(2)}
    numbers = {f"summed/{i}/numbers": ["[0,1,2,3,4,5,6,7]"] for i in range(2)}
    left = Left({**outputs, **numbers}, dict.fromkeys(outputs, 4))
    node, values = recalled(flow.fan_of_fans, {"ns": [8, 8]}, left, "summed/1/total")
    assert values.localised([node.fixed]) == [b'{"xs":[0,2,4,6,8,10,12,14]}']
    assert left.asked == ["summed/1/numbers.0", "summed/1/double.0", "summed/1/double.1"]


def test_a_step_of_a_chain_reads_the_step_before_it_alone(recalled: Any) -> None:
    left = Left({"double-399": ["7"]}, {})
    node, values = recalled(flow.chain_of(400), {"x": 1}, left, "double-400")
    assert values.localised([node.fixed]) == [b'{"x":7}']
    assert left.asked == ["double-399.0"]


def test_a_condition_is_looked_at_again_and_what_it_skips_is_not_read(recalled: Any) -> None:
    left = Left({"double": ["4"]}, {})
    node, values = recalled(flow.conditional, {"n": 2}, left, "quit_of")
    assert values.localised([node.fixed]) == [b'{"x":4,"other":null}']
    assert left.asked == ["double.0"]
    node, _ = recalled(flow.conditional, {"n": 2}, left, "double-2")
    assert node.phase is Phase.SKIPPED


def test_an_outcome_that_must_be_there_and_is_not_is_told(recalled: Any) -> None:
    left = Left({"numbers": ["[0,1]"], "double": ["0", None]}, {"double": 1})
    node, _ = recalled(flow.fans, {"n": 2}, left, "double-2")
    with pytest.raises(RunDamaged, match="double/1: what it has given is not in the bucket"):
        node.tasks.elements(1)


def test_a_chain_of_a_hundred_fans_is_as_long_as_its_first(recalled: Any) -> None:
    left = Left({"double-99": texts(range(8))}, {"double-99": 2})
    node, _ = recalled(flow.fans_of(100), {"xs": list(range(8))}, left, "double-100")
    assert node.tasks.elements(7) == [b"7"]
    assert left.asked == ["double-99.3"]
