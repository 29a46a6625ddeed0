"""The templates of a file by name, those of its WorkflowTemplates too, and what each calls and needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from sciflow.author.argo_file import fields
from sciflow.author.argo_file.fields import check
from sciflow.author.argo_file.interface import globals_of, named, results_in
from sciflow.author.argo_file.source import At

KINDS = ("container", "script", "dag", "steps", "suspend")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One template: `home` is the WorkflowTemplate that it belongs to, "" the workflow's own."""

    key: str
    kind: str
    at: At
    home: str


class Library:
    """Templates by key: `name`, `home/name`, or a place in the file for one that stands where it is called."""

    def __init__(self, main: At, others: Mapping[str, At]) -> None:
        """`others`: the specs of the WorkflowTemplates of the same file."""
        self.entries: dict[str, Entry] = {}
        self._others = others
        self.volumes = frozenset(named(main.list("volumes")))
        for home, spec in {"": main, **others}.items():
            defaults = spec.get("templateDefaults")
            for name, at in named(spec.list("templates")).items():
                self._add(f"{home}/{name}" if home else name, _with_defaults(at, defaults), home)
        for volumes in (main.list("volumes"), *(entry.at.list("volumes") for entry in self.entries.values())):
            for volume in volumes:
                check(volume, fields.VOLUME, "a volume")
        self.needs = self._needs()
        self.printed = self._printed()

    def _add(self, key: str, at: At, home: str) -> None:
        kinds = [kind for kind in KINDS if at.get(kind) is not None or (kind in at.fields and kind == "suspend")]
        others = [kind for kind in fields.NOT_HERE if kind in at.fields]
        if len(kinds) != 1:
            if not others or kinds:
                found = " and ".join(kinds) or "none"
                at.say("needs one kind", expected=", ".join(KINDS), found=found, fix="say what it does")
            else:
                check(at, fields.PROGRAM_TEMPLATE, "a template")
            return
        self.entries[key] = Entry(key=key, kind=kinds[0], at=at, home=home)
        for task in _tasks(at):
            if (inline := task.get("inline")) is not None:
                self._add(inline.path, inline, home)

    def called(self, task: At, home: str) -> Entry | None:
        """The template that a step or task names; None if there is none, which is told."""
        key = self._key(task, home)
        found = self.entries.get(key)
        if found is None and not task.source.problems:
            own = {entry.at.text("name"): entry for entry in self.entries.values() if entry.home == home}
            task.named("template", own, task.text("template") or key or "(none named)")
        return found

    def _key(self, task: At, home: str) -> str:
        if (inline := task.get("inline")) is not None:
            return inline.path
        reference = task.get("templateRef")
        if reference is None:
            return f"{home}/{task.text('template')}" if home else task.text("template")
        if reference.text("name") not in self._others:
            reference.say(
                f"WorkflowTemplate {reference.text('name')!r} is not in this file",
                expected=", ".join(self._others) or "one of the file's own",
                fix="put it into the file, behind a line ---",
            )
        return f"{reference.text('name')}/{reference.text('template')}"

    def _callees(self, entry: Entry) -> Iterator[tuple[At, Entry]]:
        for task in _tasks(entry.at):
            found = self.entries.get(self._quiet_key(task, entry.home))
            if found is not None:
                yield task, found

    def _quiet_key(self, task: At, home: str) -> str:
        before = len(task.source.problems)
        key = self._key(task, home)
        del task.source.problems[before:]
        return key

    def _needs(self) -> dict[str, frozenset[str]]:
        """What each template, and all that it calls, has to know of the workflow."""
        needs = {key: globals_of(entry.at) for key, entry in self.entries.items()}
        changed = True
        while changed:
            changed = False
            for key, entry in self.entries.items():
                more = needs[key].union(*(needs[callee.key] for _, callee in self._callees(entry)))
                changed, needs[key] = changed or more != needs[key], more
        return needs

    def _printed(self) -> frozenset[str]:
        """The templates whose printed result somebody asks for."""
        found = set()
        for entry in self.entries.values():
            asked = results_in(entry.at)
            found |= {callee.key for task, callee in self._callees(entry) if task.text("name") in asked}
        return frozenset(key for key in found if self.entries[key].kind in ("container", "script"))


def _tasks(at: At) -> Iterator[At]:
    yield from at.list("dag", "tasks")
    for group in at.list("steps"):
        yield from [group] if isinstance(group.data, dict) else group.items


def _with_defaults(at: At, defaults: At | None) -> At:
    """A program's template with what templateDefaults says and it does not."""
    if defaults is None or not {"container", "script"} & at.fields.keys():
        return at
    more = {name: value for name, value in defaults.fields.items() if name not in ("container", "script", "name")}
    merged = {**more, **at.fields}
    for kind in ("container", "script"):
        own, theirs = at.get(kind), defaults.get(kind)
        if own is not None and theirs is not None:
            merged[kind] = At({**theirs.fields, **own.fields}, own.path, own.line, own.source)
    return At(merged, at.path, at.line, at.source)
