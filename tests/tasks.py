"""Tasks of tests, which workers import."""

import os
import time

from django_tasks import task

from shopply.api.tasks import retried_task


def write_line(path, text):
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{text}\n")


@task
def work(path, name, seconds=0):
    """Write a line when the task begins, with the process, and one when it has done its work."""
    write_line(path, f"begin {name} {os.getpid()}")
    time.sleep(seconds)
    write_line(path, f"end {name} {os.getpid()}")


@retried_task
def fail(address):
    raise RuntimeError(f"{address} does not exist.")
