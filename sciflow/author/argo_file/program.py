"""A container or script template as an op whose code is a program."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from sciflow.author.argo_file import fields
from sciflow.author.argo_file.fields import check
from sciflow.author.argo_file.interface import Interface
from sciflow.author.argo_file.scope import Scope
from sciflow.author.argo_file.source import At
from sciflow.core.expr import Call, Const, Expr, Input, Text
from sciflow.core.graph import Inside, OpTemplate, Parts, Program

SCRIPT = "/argo/staging/script"  # where Argo has it
_SYSTEM = frozenset({"bin", "boot", "dev", "etc", "lib", "lib64", "proc", "sbin", "sys", "usr"})
_REFERENCE = re.compile(r"\$\((\w+)\)")


def op_of(
    at: At,
    name: str,
    interface: Interface,
    workflow: Mapping[str, Expr],
    *,
    volumes: Collection[str],
    direct: bool,
) -> OpTemplate:
    """The op; `direct`: it is to run on this machine itself, where nothing has a path of its own."""
    return _Reader(at, name, interface, workflow, volumes=volumes, direct=direct).op()


def image_of(at: At, interface: Interface, workflow: Mapping[str, Expr]) -> Expr:
    """The image, over the inputs of the template."""
    container = at.get("script") or at.get("container")
    assert container is not None
    image = container.get("image")
    if image is None:
        container.say("names no image", expected="image: ...", found="none", fix="name one")
        return Const(value="")
    known = {f"inputs.parameters.{name}": Input(port=given.port) for name, given in interface.parameters.items()}
    found = Scope({**workflow, **known}).text(image)
    return found if isinstance(found, Const) else Call(function="plain", args=(found,))


class _Reader:
    def __init__(
        self,
        at: At,
        name: str,
        interface: Interface,
        workflow: Mapping[str, Expr],
        *,
        volumes: Collection[str],
        direct: bool,
    ) -> None:
        self._at = at
        self._name = name
        self._interface = interface
        self._volumes = volumes
        self._direct = direct
        self._script = at.get("script")
        found = self._script or at.get("container")
        assert found is not None
        self._container = found
        self._scope = Scope({**workflow, **self._paths()})
        check(found, fields.CONTAINER, "a container")

    def op(self) -> OpTemplate:
        """The op itself."""
        files = self._files()
        return OpTemplate(
            name=self._name,
            inputs=self._interface.ports,
            output=self._interface.output(self._name),
            code=self._program(files),
            where=self._at.where,
        )

    def _paths(self) -> dict[str, Expr]:
        """The tags that name inputs, and paths of files."""
        known: dict[str, Expr] = {
            f"inputs.parameters.{name}": Input(port=given.port) for name, given in self._interface.parameters.items()
        }
        inner = self._interface
        artifacts = {**{n: g.at for n, g in inner.artifacts.items()}, **{n: self._artifact(n) for n in inner.raw}}
        for name, at in artifacts.items():
            known[f"inputs.artifacts.{name}.path"] = Const(value=at.text("path"))
        for name, at in inner.out_artifacts.items():
            known[f"outputs.artifacts.{name}.path"] = Const(value=at.text("path"))
        for name, at in inner.out_parameters.items():
            known[f"outputs.parameters.{name}.path"] = Const(value=at.text("valueFrom", "path"))
        return known

    def _artifact(self, name: str) -> At:
        return next(one for one in self._at.list("inputs", "artifacts") if one.text("name") == name)

    # --- what is run

    def _program(self, files: Inside) -> Program:
        written = {self._path(self._artifact(name)): self._parts(at) for name, at in self._interface.raw.items()}
        argv = [self._parts(word) for word in self._container.list("command")]
        entrypoint = not argv
        if self._script is not None:
            place = "script" if self._direct else SCRIPT
            written[place] = self._parts(self._script.get("source") or self._script)
            argv.append((place,))
            if entrypoint:
                self._script.say("a script needs the program that runs it", expected="command: [python]", fix="add it")
        argv += [self._parts(word) for word in self._container.list("args")]
        self._check_direct(files, argv, entrypoint=entrypoint)
        return Program(
            argv=tuple(argv),
            stdout="result" if "result" in self._interface.fields else None,
            written=written,
            env=self._env(),
            texts=self._texts(),
            optional=self._optional(),
            shape="dict",
            inside=None if self._direct else _with(files, written, entrypoint=entrypoint),
        )

    def _check_direct(self, files: Inside, argv: list[Parts], *, entrypoint: bool) -> None:
        if not self._direct:
            return
        paths = [
            *files.inputs.values(),
            *files.outputs.values(),
            *files.folders,
            *map(self._artifact_path, self._interface.raw),
        ]
        if paths:
            self._at.say(
                "this template reads or writes files at paths of its container",
                expected="parameters and printed results alone, where programs run on this machine itself",
                found=", ".join(paths),
                fix="run it at an executor that has containers",
            )
        if entrypoint and not argv:
            self._container.say("there is no program to run on this machine", expected="command: [...]", fix="add it")
        if self._container.get("workingDir") is not None:
            self._container.say("workingDir is a folder of the container", fix="run it at an executor with containers")

    def _artifact_path(self, name: str) -> str:
        return self._artifact(name).text("path")

    def _env(self) -> dict[str, Parts]:
        found: dict[str, Parts] = {}
        for one in self._container.list("env"):
            check(one, fields.ENV, "a variable")
            value = one.get("value")
            found[one.text("name")] = () if value is None else self._parts(value)
        for text in self._container.texts():
            for name in _REFERENCE.findall(text.data):
                if name in found and (self._script is None or text is not self._script.get("source")):
                    fix = f"write ${name} for a shell, or the value"
                    text.say(f"$({name}) is not replaced here", found=f"$({name})", fix=fix)
        return found

    def _parts(self, at: At) -> Parts:
        """A text with holes for the op's own inputs."""
        return tuple(self._pieces(self._scope.text(at), at)) or ("",)

    def _pieces(self, expr: Expr, at: At) -> Iterator[str | dict[str, str]]:
        match expr:
            case Const(value=str(text)):
                yield from (text,) if text else ()
            case Input(port=port):
                yield ""  # a hole that stands alone would leave out what is None
                yield {"port": port}
            case Call(function="plain", args=(of,)):
                yield from self._pieces(of, at)
            case Text(parts=parts):
                for part in parts:
                    yield from (part,) if isinstance(part, str) else self._pieces(part, at)
            case _:
                fix = "compute it where the template is called, and hand it over as a parameter"
                at.say("a program's text takes inputs as they are", found=at.text(), fix=fix)

    # --- files

    def _files(self) -> Inside:
        inner = self._interface
        inputs = {given.port: self._path(given.at) for given in inner.artifacts.values()}
        outputs = {inner.fields[f"artifacts/{name}"]: self._path(at) for name, at in inner.out_artifacts.items()}
        for name, at in inner.out_parameters.items():
            source = at.get("valueFrom")
            if source is None or source.get("path") is None:
                what = "an output parameter of a program is the text of a file"
                at.say(what, expected="valueFrom: {path: ...}", found=str(at.plain()), fix="write it into a file")
                continue
            check(source, fields.VALUE_FROM, "valueFrom")
            outputs[inner.fields[f"parameters/{name}"]] = self._path(source)
        cwd = self._container.text("workingDir")
        return Inside(inputs=inputs, outputs=outputs, folders=tuple(self._mounts()), cwd=cwd)

    def _mounts(self) -> Iterator[str]:
        """Where the container finds folders that are empty when it starts."""
        for mount in self._container.list("volumeMounts"):
            check(mount, fields.MOUNT, "a mount")
            path = mount.text("mountPath")
            if mount.text("name") not in self._volumes:
                mount.named("volume", dict.fromkeys(self._volumes), mount.text("name"))
            if path.startswith("/") and posixpath.normpath(path) != "/":
                yield posixpath.normpath(path)
            else:
                mount.say("a volume needs its path", expected="mountPath: /work", found=path or "none", fix="name it")

    def _path(self, at: At) -> str:
        path = at.text("path")
        if not path.startswith("/") or posixpath.normpath(path) == "/":
            at.say("a file needs its path", expected="an absolute path in the container", found=path or "none",
                   fix="write path: /tmp/...")  # fmt: skip
            return "/tmp/unknown"  # noqa: S108  nothing will run
        self._check_folder(path, at)
        return posixpath.normpath(path)

    def _check_folder(self, path: str, at: At) -> None:
        """An output's folder is an empty one of ours, which must not hide what the image needs."""
        folder = posixpath.dirname(posixpath.normpath(path))
        is_output = ".outputs." in at.path or at.path.startswith("outputs.")
        if is_output and (folder == "/" or folder.split("/")[1] in _SYSTEM):
            at.say(
                "an output cannot lie in this folder, which would hide the image's own",
                expected="a folder such as /tmp, /work or /mnt/out",
                found=path,
                fix="let the program write it elsewhere",
            )

    def _texts(self) -> dict[str, str | None]:
        inner = self._interface
        found: dict[str, str | None] = {"result": None} if "result" in inner.fields else {}
        for name, at in inner.out_parameters.items():
            default = at.get("valueFrom", "default")
            found[inner.fields[f"parameters/{name}"]] = None if default is None else default.text()
        return found

    def _optional(self) -> tuple[str, ...]:
        inner = self._interface
        return tuple(
            inner.fields[f"artifacts/{name}"]
            for name, at in inner.out_artifacts.items()
            if at.text("optional") == "true"
        )


def _with(files: Inside, written: Iterable[str], *, entrypoint: bool) -> Inside:
    """With the folders that are ours there: those of outputs that lie in no input."""
    brought = {*files.inputs.values(), *written}
    wanted = {
        posixpath.dirname(path)
        for path in files.outputs.values()
        if not any(path == one or path.startswith(f"{one}/") for one in brought)
    }
    wanted.update(files.folders)
    outermost = {one for one in wanted if not any(one != other and one.startswith(f"{other}/") for other in wanted)}
    return Inside(
        inputs=files.inputs,
        outputs=files.outputs,
        folders=tuple(sorted(outermost)),
        cwd=files.cwd,
        entrypoint=entrypoint,
    )
