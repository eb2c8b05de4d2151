"""The image, built and run without a container engine, by the Dockerfile's own steps.

`make deploy-check` runs this; the suite does not collect it, since it installs all packages. The
image's / is an empty folder here, a new one for each FROM, with a Python in it. Instructions and
containers get only the environment that the Dockerfile sets; a container also gets its settings.
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
# The settings with which pip finds its index on this machine.
PIP = {name: value for name, value in os.environ.items() if name.startswith(("HOME", "PIP_"))}
COMPOSE = yaml.safe_load((TOP / "deploy/compose.yaml").read_text(encoding="utf-8"))


def read_stages():
    """Yield (arguments of FROM, [(instruction, arguments)]) for each stage."""
    text = (TOP / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", "")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line]
    starts = [i for i, (word, _) in enumerate(lines) if word == "FROM"]
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        yield lines[start][1], lines[start + 1 : end]


def build_context():
    """Return the files that git knows, without those that .dockerignore excludes."""

    def files(*options):
        command = ["git", "ls-files", "-z", "--cached", "--others", *options]
        return set(subprocess.check_output(command, cwd=TOP, text=True).split("\0")[:-1])

    paths = files("--exclude-standard") - files("--ignored", "--exclude-from=.dockerignore")
    return {path for path in paths if (TOP / path).is_file()}


class Image:
    def __init__(self, folder):
        self.root = folder / "image"
        stage_roots = {}
        for source, steps in read_stages():
            self.start_stage(source.removesuffix(" AS build"))
            for instruction, arguments in steps:
                self.run_instruction(instruction, arguments, stage_roots)
            if source.endswith(" AS build"):  # moved aside, as the next stage has the same paths
                stage_roots["build"] = self.root.rename(folder / "build")
        shutil.rmtree(folder / "build")

    def start_stage(self, source):
        """Create a root with its own Python: other users may not reach the one running this."""
        assert source == "python:3.11-slim"
        base, prefix = self.root / "base", Path(sys.base_prefix)
        (self.root / "tmp").mkdir(parents=True)
        (base / "bin").mkdir(parents=True)
        shutil.copy(prefix / "bin/python3.11", base / "bin/python")
        ignore = shutil.ignore_patterns("*-packages", "test", "EXTERNALLY-MANAGED")
        shutil.copytree(prefix / "lib/python3.11", base / "lib/python3.11", ignore=ignore)
        for library in (prefix / "lib").glob("libpython3.11.so*"):
            shutil.copy(library, base / "lib")
        install = [sys.executable, "-m", "pip", "--python", base / "bin/python", "install"]
        subprocess.run([*install, "--quiet", "pip", "setuptools", "wheel"], check=True)
        self.directory = self.root
        self.environment = {
            "PATH": f"{base}/bin:/usr/bin:/bin",
            "LD_LIBRARY_PATH": str(base / "lib"),
            "TMPDIR": str(self.root / "tmp"),
        }

    def host_path(self, path):
        return path.replace("/shop", f"{self.root}/shop")

    def run_instruction(self, instruction, arguments, stage_roots):
        match instruction:
            case "WORKDIR":
                self.directory = Path(self.host_path(arguments))
                self.directory.mkdir()
            case "ENV":
                for name, value in (pair.split("=", 1) for pair in shlex.split(arguments)):
                    value = self.host_path(value).replace("$PATH", self.environment["PATH"])
                    self.environment[name] = value
            case "COPY" if arguments.startswith("--from="):
                stage, source, target = arguments.removeprefix("--from=").split()
                source = Path(
                    self.host_path(source).replace(str(self.root), str(stage_roots[stage]))
                )
                shutil.copytree(source, self.host_path(target), symlinks=True, dirs_exist_ok=True)
            case "COPY":
                source, target = arguments.split()
                context = build_context()
                for path in context if source == "." else {source}:
                    assert path in context, f".dockerignore keeps {path} out"
                    copy = self.directory / target / (path if source == "." else Path(path).name)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(TOP / path, copy)
            case "RUN":
                environment = PIP | self.environment
                options = {"env": environment, "cwd": self.directory}
                subprocess.run(["/bin/sh", "-ec", self.host_path(arguments)], check=True, **options)
            case "USER":
                self.user, self.group = map(int, arguments.split(":"))
            case "VOLUME":
                assert arguments == "/tmp"  # noqa: S108  the image's
                (self.root / "tmp").chmod(0o1777)
            case "HEALTHCHECK":
                self.health = json.loads(arguments.partition("CMD ")[2])
            case "CMD":
                self.command = json.loads(arguments)
            case _:
                assert instruction == "EXPOSE", f"{instruction} is not known here"

    def start(self, command, **environment):
        """Start the command in a container, whose root file system is read-only."""
        credentials = {"user": self.user, "group": self.group, "extra_groups": []}
        return subprocess.Popen(
            command,
            cwd=self.directory,
            env=self.environment | environment,
            start_new_session=True,
            **(credentials if os.geteuid() == 0 else {}),
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
def container_env(image):
    """The environment of a container of the shop; its database is migrated."""
    container_env = {
        "SECRET_KEY": "of a container for tests, which nobody but them can reach",
        "ALLOWED_HOSTS": "shop.example",
        "DATABASE_URL": f"sqlite:///{image.root / 'tmp'}/shop.sqlite3",
        "TRUST_X_FORWARDED_PROTO": "true",
        "PORT": str(free_port()),
    }
    migrate = image.start(COMPOSE["services"]["migrate"]["command"], **container_env)
    assert migrate.wait(timeout=120) == 0
    return container_env


@pytest.fixture
def container(image, container_env):
    """The process that the image's CMD starts, once it accepts connections."""
    process = image.start(image.command, **container_env)
    try:
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(
                    ("127.0.0.1", int(container_env["PORT"])), timeout=1
                ).close()
                break
            except OSError:
                time.sleep(0.05)
        assert process.poll() is None
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # even if the process that was started has ended
        process.wait(timeout=30)


