"""The files that the Slurm of the tests is configured by."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

PARTITIONS = ("debug", "short", "spare", "urgent")

_NO_ACCOUNTING = "AccountingStorageType=accounting_storage/none\nJobAcctGatherType=jobacct_gather/none"

_CONFIGURATION = """\
ClusterName=sciflow
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A job that is queued again waits as long as its last credential is good: 2 minutes if nothing is said.
AuthInfo=socket={folder}/run/munge.sock,cred_expire=10
# Only 127.0.0.1 is listened on.
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmctldLogFile=/dev/null
SlurmdLogFile={folder}/log/steps-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
# A node has what is written here, not what the machine has.
SlurmdParameters=config_overrides
DefMemPerCPU=100
GresTypes=gpu
MaxJobCount=20000
MaxArraySize=5001
MinJobAge=300
# A job that must end gets SIGTERM, and SIGKILL so many seconds later.
KillWait=2
OverTimeLimit=0
ReturnToService=1
SlurmdTimeout=300
SchedulerParameters=sched_min_interval=0,default_queue_depth=1000,batch_sched_delay=0,sched_interval=2,bf_interval=2
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/log/jobcomp.txt
{accounting}
{nodes}
PartitionName=debug Nodes=ALL Default=YES MaxTime=02:00:00 PriorityTier=10 PreemptMode=OFF State=UP
PartitionName=short Nodes=ALL MaxTime=00:05:00 PriorityTier=10 PreemptMode=OFF State=UP
PartitionName=spare Nodes=ALL MaxTime=02:00:00 PriorityTier=1 PreemptMode=REQUEUE State=UP
PartitionName=urgent Nodes=ALL MaxTime=02:00:00 PriorityTier=20 PreemptMode=OFF State=UP
"""


def configuration(
    folder: Path, ports: Sequence[int], nodes: Sequence[str], cpus: int, accounting: str = _NO_ACCOUNTING
) -> str:
    """The first port is the controller's, the others are the nodes'."""
    lines = [
        f"NodeName={node} NodeHostname={platform.node()} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory=16000"
        f" Feature={'fast' if number == 0 else 'slow'} Gres=gpu:test:{2 if number == 0 else 0} State=UNKNOWN"
        for number, (node, port) in enumerate(zip(nodes, ports[1:], strict=True))
    ]
    return _CONFIGURATION.format(
        folder=folder, port=ports[0], host=platform.node(), nodes="\n".join(lines), accounting=accounting.rstrip()
    )


def gres(nodes: Sequence[str]) -> str:
    """Two devices that any machine has, said to be processors."""
    return f"NodeName={nodes[0]} Name=gpu Type=test File=/dev/null,/dev/zero\n"
