"""Names as Argo takes them: of workflows, templates and tasks. Pure.

A task's name stands in `depends`, an expression: a word of that language would be read as such.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

OURS = "sciflow-"  # begins the names of templates that are no workflow's
MOST = 63  # characters of a workflow's name, which is a label too
MOST_INSIDE = 120  # of one within a workflow: Argo takes 128, and a number may follow
# keywords and functions of expr-lang, which reads `depends`
WORDS = frozenset(
    """
    abs all any bitand bitnand bitnot bitor bitshl bitshr bitushr bitxor ceil concat contains count date duration
    else endsWith false filter find findIndex findLast findLastIndex first flatten float floor fromBase64 fromJSON
    fromPairs get groupBy hasPrefix hasSuffix if in indexOf int join keys last lastIndexOf len let lower map
    matches max mean median min mode nil none not now null one or and reduce repeat replace reverse round slice
    sort sortBy split splitAfter startsWith string sum take timezone toBase64 toJSON toPairs trim trimPrefix
    trimSuffix true type uniq upper values
    """.split()  # noqa: SIM905  to be read
)


def dns_name(text: str, *, most: int = MOST) -> str:
    """A text as the name of an object in Kubernetes; what is cut off is told by a hash."""
    plain = re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-") or "x"
    return _shortened(plain, text, most=most)


def _shortened(name: str, text: str, *, most: int) -> str:
    """A name of at most so many characters for a text."""
    if len(name) <= most:
        return name
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{name[: most - 9].rstrip('-')}-{digest}"


def workflow_name(run: str) -> str:
    """The name of the Workflow of a run; of one of what is deployed see `deployed.RUN`."""
    deployed = re.fullmatch(r"(.+)-\d{8}-\d{6}-[0-9a-f]{8}", run)
    return deployed[1] if deployed else dns_name(run)


class Names:
    """Names of one kind, all different."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def free(self, text: str) -> str:
        """A name as like to a text as may be; none that begins with OURS."""
        plain = re.sub(r"[^A-Za-z0-9-]", "-", text).strip("-") or "t"
        plain = f"t-{plain}" if plain in WORDS or not plain[0].isalpha() or plain.startswith(OURS) else plain
        plain = _shortened(plain, text, most=MOST_INSIDE)
        name, number = plain, 1
        while name in self._taken:
            number += 1
            name = f"{plain}-{number}"
        self._taken.add(name)
        return name


def names(texts: Iterable[str]) -> dict[str, str]:
    """A name for each of several texts."""
    found = Names()
    return {text: found.free(text) for text in texts}
