"""The image, built and run without a container engine, by the Dockerfile's own steps.

`make deploy-check` runs this; the suite does not collect it, since it installs all packages. What
is at / in the image is below a bare root here, a new one for each FROM, with a Python in it. Steps
and containers are told nothing but what the Dockerfile says, and what a container is given.
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from http.client import HTTPConnection
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from packaging.markers import Marker

from tests.servers import free_port

TOP = Path(settings.BASE_DIR)
# How pip finds its index on this machine.
PIP = {name: value for name, value in os.environ.items() if name.startswith(("HOME", "PIP_"))}
COMPOSE = yaml.safe_load((TOP / "deploy/compose.yaml").read_text(encoding="utf-8"))


def stages():
    """[(what FROM says, [(instruction, what it says)])]"""
    text = (TOP / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", "")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line]
    starts = [i for i, (word, _) in enumerate(lines) if word == "FROM"]
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        yield lines[start][1], lines[start + 1 : end]


def build_context():
    """What git knows of, less what .dockerignore names."""

    def files(*options):
        command = ["git", "ls-files", "-z", "--cached", "--others", *options]
        return set(subprocess.check_output(command, cwd=TOP, text=True).split("\0")[:-1])

    kept = files("--exclude-standard") - files("--ignored", "--exclude-from=.dockerignore")
    return {path for path in kept if (TOP / path).is_file()}


class Image:
    def __init__(self, folder):
        self.root = folder / "image"
        built = {}
        for source, steps in stages():
            self.begin(source.removesuffix(" AS build"))
            for instruction, said in steps:
                self.step(instruction, said, built)
            if source.endswith(" AS build"):  # aside, as the next stage has the same paths
                built["build"] = self.root.rename(folder / "build")
        shutil.rmtree(folder / "build")

    def begin(self, source):
        """A root with a Python of its own: the one that runs this may be for its owner only."""
        assert source == "python:3.11-slim"
        base, given = self.root / "base", Path(sys.base_prefix)
        (self.root / "tmp").mkdir(parents=True)
        (base / "bin").mkdir(parents=True)
        shutil.copy(given / "bin/python3.11", base / "bin/python")
        unlike = shutil.ignore_patterns("*-packages", "test", "EXTERNALLY-MANAGED")
        shutil.copytree(given / "lib/python3.11", base / "lib/python3.11", ignore=unlike)
        for library in (given / "lib").glob("libpython3.11.so*"):
            shutil.copy(library, base / "lib")
        install = [sys.executable, "-m", "pip", "--python", base / "bin/python", "install"]
        subprocess.run([*install, "--quiet", "pip", "setuptools", "wheel"], check=True)
        self.directory = self.root
        self.environment = {
            "PATH": f"{base}/bin:/usr/bin:/bin",
            "LD_LIBRARY_PATH": str(base / "lib"),
            "TMPDIR": str(self.root / "tmp"),
        }

    def here(self, path):
        return path.replace("/shop", f"{self.root}/shop")

    def step(self, instruction, said, built):
        match instruction:
            case "WORKDIR":
                self.directory = Path(self.here(said))
                self.directory.mkdir()
            case "ENV":
                for name, value in (pair.split("=", 1) for pair in shlex.split(said)):
                    value = self.here(value).replace("$PATH", self.environment["PATH"])
                    self.environment[name] = value
            case "COPY" if said.startswith("--from="):
                stage, source, target = said.removeprefix("--from=").split()
                source = Path(self.here(source).replace(str(self.root), str(built[stage])))
                shutil.copytree(source, self.here(target), symlinks=True, dirs_exist_ok=True)
            case "COPY":
                source, target = said.split()
                context = build_context()
                for path in context if source == "." else {source}:
                    assert path in context, f".dockerignore keeps {path} out"
                    copy = self.directory / target / (path if source == "." else Path(path).name)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(TOP / path, copy)
            case "RUN":
                environment = PIP | self.environment
                run = {"env": environment, "cwd": self.directory}
                subprocess.run(["/bin/sh", "-ec", self.here(said)], check=True, **run)
            case "USER":
                self.user, self.group = map(int, said.split(":"))
            case "VOLUME":
                assert said == "/tmp"  # noqa: S108  the image's
                (self.root / "tmp").chmod(0o1777)
            case "HEALTHCHECK":
                self.health = json.loads(said.partition("CMD ")[2])
            case "CMD":
                self.command = json.loads(said)
            case _:
                assert instruction == "EXPOSE", f"{instruction} is not known here"

    def start(self, command, **environment):
        """The command in a container, whose root file system is read-only."""
        whom = {"user": self.user, "group": self.group, "extra_groups": []}
        return subprocess.Popen(
            command,
            cwd=self.directory,
            env=self.environment | environment,
            start_new_session=True,
            **(whom if os.geteuid() == 0 else {}),
        )

    def files(self):
        return {path: path.lstat().st_mtime_ns for path in (self.root / "shop").rglob("*")}


@pytest.fixture(scope="module")
def image():
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        image = Image(folder)
        subprocess.run(["/bin/chmod", "-R", "a-w", image.root / "shop"], check=True)
        yield image
    finally:
        subprocess.run(["/bin/chmod", "-R", "u+w", folder], check=True)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def given(image):
    """What a container of the shop is given: settings, and a database that is migrated."""
    given = {
        "SECRET_KEY": "of a container for tests, which nobody but them can reach",
        "ALLOWED_HOSTS": "shop.example",
        "DATABASE_URL": f"sqlite:///{image.root / 'tmp'}/shop.sqlite3",
        "TRUST_X_FORWARDED_PROTO": "true",
        "PORT": str(free_port()),
    }
    migrate = image.start(COMPOSE["services"]["migrate"]["command"], **given)
    assert migrate.wait(timeout=120) == 0
    return given


@pytest.fixture
def container(image, given):
    """The process that the image's CMD starts, once it accepts connections."""
    process = image.start(image.command, **given)
    try:
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", int(given["PORT"])), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        assert process.poll() is None
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # whatever became of the one that was started
        process.wait(timeout=30)


