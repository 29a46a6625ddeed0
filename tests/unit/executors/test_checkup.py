"""`sciflow doctor NAME`: from the settings to a job that ran, each line with what is wrong and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sciflow.cli.main import exit_code
from sciflow.executors.checkup.quotas import full_share, parse


class Desk:
    """A folder with settings for an executor `c`."""

    def __init__(self, folder, capsys):
        self.folder = folder
        self.scratch = folder / "scratch"
        self._capsys = capsys

    def doctor(self, *args, system="shell", **settings):
        """The findings by subject, and the exit code."""
        table = {"type": "batch", "system": system, "work_root": str(self.scratch), **settings}
        lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
        (self.folder / "sciflow.toml").write_text("[executors.c]\n" + "\n".join(lines) + "\n")
        code = exit_code(["doctor", "c", "--json", *args])
        return {found["subject"]: found for found in json.loads(self._capsys.readouterr().out)}, code


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


def test_an_unknown_executor_is_told_with_the_one_that_was_meant(desk, capsys):
    desk.doctor("--no-job")
    assert exit_code(["doctor", "d"]) == 2
    assert exit_code(["doctor", "cc"]) == 2
    assert "did you mean c?" in capsys.readouterr().err


def test_without_a_job_none_is_submitted(desk):
    found, code = desk.doctor("--no-job")
    assert code == 0
    assert "test job" not in found


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
