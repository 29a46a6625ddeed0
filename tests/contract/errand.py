"""What a run tells its executors, for executors whose elements have nothing of sciflow but the runner."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

from sciflow.executors.errand import Errand
from sciflow.testing import ops

MODULE = "ops_of_the_contract"  # a copy of the ops that the suite runs


def errand_in(root: Path) -> Errand:
    """An errand of a run in the folder `root`, which is made ready."""
    for part in ("logs", "values", "work", "tasks", "artifacts", "code"):
        (root / part).mkdir(exist_ok=True)
    bundle = _bundle(MODULE, Path(ops.__file__).read_bytes())
    code = {hashlib.sha256(bundle).hexdigest(): bundle}
    return Errand(root=root, sys_path=[], argv=["script"], main=None, inline_bytes=4096, code=code, host={})


def _bundle(name: str, source: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        member = tarfile.TarInfo(f"{name}.py")
        member.size = len(source)
        tar.addfile(member, io.BytesIO(source))
    return made.getvalue()
