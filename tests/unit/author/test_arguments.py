"""The arguments of a run: by position or name, with partial and defaults, as trees."""

import os
from pathlib import Path
from typing import Any

import pytest

from sciflow import InvalidInput, op, workflow
from sciflow.author.arguments import encode_arguments
from sciflow.author.launch import spec_of


@op
def energy(atoms: float, calculator: str = "emt") -> float:
    return atoms


@workflow
def eos(structure: Path, scales: list[float], *, name: str = "eos", extra: Path = Path("/no/where")) -> list[float]:
    return energy.map(scales)


def trees(target: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    return encode_arguments(spec_of(target), target, args, kwargs, where="here:1")


def test_arguments_are_trees_by_port(tmp_path: Path) -> None:
    found = trees(eos, tmp_path, scales=[1.0, 2], extra=tmp_path)
    assert found["scales"] == [1.0, 2]
    assert found["structure"] == {"$": "artifact", "path": str(tmp_path), "kind": "folder"}
    assert set(found) == {"structure", "scales", "extra"}


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cu.cif").write_text("")
    monkeypatch.chdir(tmp_path)
    found = trees(eos, Path("cu.cif"), [], extra=Path("cu.cif"))
    assert found["structure"] == {"$": "artifact", "path": str(tmp_path / "cu.cif"), "kind": "file"}


def test_a_pipe_and_a_name_that_is_not_utf8_are_no_inputs(tmp_path: Path) -> None:
    pipe, odd = tmp_path / "pipe", tmp_path / os.fsdecode(b"x\xff")
    os.mkfifo(pipe)
    odd.touch()
    with pytest.raises(InvalidInput, match="a pipe, socket or device"):
        trees(eos, pipe, scales=[])
    with pytest.raises(InvalidInput, match="the name is not UTF-8"):
        trees(eos, odd, scales=[])


def test_what_partial_fixed_is_not_asked_for_again(tmp_path: Path) -> None:
    assert set(trees(eos.partial(scales=[1.0], extra=tmp_path), tmp_path)) == {"structure", "scales", "extra"}
    assert trees(energy.partial(calculator="lj"), 1.0) == {"atoms": 1.0}


def test_a_default_file_that_is_not_there_is_reported_where_it_is_used(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="default of input extra of eos is not there"):
        trees(eos, tmp_path, [])


def test_keyword_only_inputs_take_no_place(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="at most 2: structure, scales"):
        trees(eos, tmp_path, [], "name", extra=tmp_path)