def get(path, container_env, host="shop.example"):
    peer = HTTPConnection("127.0.0.1", int(container_env["PORT"]), timeout=30)
    try:
        peer.request("GET", path, headers={"Host": host, "X-Forwarded-Proto": "https"})
        response = peer.getresponse()
        response.read()
        return response.status
    finally:
        peer.close()


def test_installed_packages_match_the_lock(image):
    packages = image.directory / ".venv/lib/python3.11/site-packages"
    installed = {
        f"{distribution.name}=={distribution.version}"
        for distribution in distributions(path=[str(packages)])
    }
    lock = json.loads((TOP / "Pipfile.lock").read_text(encoding="utf-8"))["default"]
    locked = {
        name + pin["version"]
        for name, pin in lock.items()
        if Marker(pin.get("markers", "python_version > '3'")).evaluate()
    }
    assert {requirement.lower().replace("_", "-") for requirement in installed} == locked


def test_no_installer_is_left(image):
    path = image.environment["PATH"].replace(":/usr/bin:/bin", "")  # as the base image has them
    assert [
        tool for tool in ("pip", "pipenv", "wheel", "gcc") if shutil.which(tool, path=path)
    ] == []
    result = subprocess.run(
        [image.root / "base/bin/python", "-c", "import setuptools"], check=False
    )
    assert result.returncode != 0


def test_static_files_are_hashed_and_compressed(image):
    statics = image.directory / "staticfiles"
    names = json.loads((statics / "staticfiles.json").read_text(encoding="utf-8"))["paths"]
    hashed = names["admin/css/base.css"]
    assert re.fullmatch(r"admin/css/base\.[0-9a-f]{12}\.css", hashed)
    assert (statics / f"{hashed}.gz").exists()


def test_the_shop_is_served_by_a_user_who_is_not_root(image, container_env, container):
    assert get("/api/products/", container_env) == 200
    workers = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()
    assert workers
    for pid in (container.pid, *workers):
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        users = set(re.search(r"^Uid:(.*)", status, re.MULTILINE)[1].split())
        assert users == {str(image.user if os.geteuid() == 0 else os.geteuid())} != {"0"}


def test_nothing_is_written_but_to_tmp(image, container_env, container):
    before = image.files()
    assert get("/api/products/", container_env) == 200
    assert get("/admin/login/", container_env) == 200
    assert image.files() == before


def test_health_check_passes_until_the_server_stops(image, container_env, container):
    assert get("/healthz", container_env, host="10.0.0.7") == 200
    assert image.start(image.health, **container_env).wait(timeout=30) == 0
    container.terminate()
    container.wait(timeout=30)
    assert image.start(image.health, **container_env).wait(timeout=30) != 0


def test_sigterm_reaches_the_server(container):
    container.send_signal(signal.SIGTERM)
    assert container.wait(timeout=10) == 0
