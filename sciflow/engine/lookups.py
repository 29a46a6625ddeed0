"""Looks tasks up that may be known before they run, as soon as it is known by what their op's code is known."""

from __future__ import annotations

from sciflow.core.graph import OpTemplate
from sciflow.engine.activation import NodeRun
from sciflow.engine.binding import BindingError
from sciflow.engine.parts import Parts
from sciflow.executors.executor import Identified
from sciflow.executors.registry import LOCAL


class Lookups:
    """The look-ups of one engine: between the scheduler, which sets such nodes aside, and the probe."""

    def __init__(self, parts: Parts) -> None:
        self._scheduler = parts.scheduler
        self._probe = parts.probe
        self._templates = parts.spec.templates
        self._local = parts.executors[LOCAL]
        self._unidentified: dict[str, list[NodeRun]] = {}  # by template: nodes that wait for its identity

    @property
    def busy(self) -> bool:
        """Whether an op's code is being identified, or large files of known outcomes are on their way."""
        return bool(self._unidentified) or self._probe.carries

    def go_on(self) -> None:
        """Ends the tasks that are known, of all nodes that can be looked up now, and releases the others."""
        self._probe.arrived(self._scheduler, self._templates)
        while self._scheduler.probes:
            run = self._scheduler.probes.popleft()
            template = self._templates[run.node.template]
            assert isinstance(template, OpTemplate)
            if self._probe.must_ask(run, template):
                self._ask(run, template)
                continue
            try:
                self._probe.settle(self._scheduler, run, template, self._scheduler.need(run))
            except BindingError as error:
                self._scheduler.fail(run, error)

    def identified(self, said: Identified) -> None:
        """Takes by what an op's code is known; its nodes are looked up next."""
        self._probe.identify(said.template, said.identity)
        self._scheduler.probes.extend(self._unidentified.pop(said.template, ()))

    def forget(self) -> None:
        """Nobody waits for what is being asked or is on its way."""
        self._unidentified.clear()
        self._probe.forget()

    def _ask(self, run: NodeRun, template: OpTemplate) -> None:
        """Has this machine load an op's code and tell by what it is known: a job without tasks."""
        self._unidentified.setdefault(template.name, []).append(run)
        if len(self._unidentified[template.name]) == 1:
            self._local.submit(self._scheduler.empty_job(run, self._scheduler.need(run)))
