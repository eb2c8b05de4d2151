"""What Linux tells of processes."""

import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def stats():
    """`{process: (its parent, ticks of it and of its children that ended)}`"""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it ended meanwhile
                continue
            found[int(entry.name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    return found


def cpu_of_tree(root):
    """Seconds of processor time of a process and of all that descend from it, ended ones too."""
    found = stats()
    children = {}
    for pid, (parent, _) in found.items():
        children.setdefault(parent, []).append(pid)
    ticks, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        ticks += found[pid][1] if pid in found else 0
        waiting += children.get(pid, [])
    return ticks / TICK


def parent_of(pid):
    return stats()[pid][0]
