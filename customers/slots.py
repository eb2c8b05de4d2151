"""Work that only some threads of a process may do at once, so that the others stay free."""

import threading
from contextlib import contextmanager

from django.conf import settings


class Busy(Exception):
    """As many threads as may do this are doing it, and nothing was begun: a 503."""

    def __init__(self):
        super().__init__("The server is busy with requests like this one: try again in a second.")


def max_held_threads():
    """How many threads of the process may be held by one kind of work, or by one caller."""
    return max(1, settings.BLOCKING_THREADS - 1)


class Slots:
    """As many as `max_held_threads`. Who gets none does not wait: raises Busy."""

    def __init__(self):
        self.semaphore = threading.BoundedSemaphore(max_held_threads())

    @contextmanager
    def take(self):
        if not self.semaphore.acquire(blocking=False):
            raise Busy
        try:
            yield
        finally:
            self.semaphore.release()
