"""The one description of a workflow that every consumer reads: frozen records, JSON and back unchanged."""

from __future__ import annotations

from itertools import chain
from typing import Literal, TypeAlias

import msgspec

from sciflow.core.expr import Const, Expr
from sciflow.core.ports import Port, Type, list_of, optional

EXIT_NODE = "on-exit"  # the path of the task that an exit handler is


class Secret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="secret"):
    """A value by reference: the environment variable or file that holds it on the machine of the engine."""

    env: str | None = None
    file: str | None = None


class Resources(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one task needs while it runs. `walltime_s` and what follows speak to batch systems only."""

    cpus: int = 1  # of one rank
    memory_mb: int = 0
    gpus: int = 0
    gpu_type: str = ""
    ranks: int = 1  # MPI processes
    nodes: int = 1
    walltime_s: float | None = None  # of an element: what the batch system is asked for
    memory_growth: float = 1.0  # an attempt after running out of memory asks for so many times as much
    walltime_growth: float = 1.0


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How tasks of a node are run, tried again, limited and kept."""

    retries: int = 0
    retry_on: tuple[str, ...] = ()  # names of exception classes, "module:Qualname", beside TransientError
    backoff_s: float = 1.0
    backoff_factor: float = 2.0
    backoff_max_s: float = 300.0
    timeout_s: float | None = None
    cache: bool = False
    isolate: bool = False
    priority: int = 0
    locks: dict[str, int] = {}  # name -> how many tasks of the run may hold it at once
    keep: tuple[str, ...] = ()  # glob patterns of files left in the working folder; empty: all
    never_keep: tuple[str, ...] = ()
    env: dict[str, str | Secret] = {}


class Fan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One node run once per element of its lists."""

    over: dict[str, Expr]  # port -> list
    mode: Literal["zip", "product"] = "zip"  # product: the last list runs fastest
    chunk: int | None = None  # slices per job; None: chosen by the executor
    parallelism: int | None = None  # slices of this fan at once
    min_success: int | float | None = None  # count, or ratio in (0, 1]: fewer failures than that leave None in place


def fanned(output: Type, fan: Fan | None) -> Type:
    """What a node gives back whose template gives back `output`."""
    if fan is None:
        return output
    return list_of(output if fan.min_success is None else optional(output))


class Node(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A place in a graph: a template, where its inputs come from, and how it is run."""

    id: str
    template: str
    inputs: dict[str, Expr] = {}
    after: tuple[str, ...] = ()
    when: Expr | None = None
    fan: Fan | None = None
    key: Expr | None = None
    policy: Policy = Policy()
    resources: Resources = Resources()
    executor: Expr | None = None
    image: Expr | None = None
    where: str = ""  # file:line of the user's call


class Function(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="function"
):
    """A Python function and how to reach it: by import, from a script's source, or pickled by value."""

    module: str  # "__main__" for a script or notebook
    qualname: str
    script: str | None = None  # absolute path of the script that was `__main__`
    pickled: str | None = None  # base64 of cloudpickle, or the file in the run folder that holds it


Parts: TypeAlias = tuple[str | dict[str, str], ...]  # text, and holes `{"port": name}`


class Inside(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a program that was made for its image looks for its files there: absolute paths.

    `folders` are empty when it starts, whatever the image has in them; outputs lie in them or in an input.
    """

    inputs: dict[str, str] = {}  # port -> path
    outputs: dict[str, str] = {}  # output -> path
    folders: tuple[str, ...] = ()
    cwd: str = ""  # "": what the image says
    entrypoint: bool = False  # argv goes to the image's own entry point


class Program(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="program"):
    """A program: argv with holes, never a line of shell.

    An element of `argv` is a list of parts: text, or `{"port": name}`; a list-valued port that stands alone becomes
    several arguments. `outputs` maps each output to the file or folder that the program leaves. An output that `stdout`
    names is the text that was printed, unless `outputs` says in which file it is to be kept. `shape` is that of the
    result: nothing, the only output, or all by name, in a record of the class `of`.
    """

    argv: tuple[Parts, ...]
    stdin: str | None = None  # port whose text or file is its standard input
    stdout: str | None = None  # output that takes its standard output
    files: dict[str, str] = {}  # port -> name under which it lies in the working folder
    outputs: dict[str, str] = {}  # output -> name or glob in the working folder
    lists: tuple[str, ...] = ()  # outputs that are all the matches of their glob, sorted; of the others there is one
    optional: tuple[str, ...] = ()  # outputs that are None if the program left nothing there
    shape: Literal["none", "one", "dict", "namedtuple", "dataclass"] = "one"
    of: str = ""  # "module:Qualname"
    exit_codes: tuple[int, ...] = (0,)
    written: dict[str, Parts] = {}  # name in the working folder, or path inside -> text that it finds there
    env: dict[str, Parts] = {}  # variable -> text
    texts: dict[str, str | None] = {}  # outputs that are text, less one last newline -> what they are if there is none
    inside: Inside | None = None  # of a program that needs the container of its image

    @property
    def ports(self) -> tuple[str, ...]:
        """Every port that it speaks of, once."""
        texts = chain(self.argv, self.written.values(), self.env.values())
        holes = [part["port"] for part in chain.from_iterable(texts) if isinstance(part, dict)]
        stdin = () if self.stdin is None else (self.stdin,)
        brought = () if self.inside is None else self.inside.inputs
        return tuple(dict.fromkeys([*holes, *self.files, *stdin, *brought]))


class OpTemplate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="op"):
    """A typed unit of work."""

    name: str
    inputs: tuple[Port, ...]
    output: Type
    code: Function | Program
    identity: dict[str, str] = {}  # part of the code -> hash; the parts together identify the code by content
    where: str = ""


class Suspend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="suspend"):
    """Waits until somebody resumes it, and gives on the value given then (None if `output` is None's type)."""

    name: str
    message: str = ""
    output: Type
    where: str = ""


class Graph(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="graph"):
    """Nodes, the data that flows between them, and what comes out."""

    name: str
    inputs: tuple[Port, ...]
    nodes: tuple[Node, ...]
    result: Expr = Const(value=None)
    output: Type
    on_exit: str | None = None  # template called once at the end with `phase: str`
    timeout_s: float | None = None
    parallelism: int | None = None
    where: str = ""


Template: TypeAlias = OpTemplate | Suspend | Graph


def ports_of(template: Template) -> dict[str, Port]:
    """A template's inputs by name."""
    return {} if isinstance(template, Suspend) else {port.name: port for port in template.inputs}


class WorkflowSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole workflow: templates by name, and the one it starts with."""

    name: str
    entry: str
    templates: dict[str, Template]


def node_at(spec: WorkflowSpec, path: str) -> Node | None:
    """The node that a path names, with or without the numbers of slices; None: the workflow itself calls no such."""
    template, node = spec.templates.get(spec.entry), None
    for part in path.split("/"):
        if not part.isdigit():
            nodes = template.nodes if isinstance(template, Graph) else ()
            node = next((one for one in nodes if one.id == part), None)
            template = spec.templates.get(node.template) if node is not None else None
    return node


def encode_spec(spec: WorkflowSpec) -> bytes:
    """`spec` as JSON."""
    return msgspec.json.encode(spec)


def decode_spec(text: bytes) -> WorkflowSpec:
    """The inverse of `encode_spec`.

    Raises:
        msgspec.ValidationError: not a workflow, or of a newer kind.
    """
    return msgspec.json.decode(text, type=WorkflowSpec)
