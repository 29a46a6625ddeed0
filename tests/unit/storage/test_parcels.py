"""A folder as one archive and back."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from sciflow.runner.failures import PlaceError
from sciflow.runner.hashing import folder_hash
from sciflow.storage.parcel import ParcelReader, parcel_of, unpack


def packed(source: Path, archive: Path, *, block: int = 1 << 20) -> str:
    with parcel_of(source) as parcel, archive.open("wb") as file:
        reader, length = ParcelReader(parcel), 0
        while piece := reader.read(block):
            length += file.write(piece)
        assert length == parcel.length
        return parcel.sha256


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    (made / "a" / "empty").mkdir(parents=True)
    (made / "a" / "program").write_text("#!/bin/sh\n")
    (made / "a" / "program").chmod(0o755)
    (made / "nothing").touch()
    (made / ("long" * 40)).write_bytes(os.urandom(1500))
    (made / os.fsdecode(b"not utf-8 \xff")).write_text("x")
    (made / "new\nline").write_text("y")
    (made / "link").symlink_to("a/program")
    return made


@pytest.mark.parametrize("block", [100, 512, 4096, 1 << 20])
def test_a_folder_comes_back_equal_however_it_is_read(folder: Path, tmp_path: Path, block: int) -> None:
    sha256 = packed(folder, tmp_path / "archive", block=block)
    unpack(str(tmp_path / "archive"), str(tmp_path / "back"))
    assert folder_hash(str(tmp_path / "back"))[0] == sha256 == folder_hash(str(folder))[0]


def test_any_tar_reads_it(folder: Path, tmp_path: Path) -> None:
    packed(folder, tmp_path / "archive")
    (tmp_path / "back").mkdir()
    subprocess.run(["tar", "xf", tmp_path / "archive", "-C", tmp_path / "back"], check=True)
    assert folder_hash(str(tmp_path / "back")) == folder_hash(str(folder))


def test_a_link_out_of_the_folder_becomes_what_it_leads_to(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("of the folder")
    (folder / "out").symlink_to("../outside")
    packed(folder, tmp_path / "archive")
    unpack(str(tmp_path / "archive"), str(tmp_path / "back"))
    assert not (tmp_path / "back" / "out").is_symlink()
    assert (tmp_path / "back" / "out").read_text() == "of the folder"


def test_nothing_is_unpacked_outside_of_the_folder(tmp_path: Path) -> None:
    for name in ("../out", "/tmp/out-of-it", "a/../../out"):
        with tarfile.open(tmp_path / "archive", "w") as tar:
            tar.addfile(tarfile.TarInfo(name))
        with pytest.raises(PlaceError, match="leads out of its folder"):
            unpack(str(tmp_path / "archive"), str(tmp_path / f"back{len(name)}"))
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    link, file = tarfile.TarInfo("link"), tarfile.TarInfo("link/file")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "outside")
    with tarfile.open(tmp_path / "archive", "w") as tar:
        tar.addfile(link)
        tar.addfile(file)
    with pytest.raises(PlaceError, match="damaged"):
        unpack(str(tmp_path / "archive"), str(tmp_path / "back"))
    assert list((tmp_path / "outside").iterdir()) == []


def test_devices_are_refused(tmp_path: Path) -> None:
    device = tarfile.TarInfo("device")
    device.type = tarfile.CHRTYPE
    with tarfile.open(tmp_path / "archive", "w") as tar:
        tar.addfile(device)
    with pytest.raises(PlaceError, match="an entry of kind"):
        unpack(str(tmp_path / "archive"), str(tmp_path / "back"))
