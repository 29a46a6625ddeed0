"""What keeps a pod from running, in the words of Kubernetes and Argo, and what to do about it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sciflow.executors.settings import ArgoSettings

BLOCKED = (  # reasons for which Kubernetes goes on trying to start a container, in vain
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
    "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
)  # fmt: skip
LACKING = "the base image lacks something"  # says the test pod itself

OF_ACCOUNT = ".service-account-token"  # so ends the name of the Secret from which Argo's containers have a token

# words that stand in what was said -> what is wrong; the first that fits
_SIGNS: Sequence[tuple[Sequence[str], str]] = (
    ((f'{OF_ACCOUNT}" not found',), "token"),
    (("unmounted volumes", "exec-sa-token"), "token"),
    (("CreateContainerConfigError", "secret"), "secret"),
    (("CreateContainerConfigError", "couldn't find key"), "secret"),
    (("runAsNonRoot",), "user"),
    *(((word,), "image") for word in BLOCKED[:5]),
    (("Failed to pull image",), "image"),
    (("exceeded quota",), "quota"),
    (("failed quota", "must specify"), "unsaid"),
    (("secret", "not found"), "secret"),
    (("couldn't find key",), "secret"),
    ((LACKING,), "base"),
    (("failed to find name in PATH",), "python"),
    (("serviceaccount",), "account"),
    (("workflowtaskresults",), "role"),
    (("failed to load",), "repository"),
    (("NoSuchBucket",), "repository"),
    (("no answer",), "inside"),
    (("Unschedulable", "Insufficient"), "room"),
    (("Unschedulable",), "nodes"),
)


def advice(said: str, settings: ArgoSettings, *, table: str, asked: str = "") -> str:
    """What to do about it, if that is known; `table` is that of the executor, `asked` what the pod asks for."""
    space = settings.namespace
    known: Mapping[str, str] = {
        "token": (
            f"make the Secret with the token of the account {settings.executor_account}, which Argo's containers have; "
            f"Kubernetes 1.24 and newer makes none by itself: {_making_token(settings)}"
        ),
        "secret": (
            f"make it: kubectl -n {space} create secret generic {settings.secret} "
            f"--from-literal={settings.access_key}=... --from-literal={settings.secret_key}=...; "
            f"or correct `secret`, `access_key`, `secret_key` or `secrets` in {table}"
        ),
        "user": f"the image or the cluster wants another user: `user` in {table}",
        "image": (
            f"correct `base_image` or `image` in {table}; if the registry asks for a login, make a Secret of type "
            "docker-registry and name it in `pull_secrets`"
        ),
        "base": (
            f"build images/base/Containerfile of sciflow's repository, or name such an image: `base_image` in {table}"
        ),
        "python": (
            f"{settings.image or settings.base_image} needs a Python 3.9 or newer, as `python` in {table} names it; an "
            f"image without one is for programs alone: another `image` in {table}"
        ),
        "account": f"correct `service_account` or `executor_account` in {table}, or have it made",
        "role": f"the account {settings.executor_account} needs a Role: workflowtaskresults: create, patch",
        "repository": (
            f"Argo looks for files elsewhere than we put them: [storages.{settings.storage}] must be the bucket of its "
            "artifact repository"
        ),
        "quota": f"it goes on when the quota of namespace {space} has room again; ask for less, or for a larger quota",
        "unsaid": (
            f"a quota of namespace {space} wants each container to say what it asks for, Argo's and ours too: have a "
            "LimitRange with `defaultRequest` and `default` made there"
        ),
        "room": (
            f"it goes on when a node has room for {asked or 'the pod'} and a part for Argo's own containers. If none "
            "ever has, ask for less, `cpus` and `memory_mb` of the op: the cluster itself takes a part of each node; "
            "`kubectl describe nodes` says under Allocatable what is left"
        ),
        "nodes": f"no node takes such a pod now: `node_selector` and `tolerations` in {table} say which ones may",
        "inside": f"do pods reach the bucket by that address? If by another one: `endpoint_inside` in {table}",
    }
    lower = said.lower()
    for words, which in _SIGNS:
        if all(word.lower() in lower for word in words):
            return known[which]
    return ""


def _making_token(settings: ArgoSettings) -> str:
    account = settings.executor_account
    wanted = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {
            "name": f"{account}{OF_ACCOUNT}",
            "annotations": {"kubernetes.io/service-account.name": account},
        },
    }
    return f"echo '{json.dumps(wanted)}' | kubectl -n {settings.namespace} apply -f -"
