"""What a machine has is found out where somebody wants it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sciflow import op


@op
def twice(x: int) -> int:
    return 2 * x


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is there once `nvidia-smi` was asked; it knows of one GPU."""
    program, mark = tmp_path / "bin" / "nvidia-smi", tmp_path / "asked"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ntouch "{mark}"\necho "GPU 0: one"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("SCIFLOW_RUNS", str(tmp_path / "runs"))
    return mark


def test_a_run_without_gpus_asks_for_none(asked: Path) -> None:
    assert twice.run(1).result == 2
    assert not asked.exists()


def test_a_run_with_gpus_finds_them(asked: Path) -> None:
    assert twice.options(gpus=1).run(1).result == 2
    assert asked.exists()
