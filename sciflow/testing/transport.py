"""What every way to reach a machine must do."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sciflow.errors import CommandTimedOut, HostError
from sciflow.executors.transports.transport import Transport

LARGE_BYTES = 20_000_000
NAMES = (
    "plain",
    "two words",
    "-dash",
    "it's",
    'a "quote"',
    "new\nline",
    "$HOME `id` !x *?[a] \\0",
    "é–😀",
    "#~&;|<>",
    "x" * 200,
)
WORDS = (*NAMES, "", " ", "'", "\\", "\t", "--", "%s%n", "~", "{a,b}", "!!")


class TransportContract:
    """Asks for the fixtures `transport`, and `folder`: the absolute path of an empty folder over there."""

    # --- programs --------------------------------------------------------------------------------------------------

    def test_a_program_gets_its_input_and_its_outputs_and_exit_code_come_back(self, transport: Transport) -> None:
        output = transport.run(["sh", "-c", "cat; echo trouble >&2; exit 3"], stdin=b"a\0b\r\n\xff", timeout_s=60)
        assert (output.code, output.stdout, output.stderr) == (3, b"a\0b\r\n\xff", b"trouble\n")

    def test_a_program_without_input_finds_its_end_at_once(self, transport: Transport) -> None:
        assert transport.run(["cat"], timeout_s=60).stdout == b""

    def test_an_input_can_be_made_while_it_is_sent(self, transport: Transport) -> None:
        blocks = [b"%d" % number * 1000 for number in range(1000)]
        assert transport.run(["cat"], stdin=blocks, timeout_s=60).stdout == b"".join(blocks)

    def test_an_input_that_cannot_be_made_to_its_end_is_told_of(self, transport: Transport) -> None:
        def blocks() -> Iterator[bytes]:
            yield b"begun"
            raise OSError(5, "the disk is broken")

        with pytest.raises(OSError, match="the disk is broken"):
            transport.run(["cat"], stdin=blocks(), timeout_s=60)

    def test_arguments_arrive_as_they_are_whatever_characters_they_hold(self, transport: Transport) -> None:
        output = transport.run(["printf", r"%s\0", *WORDS], timeout_s=60)
        assert output.stdout.decode().split("\0")[:-1] == list(WORDS)

    def test_an_argument_that_is_no_text_arrives_as_it_is(self, transport: Transport) -> None:
        assert transport.run(["printf", "%s", os.fsdecode(b"\xff\xfe")], timeout_s=60).stdout == b"\xff\xfe"

    def test_a_program_that_is_not_there_ends_as_in_a_shell(self, transport: Transport) -> None:
        output = transport.run(["there-is-no-such-program"], timeout_s=60)
        assert output.code == 127
        assert "there-is-no-such-program" in output.said

    def test_a_signal_is_an_exit_code_above_128(self, transport: Transport) -> None:
        assert transport.run(["sh", "-c", "kill -TERM $$"], timeout_s=60).code == 128 + 15

    def test_much_input_and_much_output_do_not_wait_for_each_other(self, transport: Transport) -> None:
        data = os.urandom(LARGE_BYTES)
        output = transport.run(["sh", "-c", "tee /dev/stderr"], stdin=data, timeout_s=120)
        assert output.stdout == data
        assert output.stderr == data

    def test_input_that_nobody_reads_does_no_harm(self, transport: Transport) -> None:
        assert transport.run(["true"], stdin=b"x" * LARGE_BYTES, timeout_s=60).code == 0

    def test_a_child_that_is_left_behind_with_the_output_open_is_not_waited_for(self, transport: Transport) -> None:
        began = time.monotonic()
        output = transport.run(["sh", "-c", "sleep 30 & echo begun"], timeout_s=60)
        assert output.stdout == b"begun\n"
        assert time.monotonic() - began < 20

    def test_a_program_that_takes_too_long_is_ended_with_its_children(self, transport: Transport, folder: str) -> None:
        mark = f"{folder}/late"
        script = 'sh -c \'sleep 6; touch "$1"\' sh "$1"; true'
        began = time.monotonic()
        with pytest.raises(CommandTimedOut, match=r"sh took longer than 1 s"):
            transport.run(["sh", "-c", script, "sh", mark], timeout_s=1)
        assert time.monotonic() - began < 15
        time.sleep(max(0.0, began + 9 - time.monotonic()))
        assert transport.run(["test", "-e", mark], timeout_s=60).code == 1

    def test_calls_from_many_threads_do_not_mix(self, transport: Transport) -> None:
        def echo(number: int) -> bytes:
            return transport.run(["sh", "-c", "cat; sleep 0.1"], stdin=b"%d" % number * 1000, timeout_s=120).stdout

        with ThreadPoolExecutor(12) as pool:
            assert list(pool.map(echo, range(24))) == [b"%d" % number * 1000 for number in range(24)]

    # --- files -----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("size", [0, 1, 65536, 1 << 20, LARGE_BYTES + 1])
    def test_a_file_goes_there_and_back_whole(
        self, transport: Transport, folder: str, tmp_path: Path, size: int
    ) -> None:
        source, back = tmp_path / "source", tmp_path / "back"
        source.write_bytes(os.urandom(size))
        transport.put(source, f"{folder}/copy", timeout_s=120)
        transport.get(f"{folder}/copy", back, timeout_s=120)
        assert _hash(back) == _hash(source)

    @pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
    def test_a_file_may_have_any_name(self, transport: Transport, folder: str, tmp_path: Path, name: str) -> None:
        source = tmp_path / name
        source.write_bytes(name.encode())
        transport.put(source, f"{folder}/{name}", timeout_s=60)
        transport.get(f"{folder}/{name}", tmp_path / "back" / name, timeout_s=60)
        assert (tmp_path / "back" / name).read_bytes() == name.encode()
        assert self._names(transport, folder) == [name]

    def test_a_file_that_is_there_is_replaced(self, transport: Transport, folder: str, tmp_path: Path) -> None:
        for text in ("the first, and longer", "the second"):
            (tmp_path / "source").write_text(text)
            transport.put(tmp_path / "source", f"{folder}/copy", timeout_s=60)
            transport.get(f"{folder}/copy", tmp_path / "back", timeout_s=60)
            assert (tmp_path / "back").read_text() == text

    def test_folders_on_the_way_are_made(self, transport: Transport, folder: str, tmp_path: Path) -> None:
        (tmp_path / "source").write_text("x")
        transport.put(tmp_path / "source", f"{folder}/a/b c/d", timeout_s=60)
        assert transport.run(["cat", f"{folder}/a/b c/d"], timeout_s=60).stdout == b"x"

    def test_several_files_go_at_once(self, transport: Transport, folder: str, tmp_path: Path) -> None:
        def there_and_back(number: int) -> bool:
            source, back = tmp_path / f"source-{number}", tmp_path / f"back-{number}"
            source.write_bytes(os.urandom(3_000_000))
            transport.put(source, f"{folder}/{number}", timeout_s=120)
            transport.get(f"{folder}/{number}", back, timeout_s=120)
            return _hash(source) == _hash(back)

        with ThreadPoolExecutor(6) as pool:
            assert all(pool.map(there_and_back, range(6)))

    def test_the_same_file_may_be_put_to_the_same_place_by_several(
        self, transport: Transport, folder: str, tmp_path: Path
    ) -> None:
        source = tmp_path / "source"
        source.write_bytes(os.urandom(3_000_000))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: transport.put(source, f"{folder}/copy", timeout_s=120), range(4)))
        transport.get(f"{folder}/copy", tmp_path / "back", timeout_s=60)
        assert _hash(source) == _hash(tmp_path / "back")
        assert self._names(transport, folder) == ["copy"]

    def test_what_cannot_be_written_is_said_and_leaves_nothing(
        self, transport: Transport, folder: str, tmp_path: Path
    ) -> None:
        (tmp_path / "source").write_text("x")
        transport.put(tmp_path / "source", f"{folder}/file", timeout_s=60)
        with pytest.raises(HostError, match="cannot write"):
            transport.put(tmp_path / "source", f"{folder}/file/below", timeout_s=60)
        assert self._names(transport, folder) == ["file"]

    def test_a_file_is_never_put_in_the_place_of_a_folder_or_into_it(
        self, transport: Transport, folder: str, tmp_path: Path
    ) -> None:
        (tmp_path / "source").write_text("x")
        transport.run(["mkdir", f"{folder}/taken"], timeout_s=60)
        with pytest.raises(HostError, match="cannot write"):
            transport.put(tmp_path / "source", f"{folder}/taken", timeout_s=60)
        assert self._names(transport, f"{folder}/taken") == []

    def test_a_file_that_is_not_there_is_said_and_the_target_is_left_alone(
        self, transport: Transport, folder: str, tmp_path: Path
    ) -> None:
        (tmp_path / "back").write_text("before")
        with pytest.raises(HostError, match="cannot read"):
            transport.get(f"{folder}/absent", tmp_path / "back", timeout_s=60)
        assert (tmp_path / "back").read_text() == "before"

    def _names(self, transport: Transport, folder: str) -> list[str]:
        """All that lies in a folder over there, hidden files too."""
        found = transport.run(["find", folder, "-mindepth", "1", "-maxdepth", "1", "-print0"], timeout_s=60)
        return sorted(path.rpartition("/")[2] for path in found.stdout.decode().split("\0")[:-1])


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
