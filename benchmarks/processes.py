"""Statistics of processes, from Linux's /proc."""

import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def read_stats():
    """Return `{pid: (parent, ticks of the process and of its children that ended)}`."""
    processes = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # the process has ended
                continue
            processes[int(entry.name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    return processes


def cpu_of_tree(root):
    """Return the processor seconds of a process and all its descendants, including ended ones."""
    processes = read_stats()
    children = {}
    for pid, (parent, _) in processes.items():
        children.setdefault(parent, []).append(pid)
    ticks, pending = 0, [root]
    while pending:
        pid = pending.pop()
        ticks += processes[pid][1] if pid in processes else 0
        pending += children.get(pid, [])
    return ticks / TICK


def parent_pid(pid):
    return read_stats()[pid][0]
