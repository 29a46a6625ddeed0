"""The word that a run has left something at the executor that has carried it out."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from sciflow.executors.conducted import forget_conductor, note_conductor, noted_conductor


def test_it_stays_as_it_was_when_it_cannot_be_written_again(tmp_path: Path) -> None:
    note_conductor(tmp_path, "argo")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2, hard))  # as if the disk were full
    try:
        with pytest.raises(OSError, match="File too large"):
            note_conductor(tmp_path, "argo")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert noted_conductor(tmp_path) == "argo"
    forget_conductor(tmp_path)
    assert noted_conductor(tmp_path) == ""
