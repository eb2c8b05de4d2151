"""The queue of tasks: nothing is lost, whatever happens to workers and database."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from django_tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult, get_date_max

from customers.tasks import mail_password_links
from customers.tokens import KEPT_EXPIRED, AccessToken
from orders.models import Order
from shopply import periodic_jobs, task_queue
from shopply.api.tasks import FIRST_DELAY, MAX_ATTEMPTS
from tests import factories
from tests.servers import PRODUCTION, database_url
from tests.tasks import fail, work

KILLS = 20
READY, RUNNING, FAILED = (
    TaskResultStatus.READY,
    TaskResultStatus.RUNNING,
    TaskResultStatus.FAILED,
)
OPTIONS = ("--no-startup-delay", "--interval=0.1")
WORKER = ("manage.py", "db_worker", *OPTIONS)
# Forks a worker for each line that it reads, and prints its process: starting Python takes seconds.
# With `unguarded`, nothing requeues the tasks of killed workers.
FORKS = """
import os, signal, sys, django
from django.core.management import call_command
django.setup()
from shopply import periodic_jobs
if "unguarded" in sys.argv:
    periodic_jobs.JOBS.clear()
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in sys.stdin:
    if pid := os.fork():
        print(pid, flush=True)
    else:
        call_command("db_worker", startup_delay=False, interval=0.1, verbosity=0)
"""


@contextmanager
def workers(command=WORKER, **options):
    """Yield a function that starts a worker; those that are left are killed."""
    started = []
    environment = os.environ | PRODUCTION | {"DATABASE_URL": database_url(), "TASK_TIMEOUT": "1"}
    environment |= options.pop("environment", {})

    def start():
        process = subprocess.Popen(
            [sys.executable, *command], cwd=settings.BASE_DIR, env=environment, **options
        )
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in started:
            with process:
                process.kill()


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.01)
    return result


def run_due_tasks():
    call_command("db_worker", batch=True, startup_delay=False, interval=0, verbosity=0)


@pytest.fixture
def lines(tmp_path):
    """A file that tasks write to, and a function that reads it: the words of each line."""
    path = tmp_path / "lines"
    path.touch()
    return str(path), lambda: [line.split() for line in path.read_text().splitlines()]


@contextmanager
def forks(*arguments):
    """Yield a function that starts a worker and returns its process id."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {"DJANGO_SETTINGS_MODULE": "shopply.settings"}
    pids = []
    with workers(("-c", FORKS, *arguments), environment=environment, **pipes) as start:
        parent = start()

        def fork():
            print(file=parent.stdin, flush=True)
            pids.append(int(parent.stdout.readline()))
            return pids[-1]

        yield fork
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def kill_workers(fork, read_lines, kills):
    """Kill each worker in the middle of a task."""
    for _ in range(kills):
        pid = fork()
        wait_for(lambda pid=pid: any(line[2] == str(pid) for line in read_lines()))
        os.kill(pid, signal.SIGKILL)


def find_unfinished(read_lines, count):
    done = {name for word, name, _ in read_lines() if word == "end"}
    return {str(number) for number in range(count)} - done


def test_task_of_a_killed_worker_runs_again(transactional_db, lines):
    path, read_lines = lines
    count = 2 * KILLS
    for number in range(count):
        work.enqueue(path, number, seconds=0.1)
    with forks() as fork:
        kill_workers(fork, read_lines, KILLS)
        time.sleep(1)  # TASK_TIMEOUT
        fork()
        wait_for(lambda: not find_unfinished(read_lines, count))
    assert len([line for line in read_lines() if line[0] == "begin"]) > count


def test_it_would_not_without_the_requeuing(transactional_db, lines):
    path, read_lines = lines
    for number in range(12):
        work.enqueue(path, number, seconds=0.1)
    with forks("unguarded") as fork:
        kill_workers(fork, read_lines, kills=3)
        time.sleep(1)
        fork()
        wait_for(lambda: not DBTaskResult.objects.filter(status=READY).exists())
        wait_for(lambda: DBTaskResult.objects.filter(status=RUNNING).count() == 3)
    assert len(find_unfinished(read_lines, 12)) == 3


