"""`sciflow doctor NAME`: from the settings to a job that ran, each line with what is wrong and what to do."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from sciflow.cli.main import exit_code
from sciflow.executors.checkup.quotas import full_share, parse
from tests import lockless
from tests.faults.harness import NEEDS_LINUX


class Desk:
    """A folder with settings for an executor `c`."""

    def __init__(self, folder, capsys):
        self.folder = folder
        self.scratch = folder / "scratch"
        self._capsys = capsys

    def doctor(self, *args, system="shell", **settings):
        """The findings by subject, and the exit code, of an executor of type `batch`."""
        return self.examine(*args, type="batch", system=system, **{"work_root": str(self.scratch), **settings})

    def examine(self, *args, of="executors", **table):
        """The same of any executor, or of a storage."""
        lines = [f"{key} = {in_toml(value)}" for key, value in table.items()]
        (self.folder / "sciflow.toml").write_text(f"[{of}.c]\n" + "\n".join(lines) + "\n")
        code = exit_code(["doctor", "c", "--json", *args])
        return {found["subject"]: found for found in json.loads(self._capsys.readouterr().out)}, code


def in_toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {in_toml(entry)}" for key, entry in value.items()) + "}"
    return json.dumps(value)


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    return Desk(tmp_path, capsys)


def over_ssh(server, config=None):
    return {"host": server.host, "ssh_config": str(config or server.config), "python": "/usr/bin/python3"}


def rewritten(server, folder, old, new):
    """The server's client configuration, changed."""
    path = folder / "ssh_config"
    lines = server.config.read_text().splitlines()
    path.write_text("\n".join(f"    {new}" if line.split()[0] == old else line for line in lines) + "\n")
    return path


def test_a_plain_machine_is_checked_up_to_a_job_that_ran(desk):
    found, code = desk.doctor()
    assert code == 0, found
    assert found["test job"]["found"].startswith("job ")
    assert str(desk.scratch) in found["work_root"]["found"]
    assert [path.name for path in desk.scratch.iterdir() if path.name.startswith("doctor")] == []


def test_an_executor_without_a_folder_of_its_own_is_checked_in_the_folder_of_runs(desk):
    found, code = desk.doctor(work_root="")
    assert (code, found["test job"]["state"]) == (0, "ok")
    assert list(Path("runs").iterdir()) == []


def test_mistakes_in_the_settings_end_the_examination(desk):
    found, code = desk.doctor(quue="debug")
    assert code == 1
    assert "did you mean 'queue'?" in found["settings"]["fix"]


def test_a_value_that_will_not_do_is_shown_beside_what_was_expected(desk):
    found, code = desk.doctor(system="slrum")
    assert code == 1
    assert found["settings"]["found"].endswith("system has a value that will not do: 'slrum'")
    assert found["settings"]["fix"] == "expected one of lsf, pbs, sge, shell, slurm\ndid you mean 'slurm'?"


def test_what_the_test_job_said_is_shown(desk):
    found, code = desk.doctor(prologue=["load-nothing || exit"])
    assert code == 1
    assert "load-nothing" in found["test job"]["found"]
    assert "`prologue`" in found["test job"]["fix"]


def test_a_python_that_is_not_there_is_told_before_anything_else(desk):
    found, code = desk.doctor(python="python3.99")
    assert code == 1
    assert "python3.99" in found["python"]["found"]
    assert "set `python` in [executors.c]" in found["python"]["fix"]
    assert "test job" in found["not checked"]["found"]


def test_a_folder_that_cannot_be_made_is_told(desk):
    found, code = desk.doctor(work_root="/proc/none")
    assert code == 1
    assert "/proc/none" in found["work_root"]["found"]


@NEEDS_LINUX
def test_a_folder_on_a_file_system_without_locks_is_told_where_they_are_needed(desk):
    python = desk.folder / "python-of-the-site"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {lockless.__file__} {sys.executable} "$@"\n')
    python.chmod(0o755)
    found, code = desk.doctor("--no-job", python=str(python))
    assert (code, found["locks"]["found"]) == (1, "none in work_root")
    assert "on a file system" in found["locks"]["fix"]
    assert "batch system" in found["not checked"]["found"]
    found, _ = desk.doctor("--no-job", system="slurm", python=str(python))
    assert found["locks"]["state"] == "note"


