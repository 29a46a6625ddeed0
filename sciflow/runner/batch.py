"""A batch's folder on the executing machine, as one of its elements sees it.

index.json   where the run is, and which part of `requests` is whose
requests     frames: the ops, then the tasks of every element
died/<k>     exit code of an element that could not say itself how it ended; cancelled/<k>: it is to end
live/<k>     replies of element k while it runs; done/<k> when it has ended; taken/<k> when the engine has read them
"""

from __future__ import annotations

import os

from sciflow.runner.text import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

    from sciflow.runner.container import Containers
    from sciflow.runner.program import Elsewhere

    Tree = Any

ROOT, DEPOT = "$ROOT/", "$DEPOT/"  # beginnings of paths that are known on this machine only
INSIDE = "SCIFLOW_CONTAINER"  # set in a container, to the name of the batch whose element runs there


class Batch:
    """What was handed over in one submission."""

    def __init__(self, folder: str) -> None:
        """Reads the index.

        Raises:
            OSError: there is none.
        """
        self.folder = os.path.abspath(folder)
        with open(f"{self.folder}/index.json", encoding="utf-8") as file:
            self._index = parse(file.read())
        self.name: str = self._index["name"]
        self.stop = f"{self.folder}/stop"  # there when nothing more is to be begun
        self.root: str = self._index["root"]
        self.walltime_s: float | None = self._index.get("walltime_s")
        self.depot: str = self._index.get("depot") or os.path.dirname(os.path.dirname(self.root))

    @property
    def crew(self) -> Tree:
        """How several elements are run at once: so many `workers`, by which `command`, with how many `gpus` each."""
        return self._index["crew"]

    def crew_of(self, number: int) -> range:
        """The elements of one crew."""
        workers = self.crew["workers"]
        return range(number * workers, min((number + 1) * workers, len(self._index["elements"])))

    def env(self) -> dict[str, str]:
        """The variables of its ops; values of secrets come in variables of other names, which are removed.

        Raises:
            KeyError: a secret has not come.
        """
        told: dict[str, Any] = self._index.get("env") or {}
        carried = {
            value["secret"]: os.environ.get(value["secret"]) for value in told.values() if isinstance(value, dict)
        }
        for carrier, value in carried.items():
            if value is None:
                raise KeyError(carrier)
            del os.environ[carrier]
        return {
            name: carried[value["secret"]] or "" if isinstance(value, dict) else value for name, value in told.items()
        }

    def place(self, part: str, number: int) -> str:
        """The file of an element in `live`, `done`, `taken` or `died`."""
        return f"{self.folder}/{part}/{number}"

    def worker(self, number: int) -> str:
        """The name under which an element's logs and large values are found."""
        return f"{self.name}-{number}"

    def logs(self, number: int) -> list[str]:
        """The files that take what its ops print."""
        return [f"{self.root}/logs/{self.worker(number)}.{kind}" for kind in ("out", "err")]

    def containers(self, number: int) -> Containers | None:
        """Those of an element; None if nothing of it is run in a container, or if this is in the container."""
        told = self._index.get("container")
        if not told or os.environ.get(INSIDE) == self.name:
            return None
        from sciflow.runner.container import Containers

        return Containers(told, f"{self.folder}/containers/{number}", self.worker(number))

    def elsewhere(self, number: int) -> Elsewhere | None:
        """Where an element has programs run; None: beside it."""
        told = self._index.get("mailbox")
        if not told:
            return self.containers(number)
        from sciflow.runner.mailbox import Mailbox

        return Mailbox(told, f"{self.folder}/calls/{number}", self._index["env"])

    def hello(self, number: int, *, resumed: bool) -> dict[str, Tree]:
        """What is said first to the worker of an element."""
        told: dict[str, Tree] = dict(self._index["hello"])
        told["sys_path"] = [self._here(path) for path in told.get("sys_path", ())]
        told["main"] = self._here(told["main"]) if told.get("main") else None
        told.update(
            root=self.root,
            argv=told.get("argv") or [""],
            scratch=f"{self.root}/work/{self.worker(number)}",
            pack=f"values/{self.worker(number)}",
            resumed=resumed,
            at=self._index.get("at"),
            elsewhere=self.elsewhere(number),  # an object: it does not leave this process and its forks
        )
        return told

    def _here(self, path: str) -> str:
        for mark, folder in ((ROOT, self.root), (DEPOT, self.depot)):
            if path.startswith(mark):
                return f"{folder}/{path[len(mark) :]}"
        return path

    def requests(self, number: int) -> tuple[dict[int, Tree], list[Tree]]:
        """The ops by their numbers, and the requests to run an element's tasks.

        Raises:
            OSError: the file is not there, or is shorter than the index says.
        """
        fd = os.open(f"{self.folder}/requests", os.O_RDONLY | os.O_CLOEXEC)
        try:
            common = list(_frames(fd, self._index["common"]))
            own = list(_frames(fd, self._index["elements"][number]))
        finally:
            os.close(fd)
        ops = {frame["op"]: frame for frame in common if "op" in frame}
        self._name_gpus([frame.setdefault("options", {}) for frame in ops.values()])
        return ops, own

    def _name_gpus(self, options: Sequence[Tree]) -> None:
        """Ops are told which GPUs they have: those that the engine chose, or those that the batch system gave."""
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        granted = [int(number) for number in visible if number.strip().isdigit()]
        for one in options:
            if one.get("gpus"):
                os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, one["gpus"]))
            elif self._index.get("gpus"):
                one["gpus"] = granted or list(range(self._index["gpus"]))
                one["visible"] = ",".join(filter(None, visible))  # names that are no numbers stay as they are


def _frames(fd: int, extent: Sequence[int]) -> Iterator[Tree]:
    at, size = extent
    data = os.pread(fd, size, at)
    while 0 < len(data) < size:
        more = os.pread(fd, size - len(data), at + len(data))
        if not more:
            break
        data += more
    if len(data) < size:
        raise OSError(f"requests end at byte {at + len(data)}, and are to reach {at + size}")
    found = 0
    while found < size:
        end = found + 4 + int.from_bytes(data[found : found + 4], "big")
        yield parse(data[found + 4 : end].decode())
        found = end
