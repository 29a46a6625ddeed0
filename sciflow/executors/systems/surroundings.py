"""A submission's environment: what a job may know of the shell that submitted it.

Slurm and LSF give a job all variables of the program that submits. That is another set for each way of submitting:
a login shell, a connection, an engine with its user's tokens in it, a job that itself submits (whose SLURM_* contradict
those of the new one). So those programs are started with these only:

- who and where: HOME, USER, LOGNAME, SHELL, PATH, LANG, LC_*, TZ, TMPDIR;
- what makes `module load` work in a script: BASH_ENV, MODULEPATH, MODULESHOME, MODULES_*, LMOD_*, LD_LIBRARY_PATH;
- where the batch system is: what the system names;
- values of secrets that the job's ops are to have, under the names by which they travel.

Whatever else a job needs is said in the prologue, and is then there however it was submitted.
"""

from __future__ import annotations

_KEPT = (
    "HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "LC_*", "TZ", "TMPDIR", "BASH_ENV", "MODULEPATH",
    "MODULESHOME", "MODULES_*", "LMOD_*", "LD_LIBRARY_PATH", "SHELLOPTS", "BASHOPTS",
    "SCIFLOW_SECRET_*",
)  # fmt: skip


def bare(argv: tuple[str, ...], *, kept: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The program started with the variables above and those that fit `kept` (shell patterns of names)."""
    patterns = "|".join((*_KEPT, *kept))
    names = "env | sed -n 's/^\\([A-Za-z_][A-Za-z0-9_]*\\)=.*/\\1/p'"
    drop = f'for name in $({names}); do case $name in {patterns}) ;; *) unset "$name" ;; esac; done 2>/dev/null'
    return ("/bin/sh", "-c", f'{drop}; exec "$@"', "sh", *argv)
