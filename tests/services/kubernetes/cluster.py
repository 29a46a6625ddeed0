"""The parts of the cluster: control plane, node and Argo, all on loopback and each started in the foreground.

They listen on an address that no other service takes, so that their ports may be the usual ones. It is also the first
of the range of services, which is where pods look for the API server: they find it in the host's network without
kube-proxy and iptables.
"""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path

from tests.services.images import driver_that_works
from tests.services.kubernetes import images, programs
from tests.services.kubernetes.parts import (
    PATIENCE_S,
    answers,
    ctr,
    end_containers,
    is_so,
    kubeconfig,
    kubectl,
    listens,
    start_part,
    until,
)
from tests.services.processes import Processes, ServiceFailed
from tests.services.s3 import S3Server

ADDRESS = "127.0.100.1"
NAMESPACE = "argo"
ARGO_PORT = 2746  # of 127.0.0.1, as is the next: so they are built
CONTROLLER_PORT = 6060
_SERVICES = "127.0.100.0/24"
_ETCD = f"http://{ADDRESS}:2379"
_ETCD_PEERS = f"http://{ADDRESS}:2380"
_TAKEN = ((ADDRESS, 443), (ADDRESS, 2379), (ADDRESS, 10250), ("127.0.0.1", ARGO_PORT), ("127.0.0.1", CONTROLLER_PORT))
_USERS = {
    "admin": "admin,admin,system:masters",
    "kubelet": f"system:node:{ADDRESS},kubelet,system:nodes",
    "controller-manager": "system:kube-controller-manager,controller-manager,system:masters",
    "scheduler": "system:kube-scheduler,scheduler,",
}
_SETTINGS_OF_KERNEL = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops")
_SETTINGS_OF_KEYS = ("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes")
_HERE = Path(__file__).parent
_KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: test, cluster: {{server: "https://{address}:443", certificate-authority: {folder}/keys/ca.crt}}}}]
users: [{{name: test, user: {{token: {token}}}}}]
contexts: [{{name: test, context: {{cluster: test, user: test, namespace: {namespace}}}}}]
current-context: test
"""


def start(folder: Path, s3: S3Server) -> str:
    """All parts; the token of the user that calls Argo.

    Raises:
        ServiceFailed: a part does not answer, or another cluster runs on this machine.
    """
    if taken := [f"{address}:{port}" for address, port in _TAKEN if listens(address, port)]:
        raise ServiceFailed(f"another cluster runs on this machine, or something else that takes {', '.join(taken)}")
    _note_settings(folder)
    _make_keys(folder)
    _start_control_plane(folder)
    _start_runtime(folder)
    until(folder, "kube-apiserver", lambda: kubectl(folder, "get", "--raw", "/readyz"))
    _start_node(folder)
    _apply(folder, s3)
    _start_argo(folder)
    until(folder, "kubelet", lambda: is_so(folder, "Ready", f"node/{ADDRESS}"))
    accounts = ("serviceaccount/default", "serviceaccount/user", "configmap/kube-root-ca.crt")
    until(folder, "kube-controller-manager", lambda: kubectl(folder, "get", *accounts))
    token = ("get", "secret/default.service-account-token", "--output=jsonpath={.data.token}")
    until(folder, "kube-controller-manager", lambda: kubectl(folder, *token))
    return kubectl(folder, "create", "token", "user", "--duration=24h").strip()


def stop(folder: Path) -> None:
    """Ends pods and parts, and takes away what they made outside of the folder.

    Raises:
        ServiceFailed: something is left, so that the folder must not be removed either.
    """
    processes = Processes(folder)
    known = processes.names()
    processes.end(*(name for name in reversed(known) if name not in {"containerd", "kube-apiserver", "etcd"}))
    if "containerd" in processes.alive():
        end_containers(folder)
    processes.end()
    processes.end_descendants()
    if known:
        subprocess.run([str(_HERE / "clean.sh"), str(folder)], check=False, stdin=subprocess.DEVNULL)
    if left := _left(folder):
        raise ServiceFailed(f"the cluster in {folder} has ended, but there is still {', '.join(left)}")


def _left(folder: Path) -> list[str]:
    """Whatever of it is still on the machine besides its folder."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text("utf-8").splitlines()]
    groups = Path("/sys/fs/cgroup")
    return [
        *(f"process {identity.pid}" for identity in Processes(folder).marked()),
        *(f"mount {mount}" for mount in mounts if mount.startswith(f"{folder}/")),
        *(f"cgroup {group}" for group in (*groups.glob("kubepods"), *groups.glob("*/kubepods"))),
    ]


