"""The commands of README and of docs/operations.md, as they are written, in a fresh clone.

Without those that .ci/run itself runs (pipenv, the tests), that fill other shops, or that need an
account elsewhere. Run by `make deploy-check`.
"""

import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from django.conf import settings

from tests.deploy.test_files import read
from tests.servers import free_port

SUPERUSER = {
    "DJANGO_SUPERUSER_USERNAME": "owner",
    "DJANGO_SUPERUSER_PASSWORD": "my-bee-loud-glade",
    "DJANGO_SUPERUSER_EMAIL": "owner@example.com",
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone with the packages of this checkout; each test has one database after the other."""
    folder = tmp_path_factory.mktemp("clone") / "shopply"
    source = Path(settings.BASE_DIR)
    subprocess.run(["/usr/bin/env", "git", "clone", "--quiet", source, folder], check=True)
    (folder / ".venv").symlink_to(source / ".venv")
    return folder


def commands(document, section):
    """Return the indented commands of a section, without comments."""
    text = read(document).partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = "".join(re.findall(r"^    (.*\n)", text, re.MULTILINE)).replace("\\\n", " ")
    return [line.partition("  #")[0].strip() for line in lines.splitlines()]


def environment(**variables):
    """That of a new user: an empty home, and nothing of this run."""
    ours = ("PATH", "LANG", "PYTHONDONTWRITEBYTECODE")
    return {name: os.environ[name] for name in ours if name in os.environ} | variables


def run(clone, script, **variables):
    shell = ["/bin/bash", "-euc", f". .venv/bin/activate\n{script}"]
    variables |= {"HOME": str(clone.parent)} | SUPERUSER
    subprocess.run(shell, cwd=clone, env=environment(**variables), check=True, timeout=120)


@contextmanager
def served(clone, script, port, **variables):
    """While the last command of the script serves on this port."""
    shell = ["/bin/bash", "-euc", script]
    variables |= {"HOME": str(clone.parent), "PORT": str(port)} | SUPERUSER
    process = subprocess.Popen(
        shell, cwd=clone, env=environment(**variables), start_new_session=True
    )
    try:
        yield
        assert process.poll() is None
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=40)


def status(port, path):
    """The status of the response, as soon as somebody responds."""
    deadline = time.monotonic() + 60
    while True:
        peer = HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            peer.request("GET", path)
            return peer.getresponse().status
        except OSError:
            assert time.monotonic() < deadline, "nobody responds"
            time.sleep(0.1)
        finally:
            peer.close()


def test_make_run_serves_the_demo_shop(clone):
    port = free_port()
    assert commands("README.md", "Try it") == ["make run", "make test"]
    with served(clone, "make run", port):
        for path in ("/api/docs/", "/api/schema/", "/admin/login/", "/api/products/1/"):
            assert status(port, path) == 200
        assert len(find_workers(clone)) == 1
    deadline = time.monotonic() + 20
    while find_workers(clone):
        assert time.monotonic() < deadline, "the worker runs on"
        time.sleep(0.1)


def find_workers(clone):
    """Return the process ids of the workers that run in the clone."""
    processes = subprocess.run(
        ["/usr/bin/pgrep", "-f", r"^\S*python manage\.py db_worker"], stdout=subprocess.PIPE
    )
    pids = processes.stdout.decode().split()
    return [pid for pid in pids if Path(f"/proc/{pid}/cwd").resolve() == clone]


def test_long_way_works(clone):
    """Also what fills the shop, which comes last."""
    lines = commands("README.md", "The long way")
    assert lines[:3] == ["pipenv install", "pipenv shell", "python manage.py migrate"]
    python = [line for line in lines if line.startswith(("python", "make"))]
    assert len(python) == 7
    port = free_port()
    (clone / "db.sqlite3").unlink(missing_ok=True)
    for line in python:
        if line == "python manage.py runserver":
            script = f". .venv/bin/activate\n{line} {port} --noreload"
            with served(clone, script, port):
                assert status(port, "/api/products/") == 200
        else:
            line = line.replace("createsuperuser", "createsuperuser --noinput")
            run(clone, line.replace("<username>", "owner"))


def test_production_server_starts_without_https(clone):
    *script, server = commands("docs/operations.md", "Run the server")[1:]
    assert server.startswith("sh -c ")
    script = "\n".join(script).replace("createsuperuser", "createsuperuser --noinput")
    port = free_port()
    with served(clone, f". .venv/bin/activate\n{script}\n{server}", port):
        assert status(port, "/readyz") == 200
        assert status(port, "/admin/login/") == 200
