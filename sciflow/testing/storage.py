"""What every storage must do."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sciflow.runner.failures import PlaceError
from sciflow.storage.storage import Storage, Stored


class StorageContract:
    """Asks for the fixture `storage`: an empty one."""

    @staticmethod
    def _key(name: str) -> str:
        return f"a/{name}"

    def test_what_was_put_comes_back_equal(self, storage: Storage, tmp_path: Path) -> None:
        source = tmp_path / "in.dat"
        source.write_bytes(bytes(range(256)) * 4000)
        stored = storage.put(source, self._key)
        storage.get(stored, tmp_path / "out.dat")
        assert (tmp_path / "out.dat").read_bytes() == source.read_bytes()
        assert stored.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
        assert (stored.kind, stored.size) == ("file", 1_024_000)

    def test_a_folder_comes_back_with_its_empty_folders(self, storage: Storage, tmp_path: Path) -> None:
        source = tmp_path / "in"
        (source / "empty").mkdir(parents=True)
        (source / "deep" / "er").mkdir(parents=True)
        (source / "deep" / "er" / "naïve name 'x'.txt").write_text("x")
        stored = storage.put(source, self._key)
        storage.get(stored, tmp_path / "out")
        found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*"))
        assert found == ["deep", "deep/er", "deep/er/naïve name 'x'.txt", "empty"]

    def test_an_empty_file_and_an_empty_folder_come_back(self, storage: Storage, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "folder").mkdir()
        for name, kind in (("file", "file"), ("folder", "folder")):
            stored = storage.put(tmp_path / name, lambda _, name=name: self._key(name))  # type: ignore[misc]
            assert (stored.kind, stored.size) == (kind, 0)
            storage.get(stored, tmp_path / f"{name}-back")
        assert (tmp_path / "file-back").read_bytes() == b""
        assert list((tmp_path / "folder-back").iterdir()) == []

    def test_what_a_folder_says_of_its_files_comes_back(self, storage: Storage, tmp_path: Path) -> None:
        source = tmp_path / "in"
        source.mkdir()
        (source / "program").write_text("#!/bin/sh")
        (source / "program").chmod(0o755)
        (source / "link").symlink_to("program")
        stored = storage.put(source, self._key)
        storage.get(stored, tmp_path / "out")
        assert (tmp_path / "out" / "program").stat().st_mode & 0o100
        assert (tmp_path / "out" / "link").readlink() == Path("program")

    def test_a_key_may_hold_what_a_file_name_may(self, storage: Storage, tmp_path: Path) -> None:
        (tmp_path / "x").write_text("x")
        keys = ["a/50%20 ü &+?#;'\"\\.txt", "a/.../..x", "a/new\nline"]
        for key in keys:
            stored = storage.put(tmp_path / "x", lambda _, key=key: key)  # type: ignore[misc]
            assert storage.exists(key)
            storage.get(stored, tmp_path / f"out{keys.index(key)}")
        assert sorted(storage.keys("a/")) == sorted(keys)

    def test_a_change_of_what_came_back_does_not_change_what_is_stored(self, storage: Storage, tmp_path: Path) -> None:
        source = tmp_path / "in.txt"
        source.write_text("before")
        stored = storage.put(source, self._key)
        source.write_text("changed")
        storage.get(stored, tmp_path / "first")
        with (tmp_path / "first").open("a") as file:
            file.write("edited")
        storage.get(stored, tmp_path / "second")
        assert (tmp_path / "second").read_text() == "before"

    def test_content_that_is_not_what_was_put_is_refused_and_leaves_nothing(
        self, storage: Storage, tmp_path: Path
    ) -> None:
        source = tmp_path / "in.txt"
        source.write_text("before")
        stored = storage.put(source, self._key)
        wrong = Stored(key=stored.key, kind="file", sha256="0" * 64, size=stored.size)
        with pytest.raises(PlaceError, match="changed"):
            storage.get(wrong, tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_a_source_that_is_not_there_leaves_nothing_behind(self, storage: Storage, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="no-such"):
            storage.put(tmp_path / "no-such", self._key)
        assert list(storage.keys("")) == []

    def test_the_same_content_is_stored_once(self, storage: Storage, tmp_path: Path) -> None:
        for name in ("one", "two"):
            (tmp_path / name).write_text("same")
        keys = {storage.put(tmp_path / name, self._key).key for name in ("one", "two")}
        assert len(keys) == 1
        assert list(storage.keys("a/")) == sorted(keys)

    def test_several_may_store_the_same_at_once(self, storage: Storage, tmp_path: Path) -> None:
        source = tmp_path / "in"
        source.mkdir()
        (source / "x").write_text("x" * 100_000)
        with ThreadPoolExecutor(4) as pool:
            keys = set(pool.map(lambda _: storage.put(source, self._key).key, range(8)))
        assert len(keys) == 1
        assert all(key.startswith(min(keys)) for key in storage.keys("a/"))

    def test_keys_are_found_by_their_beginning_and_deleted(self, storage: Storage, tmp_path: Path) -> None:
        (tmp_path / "x").write_text("x")
        storage.put(tmp_path / "x", lambda _: "a/1")
        storage.copy("a/1", "b/2")
        assert (list(storage.keys("")), storage.exists("b/2")) == (["a/1", "b/2"], True)
        storage.delete("a/1")
        storage.delete("a/1")
        assert (list(storage.keys("")), storage.exists("a/1")) == (["b/2"], False)