def get(path, given, host="shop.example"):
    peer = HTTPConnection("127.0.0.1", int(given["PORT"]), timeout=30)
    try:
        peer.request("GET", path, headers={"Host": host, "X-Forwarded-Proto": "https"})
        response = peer.getresponse()
        response.read()
        return response.status
    finally:
        peer.close()


def test_what_is_installed_is_what_the_lock_says(image):
    packages = image.directory / ".venv/lib/python3.11/site-packages"
    installed = {f"{each.name}=={each.version}" for each in distributions(path=[str(packages)])}
    lock = json.loads((TOP / "Pipfile.lock").read_text(encoding="utf-8"))["default"]
    meant = {
        name + pin["version"]
        for name, pin in lock.items()
        if Marker(pin.get("markers", "python_version > '3'")).evaluate()
    }
    assert {each.lower().replace("_", "-") for each in installed} == meant


def test_nothing_that_installs_is_left(image):
    path = image.environment["PATH"].replace(":/usr/bin:/bin", "")  # as the base image has them
    assert [
        tool for tool in ("pip", "pipenv", "wheel", "gcc") if shutil.which(tool, path=path)
    ] == []
    outcome = subprocess.run(
        [image.root / "base/bin/python", "-c", "import setuptools"], check=False
    )
    assert outcome.returncode != 0


def test_static_files_are_hashed_and_compressed(image):
    statics = image.directory / "staticfiles"
    names = json.loads((statics / "staticfiles.json").read_text(encoding="utf-8"))["paths"]
    hashed = names["admin/css/base.css"]
    assert re.fullmatch(r"admin/css/base\.[0-9a-f]{12}\.css", hashed)
    assert (statics / f"{hashed}.gz").exists()


def test_the_shop_is_served_by_a_user_who_is_not_root(image, given, container):
    assert get("/api/products/", given) == 200
    workers = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()
    assert workers
    for pid in (container.pid, *workers):
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        users = set(re.search(r"^Uid:(.*)", status, re.MULTILINE)[1].split())
        assert users == {str(image.user if os.geteuid() == 0 else os.geteuid())} != {"0"}


def test_nothing_is_written_but_to_tmp(image, given, container):
    before = image.files()
    assert get("/api/products/", given) == 200
    assert get("/admin/login/", given) == 200
    assert image.files() == before


def test_health_check_tells_life_from_death(image, given, container):
    assert get("/healthz", given, host="10.0.0.7") == 200
    assert image.start(image.health, **given).wait(timeout=30) == 0
    container.terminate()
    container.wait(timeout=30)
    assert image.start(image.health, **given).wait(timeout=30) != 0


def test_sigterm_reaches_the_server(container):
    container.send_signal(signal.SIGTERM)
    assert container.wait(timeout=10) == 0