def _note_settings(folder: Path) -> None:
    """What kubelet sets in the kernel, to be put back at the end."""
    paths = {name: Path("/proc/sys") / name for name in (*_SETTINGS_OF_KERNEL, *_SETTINGS_OF_KEYS)}
    lines = [f"{name} {path.read_text('utf-8').strip()}\n" for name, path in paths.items() if path.exists()]
    (folder / "sysctl").write_text("".join(lines), "utf-8")


def _make_keys(folder: Path) -> None:
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    done = subprocess.run([str(_HERE / "keys.sh"), ADDRESS], cwd=keys, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServiceFailed(f"no keys: {done.stderr[-2000:]}")
    tokens = {user: secrets.token_hex(16) for user in _USERS}
    (keys / "tokens.csv").write_text("".join(f"{tokens[user]},{line}\n" for user, line in _USERS.items()), "utf-8")
    for user, token in tokens.items():
        text = _KUBECONFIG.format(address=ADDRESS, folder=folder, token=token, namespace=NAMESPACE)
        (keys / f"{user}.kubeconfig").write_text(text, "utf-8")


def _start_control_plane(folder: Path) -> None:
    peers = [f"--listen-peer-urls={_ETCD_PEERS}", f"--initial-advertise-peer-urls={_ETCD_PEERS}"]
    peers += [f"--initial-cluster=test={_ETCD_PEERS}"]
    clients = [
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        f"--initial-cluster=test={_ETCD_PEERS}",
    ]
    data = ["--name=test", f"--data-dir={folder}/etcd", "--unsafe-no-fsync", "--log-level=warn"]
    start_part(folder, "etcd", *data, *clients, *peers)
    # What is advertised may not be a loopback address: this one is kept for documentation, and with "none" not used.
    where = [f"--bind-address={ADDRESS}", "--secure-port=443", "--advertise-address=203.0.113.1"]
    where += ["--endpoint-reconciler-type=none", f"--service-cluster-ip-range={_SERVICES}", f"--etcd-servers={_ETCD}"]
    tls = ["--tls-cert-file=keys/api.crt", "--tls-private-key-file=keys/api.key", "--client-ca-file=keys/ca.crt"]
    tls += ["--kubelet-client-certificate=keys/api-to-kubelet.crt", "--kubelet-client-key=keys/api-to-kubelet.key"]
    tls += ["--kubelet-certificate-authority=keys/ca.crt"]
    who = ["--token-auth-file=keys/tokens.csv", "--authorization-mode=Node,RBAC", "--allow-privileged=true"]
    who += ["--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=keys/accounts.key"]
    who += ["--service-account-signing-key-file=keys/accounts.key"]
    policies = ["--feature-gates=MutatingAdmissionPolicy=true"]
    policies += ["--runtime-config=admissionregistration.k8s.io/v1alpha1=true"]
    start_part(folder, "kube-apiserver", *where, *tls, *who, *policies, "--enable-priority-and-fairness=false")


def _start_runtime(folder: Path) -> None:
    """containerd with our images; they are imported while the API server makes itself ready."""
    cni = folder / "containerd" / "cni"
    cni.mkdir(parents=True)
    # Without any network the node is not ready. No pod uses it: all are in the host's.
    loopback = '{"cniVersion": "0.4.0", "name": "loopback", "plugins": [{"type": "loopback"}]}'
    (cni / "10-loopback.conflist").write_text(loopback, "utf-8")
    snapshotter = {"overlay": "overlayfs"}.get(driver_that_works(folder), "native")
    settings = _filled(folder, "containerd.toml", pause=images.PAUSE, snapshotter=snapshotter)
    argv = ["containerd", "--config", str(settings), "--log-level", "warn"]
    Processes(folder).start(
        "containerd", argv, ready=lambda: ctr(folder, "version").returncode == 0, patience_s=PATIENCE_S
    )
    for archive in images.archives():
        if (done := ctr(folder, "images", "import", str(archive))).returncode:
            raise ServiceFailed(f"{archive} cannot be imported: {done.stderr}")


def _start_node(folder: Path) -> None:
    """Who makes accounts and secrets, who chooses the node, and the node."""
    for name in ("controller-manager", "scheduler"):
        config = kubeconfig(folder, name)
        files = [f"--{what}kubeconfig={config}" for what in ("", "authentication-", "authorization-")]
        quick = ["--leader-elect=false", "--kube-api-qps=100", "--kube-api-burst=200"]
        roots = ["--root-ca-file=keys/ca.crt", "--service-account-private-key-file=keys/accounts.key"]
        more = roots if name == "controller-manager" else []
        start_part(folder, f"kube-{name}", *files, f"--bind-address={ADDRESS}", *quick, *more)
    for name in ("kubelet/plugins-exec", "pods"):
        (folder / name).mkdir(parents=True)
    (folder / "kubelet/resolv.conf").write_text("options timeout:1 attempts:1\nnameserver 127.0.0.1\n", "utf-8")
    where = [f"--root-dir={folder}/kubelet", f"--cert-dir={folder}/keys", f"--hostname-override={ADDRESS}"]
    settings = _filled(folder, "kubelet.yaml", address=ADDRESS)
    start_part(folder, "kubelet", f"--config={settings}", f"--kubeconfig={kubeconfig(folder, 'kubelet')}", *where)


def _apply(folder: Path, s3: S3Server) -> None:
    """Argo's types, rights and settings, and the policy that puts pods into the host's network."""
    settings = _filled(
        folder,
        "argo.yaml",
        namespace=NAMESPACE,
        s3_endpoint=s3.endpoint,
        s3_bucket=s3.bucket,
        s3_access_key=s3.access_key,
        s3_secret_key=s3.secret_key,
        base=images.BASE,
        ase=images.ASE,
    )
    types = str(programs.folder() / "crds")
    policy = str(_HERE / "hostnetwork.yaml")
    until(folder, "kube-apiserver", lambda: kubectl(folder, "create", "namespace", NAMESPACE))
    until(folder, "kube-apiserver", lambda: kubectl(folder, "apply", "--server-side", "-f", policy, "-f", types))
    until(folder, "kube-apiserver", lambda: kubectl(folder, "apply", "-f", str(settings)))
    known = ("crd/workflows.argoproj.io", "crd/workflowtaskresults.argoproj.io")
    until(folder, "kube-apiserver", lambda: is_so(folder, "Established", *known))


def _start_argo(folder: Path) -> None:
    # Without the first of these the controller looks at a workflow again only 10 s after a pod of it has ended.
    env = {"DEFAULT_REQUEUE_TIME": "500ms", "CRON_SYNC_PERIOD": "1s", "LEADER_ELECTION_DISABLE": "true"}
    # What pods say of their progress is passed on once a minute without these.
    env |= {"ARGO_PROGRESS_PATCH_TICK_DURATION": "2s", "ARGO_PROGRESS_FILE_TICK_DURATION": "1s"}
    env["KUBECONFIG"] = str(kubeconfig(folder))
    where = ["--namespaced", f"--managed-namespace={NAMESPACE}", f"--namespace={NAMESPACE}"]
    executor = ["--executor-image", images.EXECUTOR, "--executor-image-pull-policy=Never"]
    start_part(folder, "workflow-controller", *where, *executor, "--qps=200", "--burst=400", env=env)
    modes = ["--secure=false", "--auth-mode=client", "--auth-mode=server", f"--port={ARGO_PORT}"]
    speed = ["--kube-api-qps=200", "--kube-api-burst=400"]
    start_part(folder, "argo-server", "server", *where, *modes, *speed, env=env, program="argo")
    until(folder, "argo-server", lambda: answers(ARGO_PORT, "/api/v1/info"))
    until(folder, "workflow-controller", lambda: answers(CONTROLLER_PORT, "/healthz"))


def _filled(folder: Path, name: str, **values: str) -> Path:
    """A copy, in the folder, of one of the files beside this one, with values in the places of @NAMES@."""
    text = (_HERE / name).read_text("utf-8")
    for key, value in {"folder": str(folder), **values}.items():
        text = text.replace(f"@{key.upper()}@", value)
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")
    return path
