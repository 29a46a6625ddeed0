"""A file of YAML as plain data that knows its lines, and what is said about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sciflow.core.naming import meant
from sciflow.errors import InvalidWorkflow, MissingExtra, Problem

LARGEST = 100_000  # values of a file: aliases in aliases can make any number
Data = Any  # None, bool, int, float, str, list, dict


class Source:
    """What is read of one file, and what was found wrong with it or left aside."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self._count = 0

    def documents(self) -> list[At]:
        """The documents that are not empty.

        Raises:
            InvalidWorkflow: it cannot be read as YAML.
            MissingExtra: the package that reads YAML is not there.
        """
        try:
            import yaml
        except ImportError:
            raise MissingExtra("PyYAML", "argo", f"reading {self.path}") from None
        try:
            text = Path(self.path).read_text("utf-8")
            nodes = [node for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node is not None]
            return [self._at(node, "") for node in nodes]
        except OSError as error:
            raise self.stopped(Problem(where=self.path, what=f"cannot be read: {error.strerror}")) from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{self.path}:{mark.line + 1}" if mark is not None else self.path
            why = getattr(error, "problem", None) or error
            raise self.stopped(Problem(where=where, what=f"is no YAML: {why}")) from None

    def stopped(self, problem: Problem) -> InvalidWorkflow:
        """What is raised where reading cannot go on."""
        return InvalidWorkflow([*self.problems, problem])

    def _at(self, node: Any, path: str, above: tuple[int, ...] = ()) -> At:
        import yaml

        self._count += 1
        if id(node) in above or self._count > LARGEST:
            why = "an alias stands in what it names" if id(node) in above else f"it has more than {LARGEST} values"
            raise self.stopped(Problem(where=f"{self.path}:{node.start_mark.line + 1}", what=why))
        line, above = node.start_mark.line + 1, (*above, id(node))
        match node:
            case yaml.MappingNode():
                return At(self._fields(node, path, above), path, line, self)
            case yaml.SequenceNode():
                items = [self._at(item, f"{path}[{i}]", above) for i, item in enumerate(node.value)]
                return At(items, path, line, self)
            case _:
                return At(_scalar(node), path, line, self)

    def _fields(self, node: Any, path: str, above: tuple[int, ...]) -> dict[str, At]:
        """The entries of a mapping; those that `<<` merges into it do not replace its own."""
        own: dict[str, At] = {}
        merged: dict[str, At] = {}
        for key, value in node.value:
            name = str(key.value)
            if key.tag != "tag:yaml.org,2002:merge":
                own[name] = self._at(value, f"{path}.{name}" if path else name, above)
                continue
            found = self._at(value, path, above)
            for one in found.data if isinstance(found.data, list) else [found]:
                merged = {**one.fields, **merged}
        return {**merged, **own}


def _scalar(node: Any) -> Data:
    """A text, number, truth value or None, as Kubernetes reads them: dates and 1:30 are texts, and y is yes."""
    import yaml

    if node.tag.endswith(":timestamp") or (node.tag.endswith((":int", ":float")) and ":" in node.value):
        return node.value
    if node.style is None and node.value in ("y", "Y", "n", "N"):
        return node.value in "yY"
    made = yaml.SafeLoader("")
    return made.construct_object(node)


class At:
    """A value and its place in the file: `data` is a dict or list of others, or plain."""

    __slots__ = ("data", "line", "path", "source")

    def __init__(self, data: Data, path: str, line: int, source: Source) -> None:
        self.data = data
        self.path = path
        self.line = line
        self.source = source

    @property
    def where(self) -> str:
        """File and line."""
        return f"{self.source.path}:{self.line}"

    def say(self, what: str, *, expected: str = "", found: str = "", fix: str = "") -> None:
        """Note a problem here."""
        what = f"{self.path}: {what}" if self.path else what
        self.source.problems.append(Problem(where=self.where, what=what, expected=expected, found=found, fix=fix))

    def note(self, what: str) -> None:
        """Say what is left aside."""
        self.source.notes.append(f"{self.where}: {self.path} {what}")

    @property
    def fields(self) -> dict[str, At]:
        """The entries of a mapping; none of anything else, which is told."""
        if isinstance(self.data, dict):
            return self.data
        if self.data is not None:
            self.say("is no mapping", expected="names with values", found=repr(self.plain()))
        return {}

    @property
    def items(self) -> list[At]:
        """The elements of a list; none of anything else, which is told."""
        if isinstance(self.data, list):
            return self.data
        if self.data is not None:
            self.say("is no list", expected="a list", found=repr(self.plain()))
        return []

    def get(self, *names: str) -> At | None:
        """What lies under a name, and under another in it."""
        found: At | None = self
        for name in names:
            if found is None or not isinstance(found.data, dict):
                return None
            found = found.data.get(name)
        return None if found is None or found.data is None else found

    def list(self, *names: str) -> list[At]:
        """The elements of the list under a name; none if it is not there."""
        found = self.get(*names)
        return [] if found is None else found.items

    def text(self, *names: str) -> str:
        """The text of a value, as Argo takes numbers and truth values for text; "" if it is not there."""
        from sciflow.core.json_texts import plain

        found = self.get(*names)
        return "" if found is None else plain(found.plain())

    def plain(self) -> Data:
        """The value without places."""
        match self.data:
            case dict():
                return {name: value.plain() for name, value in self.data.items()}
            case list():
                return [value.plain() for value in self.data]
            case _:
                return self.data

    def texts(self) -> Iterator[At]:
        """Every text in it, however deep."""
        match self.data:
            case dict():
                for value in self.data.values():
                    yield from value.texts()
            case list():
                for value in self.data:
                    yield from value.texts()
            case str():
                yield self

    def named(self, what: str, known: dict[str, Any], name: str) -> None:
        """Say that there is nothing of that name."""
        self.say(
            f"there is no {what} {name!r}", expected=", ".join(known) or "none", found=name, fix=meant(name, known)
        )
