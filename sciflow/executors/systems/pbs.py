"""PBS, in two dialects: OpenPBS and PBS Professional (`pro`), and Torque (`torque`).

What is not obvious of it:

- An array of one element is refused by PBS Pro, so that one element is an ordinary job.
- Names are cut (Torque: 15 characters), so the submission's name travels as the variable SCIFLOW_BATCH, which
  `qstat -f` shows. But for secrets nothing else is exported: without -V a job begins with a bare environment, and so
  it shall. `qstat -f` shows the values of secrets too, to their owner: they are cut off before anybody keeps them.
- Standard output reaches its place when the job has ended, if at all. The script writes `out/<element>` itself, and
  what PBS adds of its own lies beside it.
- `qstat -F json` of several versions is no JSON where a variable holds quotes, and leaves out jobs (OpenPBS 2672), so
  the text is read: one short line for each element, and the full text of whole jobs for their names.
- Jobs that have ended are shown for a while by `qstat -x` (PBS Pro, where history is on) or by `qstat` (Torque).
- Ids are those of the default server: `1234[]` and `1234`, without its name, which `qstat` cuts off anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import msgspec

from sciflow.core.graph import Resources
from sciflow.errors import ConfigError
from sciflow.executors.systems import answers, directives, durations, pbs_listing, ranges
from sciflow.executors.systems.script import script
from sciflow.executors.systems.system import Command, JobState, Part, State, Submission, SystemLimits
from sciflow.executors.transports.transport import Output

_GONE = r"Unknown Job Id|Job has finished|Request invalid for (state|finished)|invalid state|MSG=.*invalid state|^\s*$"
_BUSY = (
    r"cannot connect to server|Connection refused|Connection timed out|Communication failure|pbs_iff|"
    r"Premature end of message|End of File|Expired credential|Server shutting down|server is too busy|try again"
)
_FULL = (
    r"would exceed|Maximum number of jobs already in queue|MaxJobs|Max(imum)? number of (user )?jobs|"
    r"exceeds? the (maximum )?(number|limit) of (queued )?jobs|job limit|max_queued|max_user_queuable"
)
# `qstat -u` is one line for an element; the full text of whole jobs only for what these lines lack.
_ATTRIBUTES = "Job_Name|job_state|[Ee]xit_status|comment|(Resource_List|resources_used)[.](mem|walltime)"
# Long values go on in lines that begin with a tab, broken anywhere: put together before lines are chosen.
_KEPT = (
    r"sed -e ':a' -e '$!N' -e 's/\n\t//' -e 'ta' -e 'P' -e 'D' "
    f"| {{ grep -E '^Job Id:|^    ({_ATTRIBUTES}) =|SCIFLOW_BATCH=' || true; }} "
    r"| sed -e 's/^.*\(SCIFLOW_BATCH=[^,]*\).*$/    \1/'"
)
_QUEUE = (
    'found=$(qstat -t -u "$(id -un)") || exit; printf "%s\\n" "$found"; '
    "jobs=$(printf '%s\\n' \"$found\" | sed -n 's/^ *\\([0-9][0-9]*\\(\\[\\]\\)\\{0,1\\}\\)[. ].*/\\1/p;"
    "s/^ *\\([0-9][0-9]*\\)\\[[0-9]*\\].*/\\1[]/p' | sort -u); "
    f'[ -z "$jobs" ] || qstat -f $jobs 2> /dev/null | {_KEPT}'
)
_ACCOUNTING = f'found=$(qstat $1 -f -t $2); code=$?; printf "%s\\n" "$found" | {_KEPT}; exit $code'
THROTTLING = 20  # the version of OpenPBS, and the beginning of those of PBS Professional, from which -J takes %N
_LIMITS = 'qstat -B -f && qstat -Q -f && qstat --version 2>&1 | sed "s/^/version: /"'


class PBS(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One server, the default one of the host's programs."""

    dialect: Literal["pro", "torque"] = "pro"
    account_option: Literal["-A", "-P"] = "-A"  # where a site keeps its projects
    gpu_type: str = "gpu_type"  # resource of a chunk by which the site tells kinds of GPU apart
    name: str = "pbs"
    unwritable: ClassVar[str] = " \"'\\:,^$%"  # in a path

    def script(self, submission: Submission) -> str:
        variable = "PBS_ARRAY_INDEX" if self.dialect == "pro" else "PBS_ARRAYID"
        return script(
            self._directives(directives.checked(submission)),
            submission,
            mark="#PBS",
            element=f"${{{variable}:-0}}",
            captured=True,
        )

    def _directives(self, submission: Submission) -> Iterator[str]:
        folder = directives.path(submission.folder, unwritable=self.unwritable)
        site = submission.site
        yield f"-N {submission.name[:15]}"
        if submission.elements > 1:
            throttle = f"%{submission.throttle}" if submission.throttle else ""
            yield f"{'-J' if self.dialect == 'pro' else '-t'} 0-{submission.elements - 1}{throttle}"
        variables = (f"SCIFLOW_BATCH={directives.word(submission.name, 'name')}", *submission.secrets)
        yield f"-v {','.join(variables)}"
        yield "-S /bin/bash"
        yield "-j oe"
        yield f"-o {folder}/out/"
        yield "-m n"
        yield from self._chunks(submission) if self.dialect == "pro" else self._nodes(submission)
        if submission.walltime_s is not None:
            yield f"-l walltime={durations.clock(submission.walltime_s)}"
        options = (("-q", "queue", site.queue), (self.account_option, "account", site.account))
        yield from (f"{option} {directives.word(value, what, also='@')}" for option, what, value in options if value)
        yield from site.extra

    def _chunks(self, submission: Submission) -> Iterator[str]:
        """PBS Pro: so many chunks of so many cores; a rest of ranks makes smaller ones."""
        wanted, site = submission.resources, submission.site
        if site.qos:
            raise ConfigError("qos: PBS Pro has none; sites have queues, or a directive that `extra` can hold")
        few, rest = divmod(wanted.ranks, wanted.nodes)
        rows = [(rest, few + 1), (wanted.nodes - rest, few)]
        chunks = "+".join(self._chunk(wanted, site.constraint, count, ranks) for count, ranks in rows if count)
        yield f"-l select={chunks}"
        places = [word for word, true in (("scatter", wanted.nodes > 1), ("excl", site.exclusive)) if true]
        if places:
            yield f"-l place={':'.join(places)}"

    def _chunk(self, wanted: Resources, constraint: str, count: int, ranks: int) -> str:
        parts = [f"{count}:ncpus={ranks * wanted.cpus}:mpiprocs={ranks}:ompthreads={wanted.cpus}"]
        if wanted.memory_mb:
            parts.append(f"mem={wanted.memory_mb * ranks}mb")
        if wanted.gpus:
            parts.append(f"ngpus={directives.gpus_of_node(wanted)}")
            parts += [f"{self.gpu_type}={directives.word(wanted.gpu_type, 'gpu_type')}"] if wanted.gpu_type else []
        parts += [directives.word(constraint, "constraint")] if constraint else []
        return ":".join(parts)

    def _nodes(self, submission: Submission) -> Iterator[str]:
        """Torque: nodes with so many cores each, the memory of all together."""
        wanted, site = submission.resources, submission.site
        parts = [f"{wanted.nodes}:ppn={directives.per_node(wanted) * wanted.cpus}"]
        parts += [f"gpus={directives.gpus_of_node(wanted)}"] if wanted.gpus else []
        parts += [
            directives.word(value, "gpu_type or constraint") for value in (wanted.gpu_type, site.constraint) if value
        ]
        yield f"-l nodes={':'.join(parts)}"
        if wanted.memory_mb:
            yield f"-l mem={wanted.memory_mb * wanted.ranks}mb"
        if site.exclusive:
            yield "-l naccesspolicy=singlejob"
        if site.qos:
            yield f"-l qos={directives.word(site.qos, 'qos')}"

    def submit(self, script: str) -> Command[str]:
        return Command(("qsub", script), _submitted)

    def queue(self) -> Command[Sequence[JobState]]:
        return Command(("sh", "-c", _QUEUE), _queued)

    def accounting(self, jobs: Sequence[str]) -> Command[Sequence[JobState]]:
        history = "-x" if self.dialect == "pro" else ""
        return Command(("sh", "-c", _ACCOUNTING, "sh", history, " ".join(jobs)), self._accounted)

    def _accounted(self, output: Output) -> Sequence[JobState]:
        answers.need(output, "qstat", harmless=_GONE)
        found = (
            pbs_listing.record(identity, facts, pbs_listing.KILLED[self.dialect])
            for identity, facts in pbs_listing.jobs(answers.text(output))
        )
        return [state for state in found if state is not None]

    def cancel(self, jobs: Sequence[str | Part]) -> Command[None]:
        wanted = [text for job in jobs for text in ([job] if isinstance(job, str) else self._part(job))]
        return Command(("qdel", *wanted), _cancelled)

    def _part(self, part: Part) -> Iterator[str]:
        number, array, _ = part.job.partition("[")
        if not array:
            yield part.job
        elif self.dialect == "pro":
            yield from (f"{number}[{a}]" if a == b else f"{number}[{a}-{b}]" for a, b in ranges.runs(part.elements))
        else:
            yield from (f"{number}[{element}]" for element in part.elements)

    def limits(self) -> Command[SystemLimits]:
        return Command(("sh", "-c", _LIMITS), self._limited)

    def _limited(self, output: Output) -> SystemLimits:
        told = _limited(output)
        year = re.match(r"\d+", told.version)
        old = self.dialect == "pro" and year is not None and int(year[0]) < THROTTLING
        return msgspec.structs.replace(told, throttles=not old)