def test_a_folder_that_no_job_script_can_name_is_told_without_a_job(desk, monkeypatch):
    monkeypatch.setenv("HOME", str(desk.folder / 'my "home"'))
    found, code = desk.doctor("--no-job", system="slurm", work_root="~/scratch")
    assert code == 1
    assert 'cannot be written in a job script of slurm: "' in found["work_root"]["found"]
    assert "choose another folder in [executors.c]: work_root" in found["work_root"]["fix"]
    found, code = desk.doctor("--no-job", system="slurm", work_root='/scratch/"me"')
    assert code == 1
    assert 'it has ": ' in found["settings"]["found"]


def test_an_unknown_executor_is_told_with_the_one_that_was_meant(desk, capsys):
    desk.doctor("--no-job")
    assert exit_code(["doctor", "d"]) == 2
    assert exit_code(["doctor", "cc"]) == 2
    assert "did you mean c?" in capsys.readouterr().err


def test_without_the_package_for_ssh_a_host_is_not_reached_and_no_run_begins(desk, monkeypatch):
    (desk.folder / "ssh_config").write_text("Host far\n    HostName 127.0.0.1\n")
    monkeypatch.setitem(sys.modules, "paramiko", None)
    found, code = desk.doctor(host="far", ssh_config=str(desk.folder / "ssh_config"))
    assert code == 1
    assert "pip install 'sciflow-hpc[ssh]'" in found["ssh"]["found"]
    (desk.folder / "work.py").write_text(
        "from sciflow import op, workflow\n\n@op\ndef one() -> int:\n    return 1\n\n"
        "@workflow\ndef flow() -> int:\n    return one()\n"
    )
    assert exit_code(["run", "work.py:flow", "--on", "c"]) == 2
    assert not Path("runs").exists()


def test_a_job_is_tried_in_a_container_of_the_executors_image(desk, podman):
    found, code = desk.examine(type="container", engine="podman", image=podman.python_image)
    assert code == 0, found
    assert f"ran in a container of {podman.python_image} (Python 3" in found["test job"]["found"]


def test_an_image_without_python_is_told_from_a_mount_that_is_not_there(desk, podman):
    found, code = desk.examine(type="container", engine="podman", image=podman.bare_image)
    assert code == 1
    assert "has the image a Python 3.9 or newer" in found["test job"]["fix"]
    found, code = desk.examine(type="container", engine="podman", image=podman.python_image, mounts=["/nowhere"])
    assert code == 1
    assert "/nowhere" in found["test job"]["found"]
    assert "`mounts`" in found["test job"]["fix"]


def test_a_pool_is_made_and_has_a_worker_run_something(desk):
    pool = {"type": "futures", "factory": "concurrent.futures:ProcessPoolExecutor", "arguments": {"max_workers": 2}}
    found, code = desk.examine(**pool)
    assert code == 0, found
    assert "2 tasks at once" in found["pool"]["found"]
    assert "Python" in found["test task"]["found"]
    assert list(Path("runs").iterdir()) == []
    found, code = desk.examine(**pool, python="/no/python")
    assert code == 1
    assert "/no/python" in found["test task"]["found"]


def test_a_pool_that_cannot_be_made_is_told(desk):
    found, code = desk.examine(type="futures", factory="no_such_module:make")
    assert code == 1
    assert "No module named 'no_such_module'" in found["pool"]["found"]


def test_a_storage_is_checked_by_a_file_there_and_back_of_which_nothing_is_left(desk, capsys):
    found, code = desk.examine(of="storages", type="directory", path="store")
    assert code == 0, found
    assert "unchanged" in found["file there and back"]["found"]
    assert [path for path in Path("store").rglob("*") if path.is_file()] == []
    exit_code(["doctor", "--json"])
    findings = {found["subject"]: found for found in json.loads(capsys.readouterr().out)}
    assert findings["storage c"]["found"] == f"directory: {desk.folder}/store; `sciflow doctor c` checks it"


def test_a_bucket_that_is_not_there_is_told(desk, s3, monkeypatch):
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    found, code = desk.examine(of="storages", type="s3", endpoint=s3.url, bucket="no-such")
    assert code == 1
    assert "there is no such bucket" in found["storage"]["found"]
    found, code = desk.examine(of="storages", type="s3", endpoint=s3.url, bucket=s3.bucket)
    assert code == 0, found