def test_worker_that_is_stopped_finishes_its_task(transactional_db, lines):
    path, read_lines = lines
    work.enqueue(path, "a", seconds=1)
    work.enqueue(path, "b")
    with workers() as start:
        worker = start()
        wait_for(read_lines)
        worker.terminate()
        assert worker.wait(timeout=20) == 0
    assert [line[:2] for line in read_lines()] == [["begin", "a"], ["end", "a"]]
    assert DBTaskResult.objects.get(status=READY).args_kwargs["args"] == [path, "b"]


def test_task_that_a_second_signal_interrupts_runs_again(transactional_db, lines):
    path, read_lines = lines
    work.enqueue(path, "a", seconds=20)
    with workers() as start:
        worker = start()
        wait_for(read_lines)
        worker.send_signal(signal.SIGINT)
        time.sleep(0.5)
        worker.terminate()
        worker.wait(timeout=20)
    assert DBTaskResult.objects.get().status == FAILED
    task_queue.requeue_lost_tasks()
    assert DBTaskResult.objects.get().status == READY


def test_worker_waits_for_a_database_that_is_away(cluster, lines):
    path, read_lines = lines
    with workers() as start:
        worker = start()
        work.enqueue(path, "a")
        wait_for(lambda: len(read_lines()) == 2)
        connection.close()
        cluster.kill()
        time.sleep(3)
        cluster.start()
        work.enqueue(path, "b")
        wait_for(lambda: len(read_lines()) == 4)
        assert worker.poll() is None


def test_task_that_fails_is_tried_again_ever_later_and_kept_in_the_end(transactional_db):
    fail.enqueue("alice@example.com")
    delays = []
    while not DBTaskResult.objects.failed().exists():
        began = timezone.now()
        run_due_tasks()
        for task in DBTaskResult.objects.filter(status=READY):
            delays.append((task.run_after - began).total_seconds())
            DBTaskResult.objects.filter(pk=task.pk).update(run_after=began)
    assert len(delays) == MAX_ATTEMPTS - 1
    assert FIRST_DELAY / 2 <= delays[0] < FIRST_DELAY + 5
    assert 16 * FIRST_DELAY / 2 <= delays[4] < 16 * FIRST_DELAY + 5
    assert 12 * 3600 < sum(delays) < 36 * 3600
    assert "alice@example.com does not exist." in DBTaskResult.objects.failed().get().traceback


def test_links_for_which_somebody_waits_come_before_other_tasks(db, lines):
    work.enqueue(lines[0], "first")
    mail_password_links.enqueue([])
    names = [task.task_name for task in DBTaskResult.objects.ready()]
    assert names == ["mail_password_links", "work"]


def test_task_exists_if_its_transaction_commits(transactional_db, lines):
    with transaction.atomic():
        work.enqueue(lines[0], "rolled back")
        transaction.set_rollback(True)
    with transaction.atomic():
        work.enqueue(lines[0], "committed")
    assert [task.args_kwargs["args"][1] for task in DBTaskResult.objects.all()] == ["committed"]


def test_task_that_its_workers_die_of_fails_in_the_end(db, lines):
    work.enqueue(*lines[:1], "a")
    for killed in (task_queue.MAX_WORKERS - 1, task_queue.MAX_WORKERS):
        DBTaskResult.objects.update(
            status=RUNNING,
            started_at=timezone.now() - timedelta(hours=1),
            worker_ids=["worker"] * killed,
        )
        task_queue.requeue_lost_tasks()
        expected = FAILED if killed == task_queue.MAX_WORKERS else READY
        assert DBTaskResult.objects.get().status == expected


def test_running_task_is_left_alone(db, lines):
    work.enqueue(*lines[:1], "a")
    DBTaskResult.objects.update(status=RUNNING, started_at=timezone.now())
    task_queue.requeue_lost_tasks()
    assert DBTaskResult.objects.get().status == RUNNING