def _submitted(output: Output) -> str:
    answers.refuse(output, "qsub", busy=_BUSY, full=_FULL)
    return answers.identity(output, "qsub", r"^(\d+(?:\[\])?)(?:\.\S+)?\s*$")


def _queued(output: Output) -> Sequence[JobState]:
    answers.need(output, "qstat", harmless=_GONE)
    brief, _, full = answers.text(output).partition("Job Id:")
    names = (
        {pbs_listing.identity(text)[0]: pbs_listing.name(facts) for text, facts in pbs_listing.jobs(f"Job Id:{full}")}
        if full
        else {}
    )
    rows = [row for line in brief.splitlines() for row in pbs_listing.row(line)]
    spread = {job for job, element, _ in rows if element is not None}
    return [
        JobState(
            job=job,
            element=element,
            name=names.get(job, ""),
            state=pbs_listing.IN_QUEUE.get(state, State.RUNNING),
            reason=state,
        )
        for job, element, state in rows
        if state not in pbs_listing.OVER and (element is not None or job not in spread)
    ]


def _cancelled(output: Output) -> None:
    answers.need(output, "qdel", harmless=_GONE)


def _limited(output: Output) -> SystemLimits:
    answers.need(output, "qstat", harmless=r"version")
    said = answers.text(output)
    version = re.search(r"pbs_version = (\S+)", said)
    array = re.search(r"max_(?:job_)?array_size = (\d+)", said)
    queues = {}
    for block in re.split(r"^Queue:", said, flags=re.MULTILINE)[1:]:
        first, _, rest = block.partition("\n")
        facts = re.findall(
            r"^\s+(resources_max\.\S+|enabled|started|max_run\S*|max_queued\S*) = (.*)$", rest, re.MULTILINE
        )
        queues[first.strip()] = ", ".join(f"{key} {value}" for key, value in facts)
    return SystemLimits(
        version=version.group(1) if version else "", elements=int(array.group(1)) if array else None, queues=queues
    )