def test_without_a_job_none_is_submitted(desk):
    found, code = desk.doctor("--no-job")
    assert code == 0
    assert "test job" not in found
    assert found["not checked"]["found"].startswith("test job: whether jobs start and run")


def test_doctor_alone_lists_the_executors(desk, capsys):
    desk.doctor("--no-job")
    exit_code(["doctor", "--json"])
    findings = {found["subject"]: found for found in json.loads(capsys.readouterr().out)}
    assert findings["executor c"]["found"] == "shell on this machine; `sciflow doctor c` checks it"


@pytest.mark.usefixtures("slurm")
def test_a_cluster_is_checked_over_ssh(desk, slurm_over_ssh):
    found, code = desk.doctor(system="slurm", **over_ssh(slurm_over_ssh))
    assert code == 0, found
    for subject in ("host", "host key", "login", "python", "work_root", "free space", "limits", "test job"):
        assert found[subject]["state"] == "ok", found[subject]
    assert "unchanged" in found["file there and back"]["found"]
    assert found["batch system"]["found"].startswith("slurm 2")
    node = "1 nodes, 64 cores, 16000 MB"
    assert found["queue"]["found"] == f"urgent: up, time limit 2:00:00; {node}, gpu:test:2; {node}"


@pytest.mark.usefixtures("slurm")
def test_what_is_wrong_with_the_queue_is_told(desk, slurm_over_ssh):
    found, code = desk.doctor(system="slurm", queue="debgu", **over_ssh(slurm_over_ssh))
    assert code == 1
    assert "did you mean 'debug'?" in found["queue"]["fix"]


@pytest.mark.usefixtures("slurm")
def test_a_submission_that_is_refused_shows_the_words_of_the_batch_system(desk, slurm_over_ssh):
    found, code = desk.doctor(system="slurm", extra=["--mem=9999999G"], **over_ssh(slurm_over_ssh))
    assert code == 1
    assert "Memory specification can not be satisfied" in found["test job"]["found"]


def test_a_job_that_has_to_wait_is_cancelled_and_is_no_fault(desk, slurm, slurm_over_ssh):
    found, code = desk.doctor("--wait-s", "3", system="slurm", extra=["--hold"], **over_ssh(slurm_over_ssh))
    assert (code, found["test job"]["state"]) == (0, "note")
    assert "was cancelled; it was held (JobHeldUser)" in found["test job"]["found"]
    assert slurm.run("squeue", "--noheader").strip() == ""


def test_an_unknown_host_key_is_told_with_the_command_that_accepts_it(desk, slurm_over_ssh, tmp_path):
    config = rewritten(slurm_over_ssh, tmp_path, "UserKnownHostsFile", f"UserKnownHostsFile {tmp_path}/none")
    found, code = desk.doctor(system="slurm", **over_ssh(slurm_over_ssh, config))
    assert code == 1
    accepted = f"sciflow connect -F {config} cluster --accept-host-key {slurm_over_ssh.fingerprint}"
    assert accepted in found["host key"]["fix"]


def test_a_login_that_is_refused_is_told_with_the_command_that_logs_in(desk, slurm_over_ssh, tmp_path):
    config = rewritten(slurm_over_ssh, tmp_path, "IdentityFile", "IdentityFile /nowhere")
    found, code = desk.doctor(system="slurm", **over_ssh(slurm_over_ssh, config))
    assert code == 1
    assert f"sciflow connect -F {config} cluster" in found["login"]["fix"]


def test_a_name_that_means_no_address_is_told(desk, slurm_over_ssh, tmp_path):
    config = rewritten(slurm_over_ssh, tmp_path, "HostName", "HostName no-such-host.invalid")
    found, code = desk.doctor(system="slurm", **over_ssh(slurm_over_ssh, config))
    assert code == 1
    assert "no address for no-such-host.invalid" in found["host"]["found"]


def test_quotas_are_read_as_the_programs_write_them():
    quota = "Disk quotas for user me (uid 1000):\n     Filesystem blocks quota limit grace files quota limit grace\n"
    quota += "/dev/sda1 950000 1000000 1100000 0 10 0 0 0\n"
    lustre = "/scratch 2500000* 2000000 2200000 6d23h59m 5 100 120 -\n"
    assert [full_share(found) for found in parse(quota + lustre)] == [0.95, 1.25]