def test_failure_is_logged_and_reported_without_its_message(sentry, transactional_db, tmp_path):
    fail.enqueue("alice@example.com", attempt=MAX_ATTEMPTS)
    fail.enqueue("alice@example.com")
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        command = (*WORKER, "--max-tasks=2")
        with workers(command, stderr=stderr, environment={"SENTRY_DSN": sentry[0]}) as start:
            assert start().wait(timeout=30) == 0
            event = sentry[1].get(timeout=10)
    text = log.read_text()
    entries = [json.loads(line) for line in text.splitlines()]
    (failure,) = [entry for entry in entries if entry["level"] == "error"]
    assert "TaskFailed: RuntimeError" in failure["exception"]
    assert "in fail" in failure["exception"]
    assert any("fail failed, attempt 1" in entry["message"] for entry in entries)
    assert "RuntimeError" in event
    assert "alice" not in text + event


# --- What the worker does again and again ---------------------------------------------------------


def run_jobs():
    for job in periodic_jobs.JOBS:
        job.function()


def test_what_has_expired_is_removed(alice, bob, settings):
    settings.TOKEN_TTL = timedelta(days=1)
    now = timezone.now()
    for customer, age in ((alice, timedelta(days=2)), (bob, timedelta(days=2) + KEPT_EXPIRED)):
        token = AccessToken.issue(customer)
        AccessToken.objects.filter(key=token.key).update(created=now - age)
    session = SessionStore()
    session.set_expiry(-1)
    session.save()
    for days, status in ((2, TaskResultStatus.SUCCESSFUL), (2, FAILED), (31, FAILED)):
        task = fail.enqueue("nobody")
        finished = now - timedelta(days=days)
        DBTaskResult.objects.filter(pk=task.id).update(status=status, finished_at=finished)
    run_jobs()
    assert AccessToken.objects.get().user_id == alice.pk
    assert not SessionStore().exists(session.session_key)
    assert DBTaskResult.objects.get().finished_at > now - timedelta(days=3)


def test_order_that_nobody_confirmed_is_cancelled(alice, product, settings):
    settings.PLACED_EXPIRES = 1
    old, new = (factories.place(alice, {product: 1}) for _ in range(2))
    Order.objects.filter(pk=old.pk).update(created=timezone.now() - timedelta(days=2))
    run_jobs()
    statuses = dict(Order.objects.values_list("pk", "status"))
    assert statuses == {old.pk: "cancelled", new.pk: "placed"}


def test_job_that_fails_does_not_keep_others_from_running(db, caplog):
    def fail():
        raise RuntimeError

    periodic_jobs.run_job(periodic_jobs.Job(fail, 1))
    assert "fail failed" in caplog.text


# --- How far behind the queue is ------------------------------------------------------------------


def test_backlog_is_what_is_due_and_the_age_of_the_oldest(db):
    now = timezone.now()
    assert task_queue.get_backlog() == (0, 0)
    for enqueued_ago, run_after in (
        (60, get_date_max()),
        (600, now - timedelta(seconds=100)),
        (600, now + timedelta(hours=1)),
    ):
        task = fail.enqueue("nobody")
        enqueued_at = now - timedelta(seconds=enqueued_ago)
        tasks = DBTaskResult.objects.filter(pk=task.id)
        tasks.update(enqueued_at=enqueued_at, run_after=run_after)
    waiting, oldest_seconds = task_queue.get_backlog()
    assert waiting == 2
    assert oldest_seconds == pytest.approx(100, abs=5)
    assert task_queue.count_retries() == 1


def test_other_backend_has_no_backlog_and_its_jobs_run(client, db, settings):
    settings.TASKS = {"default": {"BACKEND": "django_tasks.backends.dummy.DummyBackend"}}
    fail.enqueue("nobody")
    assert task_queue.get_backlog() is None
    assert client.get("/readyz").json() == {"status": "ok", "tasks": None}
    run_jobs()
