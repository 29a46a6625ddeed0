"""What a run was given from outside, as the bucket has it: shapes of folders, long values, code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.trees import parts_of
from sciflow.errors import RunDamaged
from sciflow.executors.archive import unpack
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.facts import FORMAT, Facts, Format, GivenValue
from sciflow.executors.argo.place.inside import place_in
from sciflow.executors.argo.place.layout import ANSWERS, FACTS, Layout
from sciflow.executors.argo.place.run_files import RunFiles
from sciflow.executors.found import MODULES

_ENGINES = re.compile(r"values/[^/]*-(inputs|begin|engine)[^/]*")  # long values that no task has made

_GIVEN = msgspec.json.Decoder(GivenValue)
_FACTS = msgspec.json.Decoder(Facts)
_FORMAT = msgspec.json.Decoder(Format)


def read_facts(bucket: Bucket, layout: Layout) -> Facts | None:
    """What is written down of the run; None if there is no such run.

    Raises:
        RunDamaged: another version of sciflow wrote it, or it is not to be read.
    """
    key = layout.part(FACTS)
    text = bucket.get(key)
    found = None if text is None else bucket.read(key, text, _FORMAT.decode).format
    if found not in (None, FORMAT):
        raise RunDamaged(
            f"{bucket!r}: {key}: written by another version of sciflow\n"
            f"    expected: format {FORMAT}\n    found:    format {found}\n"
            "    fix:      go on with that version; or begin another run"
        )
    return None if text is None else bucket.read(key, text, _FACTS.decode)


def learn_given(bucket: Bucket, layout: Layout, files: RunFiles) -> None:
    """Learns what the run's own folders hold: those of its inputs, and of answers."""
    facts = read_facts(bucket, layout)
    if facts is not None:
        files.learn(facts)
        files.expect(parts_of(facts.inputs))
    for key, text in bucket.get_all(bucket.list(layout.part(f"{ANSWERS}/"))).items():
        given = bucket.read(key, text, _GIVEN.decode)
        files.learn(given)


def bring_packs(bucket: Bucket, layout: Layout, root: Path, texts: Iterable[bytes]) -> None:
    """Brings the files in which the long parts of values lie, so far as they are there.

    What is stored in one file speaks of no other one.

    Raises:
        RunDamaged: a value names something else.
    """
    wanted: dict[str, int] = {}
    for text in texts:
        for file, end in _packs(json.loads(text)) if b'"$":"value"' in text else ():
            wanted[file] = max(end, wanted.get(file, 0))
    targets = {file: place_in(root, file, part="values/") for file in wanted}
    missing = [file for file, here in targets.items() if not here.exists() or here.stat().st_size < wanted[file]]
    bucket.at_once(lambda file: bucket.fetch(layout.part(file), targets[file]), missing)


def _packs(tree: Tree) -> Iterator[tuple[str, int]]:
    for part in parts_of(tree):
        match part:
            case {"$": "value", "file": str() as file, "at": int() as at, "size": int() as size}:
                yield file, at + size


def bring_given(bucket: Bucket, layout: Layout, root: Path, facts: Facts) -> None:
    """Brings into a run folder what an engine and a person need at once: long values, code and modules.

    Files stay in the bucket until they are needed.

    Raises:
        RunDamaged: what is in the bucket belongs to no run.
    """
    head = layout.part("")
    values = [key.removeprefix(head) for key in bucket.list(layout.part("values/"))]
    wanted = [path for path in values if _ENGINES.fullmatch(path)] + [f"code/{file}" for file in facts.code]
    for path in wanted:
        if not bucket.fetch(layout.part(path), place_in(root, path)) and path.startswith("code/"):
            raise RunDamaged(f"{bucket!r}: {layout.part(path)}: a file of the run is not there any more")
    if facts.bundle:
        archive = root / f"{MODULES}.tar"
        if bucket.fetch(layout.code(facts.bundle), archive):
            unpack(archive, root / MODULES, has_links=False)  # a retry sends what they point to
            archive.unlink(missing_ok=True)
