"""The hash of passwords, with less priority than requests."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from django.contrib.auth.hashers import PBKDF2PasswordHasher

NICENESS = 10  # a tenth of the time of a busy processor, all of an idle one


def lower_priority():
    """Lower the priority of this thread; outside Linux it would be that of the whole process."""
    if sys.platform == "linux":
        os.nice(NICENESS)


class LowPriorityPBKDF2PasswordHasher(PBKDF2PasswordHasher):
    """Django's hasher, on a thread with a lower priority; the hashes are the same.

    Passwords are hashed on all threads but one of each process. Without it, a burst of log-ins
    makes every other request wait two to three times as long.
    """

    def encode(self, password, salt, iterations=None):
        # A thread for each hash: none can have its priority back, and none survives a fork.
        with ThreadPoolExecutor(1, initializer=lower_priority) as thread:
            return thread.submit(super().encode, password, salt, iterations).result()
