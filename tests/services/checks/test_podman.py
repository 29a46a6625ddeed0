"""podman in the tests does what tests of containers rely on."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.services.podman import Podman
from tests.services.processes import soon


def test_files_of_a_container_belong_to_the_user_that_it_runs_as(podman: Podman, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    program = "import pathlib; pathlib.Path('made').write_text('by Python')"
    mount = f"--volume={tmp_path}:/work"
    podman.run(
        "run", "--rm", "--network=none", mount, "--workdir=/work", "--user=1234:1234", podman.python_image,
        "python3", "-c", program,
    )  # fmt: skip
    assert (tmp_path / "made").read_text() == "by Python"
    assert (tmp_path / "made").stat().st_uid == 1234


def test_the_bare_image_has_a_shell_and_no_python(podman: Podman) -> None:
    said = podman.run("run", "--rm", "--network=none", podman.bare_image, "sh", "-c", "command -v python3 || echo none")
    assert said == "none"


def test_there_is_no_network_unless_asked_for(podman: Podman) -> None:
    said = podman.run("run", "--rm", "--network=none", podman.bare_image, "ls", "/sys/class/net")
    assert said == "lo"


def test_kill_ends_every_process_of_a_container(podman: Podman, tmp_path: Path) -> None:
    argv = ["podman", "run", "--rm", "--name=victim", "--network=none", f"--volume={tmp_path}:/work", podman.bare_image]
    script = "sleep 1000 & sleep 1000 & touch /work/up; wait"
    client = subprocess.Popen([*argv, "sh", "-c", script], stdin=subprocess.DEVNULL)
    assert soon((tmp_path / "up").exists, 20.0)
    podman.run("kill", "victim")
    assert client.wait(20.0) == 137
    assert soon(lambda: podman.containers() == [], 10.0)


def test_a_program_that_fails_tells_its_exit_code(podman: Podman) -> None:
    argv = ["podman", "run", "--rm", "--network=none", podman.bare_image, "sh", "-c", "exit 7"]
    assert subprocess.run(argv, check=False).returncode == 7
