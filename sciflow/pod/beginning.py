"""What a run is that was begun from something deployed: that, and its inputs from the parameters it was given."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import msgspec

from sciflow.core.conform import told as told_value
from sciflow.core.expr import Tree
from sciflow.core.from_json import Unfit
from sciflow.core.graph import Graph
from sciflow.core.naming import meant
from sciflow.core.ports import Type
from sciflow.engine.intake import Intake
from sciflow.engine.values import StoredValues
from sciflow.errors import RunDamaged
from sciflow.executors.argo.manifest.parameters import Parameter, value_of
from sciflow.executors.argo.place.facts import Facts
from sciflow.executors.argo.place.given import read_facts
from sciflow.executors.argo.place.layout import FACTS, PARAMETERS
from sciflow.executors.argo.place.sending import PARTS_GIVEN, Sender
from sciflow.pod.workplace import Workplace
from sciflow.runner.exit_codes import UNFIT_INPUTS
from sciflow.runner.pod import NUMBERS
from sciflow.runner.telling import tell

BROUGHT = "brought"  # a folder of the volume

_PARAMETERS = msgspec.json.Decoder(list[Parameter])


def given_parameters(text: str) -> dict[str, str]:
    """What a Workflow was started with, as Argo tells it in base64."""
    return {one["name"]: str(one.get("value", "")) for one in json.loads(base64.b64decode(text))}


class Beginner:
    """Writes down what one run is."""

    def __init__(self, work: Workplace, key: str) -> None:
        """`key`: of what is deployed."""
        self._work = work
        self._bucket = bucket = work.bucket
        self._layout = work.layout
        self._root = work.root
        self._volume = work.setup.volume
        self._deployed = work.layout.deployed(key)
        facts, parameters = read_facts(bucket, self._deployed), bucket.get(self._deployed.part(PARAMETERS))
        if facts is None or parameters is None:
            raise RunDamaged(
                f"{bucket!r}: {self._deployed.part('')}: what was deployed is not there any more\n"
                "    fix:      deploy it once more: sciflow deploy"
            )
        self._facts: Facts = facts
        self._parameters = {parameter.name: parameter for parameter in _PARAMETERS.decode(parameters)}

    def begin(self, given: Mapping[str, str], asked: list[Tree]) -> None:
        """Leaves what the run is in the bucket; says what is wrong with what is given, and else what Argo asks."""
        self._copy_deployed()
        problems = [f"{name}: there is no such input; {meant(name, self._parameters)}" for name in self._unknown(given)]
        inputs = dict(self._facts.inputs)
        intake = self._intake()
        for name, parameter in self._parameters.items():
            text = given.get(name, parameter.text)
            if text is None:
                problems.append(f"{name}: a value is needed: {parameter.type}")
            elif text != parameter.text:
                try:
                    inputs[name] = json.loads(intake.text(value_of(parameter, text, self._brought)))
                except Unfit as error:
                    problems.append(f"{name}: {error}")
        self._write_down(inputs, problems)
        if problems:
            self._work.order(code=UNFIT_INPUTS, message="the run cannot begin\n" + "\n".join(problems))
        else:
            tell(str(self._work.pod / NUMBERS), str(self._root), {**self._defaults(), **inputs}, asked)
            self._work.order(code=0)

    def _unknown(self, given: Mapping[str, str]) -> list[str]:
        return [name for name in given if name not in self._parameters]

    def _defaults(self) -> dict[str, Tree]:
        entry = self._facts.spec.templates[self._facts.spec.entry]
        assert isinstance(entry, Graph)
        return {port.name: port.default.value for port in entry.inputs if port.default is not None}

    def _copy_deployed(self) -> None:
        """A run has all that it was given: what is deployed may be removed. Values are looked at here, too."""
        head = self._deployed.part("")
        paths = [key.removeprefix(head) for key in self._bucket.list(head)]
        given = [path for path in paths if path.partition("/")[0] in PARTS_GIVEN]
        self._bucket.at_once(lambda path: self._bucket.copy(f"{head}{path}", self._layout.part(path)), given)
        for path in given:
            (self._root / path).parent.mkdir(parents=True, exist_ok=True)  # so that what is taken in lies elsewhere
        values = [path for path in given if path.startswith("values/")]
        self._bucket.at_once(lambda path: self._bucket.fetch(f"{head}{path}", self._root / path), values)

    def _intake(self) -> Intake:
        for part in PARTS_GIVEN:
            (self._root / part).mkdir(parents=True, exist_ok=True)
        inline = self._facts.inline_bytes
        return Intake(
            self._root,
            StoredValues(self._root, pack="values/0-begin", inline_bytes=inline, outputs=lambda _: ()),
        )

    def _brought(self, text: str, type_: Type) -> Tree:
        """The file or folder that has this key in the bucket."""
        key = text.strip("/")
        target = self._volume / BROUGHT / str(len(list(self._volume.glob(f"{BROUGHT}/*")))) / PurePosixPath(key).name
        if key and type_.kind != "folder" and self._bucket.fetch(key, target):
            return {"$": "artifact", "path": str(target), "kind": "file"}
        inside = [one.removeprefix(f"{key}/") for one in self._bucket.list(f"{key}/")] if key else []
        if not inside or type_.kind == "file" or any(".." in PurePosixPath(one).parts for one in inside):
            raise Unfit(f"expected the key of a {type_.kind or 'file'} in {self._bucket!r}, found {told_value(text)}")
        for one in inside:
            self._bucket.fetch(f"{key}/{one}", target / one)
        return {"$": "artifact", "path": str(target), "kind": "folder"}

    def _write_down(self, inputs: Mapping[str, Tree], problems: Sequence[str]) -> None:
        facts = self._facts
        came = Sender(self._bucket, self._layout, self._root, facts, {}).send_parts(("artifacts", "values"))
        told = msgspec.structs.replace(
            facts,
            inputs=inputs,
            refused=problems,
            started=time.time(),
            folders={**came.folders, **facts.folders},
            executable=(*facts.executable, *came.executable),
        )
        self._bucket.put(self._layout.part(FACTS), msgspec.json.encode(told))
