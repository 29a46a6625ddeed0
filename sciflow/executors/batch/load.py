"""What a submission takes along: found and hashed by the thread that sends it, while the engine goes on.

Folders of a run may be large, and are hashed file by file when they are sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from sciflow.errors import RunDamaged
from sciflow.executors.batch.supply import Supplier, Supply
from sciflow.executors.containers.launch import Launch, seen_inside
from sciflow.executors.request import Element, Payload, Surroundings, payload
from sciflow.runner.failures import PlaceError


class Load(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The tasks of a submission, before anybody has looked what they need."""

    supplier: Supplier
    elements: Sequence[Element]
    around: Surroundings
    env: Mapping[str, object]  # the variables of their op
    gpus: int  # of a task
    walltime_s: float | None
    numbered: bool  # the ops are told the numbers of their GPUs

    def packed(self, name: str, launch: Launch | None) -> tuple[Supply, Payload]:
        """What the submission of that name needs on its host, and what it says there.

        Raises:
            RunDamaged: a file of the run that it needs is gone or was changed.
        """
        supply = Supply()
        try:
            self.supplier.code(supply)
            elements = [
                msgspec.structs.replace(element, job=self.supplier.localised(element.job, supply))
                for element in self.elements
            ]
        except OSError as error:
            raise RunDamaged(f"{error.filename}: {error.strerror}: a job needs it, and it cannot be sent") from error
        except PlaceError as error:
            raise RunDamaged(f"{error}; a job needs it, and it cannot be sent") from error
        made = payload(
            name,
            elements if launch is None else seen_inside(launch, elements),
            around=self.around,
            env=self.env,
            gpus=self.gpus,
            walltime_s=self.walltime_s,
            numbered=self.numbered,
        )
        return supply, made
