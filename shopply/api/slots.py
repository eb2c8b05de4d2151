"""Slots for slow work (hashes, exports), so that some threads of a process stay free."""

import threading
from contextlib import contextmanager

from django.conf import settings


class Busy(Exception):
    """All slots are taken, and nothing was begun: a 503."""

    def __init__(self):
        super().__init__("The server is busy with requests like this one: try again in a second.")


def max_held_threads():
    """Return how many threads of a process one kind of work, or one caller, can hold at a time."""
    return max(1, settings.BLOCKING_THREADS - 1)


class Slots:
    """`count` slots, or `max_held_threads`. `acquire` does not wait for one: it raises Busy."""

    def __init__(self, count=None):
        self.semaphore = threading.BoundedSemaphore(count or max_held_threads())

    @contextmanager
    def acquire(self):
        if not self.semaphore.acquire(blocking=False):
            raise Busy
        try:
            yield
        finally:
            self.semaphore.release()


exporting = Slots()  # 6,500 orders of 100 items take half a minute
