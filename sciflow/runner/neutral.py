"""Values read without the user's classes: what the engine and the command line see of a record, an enum, a pickle.

Each compares by content and is written again as the tag it was read from.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Mapping

    Tree = Any


class Record:
    """A NamedTuple or dataclass: its class's name and its fields, which are also attributes."""

    __slots__ = ("extra", "fields", "kind", "type")

    def __init__(
        self, type_: str, kind: str, fields: Mapping[str, object], extra: Mapping[str, object] | None = None
    ) -> None:
        self.type = type_
        self.kind = kind
        self.fields = dict(fields)
        self.extra = dict(extra or {})

    def __getattr__(self, name: str) -> Any:
        # `fields` itself is missing while the object is being unpickled or copied
        if name.startswith("__") or name == "fields":
            raise AttributeError(name)
        try:
            return self.fields[name]
        except KeyError:
            raise AttributeError(f"{self.type} has no field {name!r}") from None

    def __getitem__(self, index: Any) -> Any:
        if self.kind != "namedtuple":
            raise TypeError(f"{self.type} is not a tuple")
        return tuple(self.fields.values())[index]

    def __iter__(self) -> Iterator[Any]:
        if self.kind != "namedtuple":
            raise TypeError(f"{self.type} is not a tuple")
        return iter(tuple(self.fields.values()))

    def __len__(self) -> int:
        return len(self.fields)

    def __bool__(self) -> bool:
        return True if self.kind != "namedtuple" else bool(self.fields)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return (self.type, self.kind, self.fields) == (other.type, other.kind, other.fields)

    def __hash__(self) -> int:
        return hash((self.type, tuple(self.fields.values())))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.fields.items())
        return f"{self.type.partition(':')[2]}({fields})"


class EnumValue:
    """A member of an enum: the class's name and the member's."""

    __slots__ = ("name", "tree", "type")

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.type: str = tree["type"]
        self.name: str = tree.get("name", "")

    def __eq__(self, other: object) -> bool:
        return self.tree == other.tree if isinstance(other, EnumValue) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.type, self.name))

    def __repr__(self) -> str:
        return f"{self.type.partition(':')[2]}.{self.name or self.tree.get('value')}"


class Artifact:
    """A file or folder by its record: `path` is relative to the run folder, or absolute and the user's own."""

    __slots__ = ("tree",)

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    @property
    def path(self) -> str:
        return str(self.tree["path"])

    @property
    def name(self) -> str:
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def kind(self) -> str:
        return str(self.tree.get("kind", "file"))

    @property
    def sha256(self) -> str | None:
        return self.tree.get("sha256")  # type: ignore[no-any-return]

    @property
    def size(self) -> int | None:
        return self.tree.get("size")  # type: ignore[no-any-return]

    def __eq__(self, other: object) -> bool:
        return self.tree == other.tree if isinstance(other, Artifact) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.path)

    def __str__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"Artifact({self.path!r})"


class Opaque:
    """Anything else that only the user's own classes can read."""

    __slots__ = ("tree",)

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    def __eq__(self, other: object) -> bool:
        return self.tree == other.tree if isinstance(other, Opaque) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.tree["$"])

    def __repr__(self) -> str:
        return f"<{self.tree['$']}>"
