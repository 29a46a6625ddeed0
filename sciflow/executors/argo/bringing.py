"""Files of a run on Argo brought home from the bucket, at whose workflow no engine looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sciflow.config import Tables
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.given import learn_given
from sciflow.executors.argo.place.layout import OUTCOMES
from sciflow.executors.argo.place.outcomes import read_outcomes
from sciflow.executors.argo.place.run_files import RunFiles, bring_files
from sciflow.executors.argo.submission import bucket_settings, layout_of
from sciflow.executors.settings import ArgoSettings


def fetch_from_bucket(
    name: str, settings: ArgoSettings, storages: Tables, root: Path, paths: Sequence[str]
) -> Mapping[str, str]:
    """See `registry.fetch_files`."""
    store = bucket_settings(name, settings, storages)
    bucket, layout = Bucket(settings.storage, store), layout_of(store, root.name)
    files = RunFiles(bucket, layout)
    learn_given(bucket, layout, files)
    for key, text in bucket.get_all(bucket.list(layout.part(f"{OUTCOMES}/"))).items():
        files.learn(bucket.read(key, text, read_outcomes).rest)
    return bring_files(files, root, paths, place=f"{bucket!r}: {layout.part('')}")
