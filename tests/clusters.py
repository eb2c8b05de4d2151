"""PostgreSQL servers that tests start for themselves and can stop."""

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest
from django.core.management import call_command
from django.db import connection

from tests.servers import free_port


class Cluster:
    """A PostgreSQL server for one test, with its data in `folder`, on a free port."""

    INITDB = max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=None)

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.user = []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(folder, "postgres")
            self.user = ["runuser", "-u", "postgres", "--"]
        self.address = {"HOST": "127.0.0.1", "PORT": self.port, "NAME": "postgres"}
        self.address |= {"USER": "postgres", "PASSWORD": ""}
        self.run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale")

    def run(self, program, *arguments):
        command = [*self.user, self.INITDB.with_name(program), "--pgdata=data", *arguments]
        subprocess.run(command, cwd=self.folder, stdout=subprocess.DEVNULL, check=True, timeout=60)

    def start(self):
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self.run("pg_ctl", "start", "--log=log", f"--options={options}")

    def kill(self):
        self.run("pg_ctl", "stop", "--mode=immediate")


@pytest.fixture
def cluster(transactional_db):
    """A cluster with Django's database for this test; the test may kill it."""
    if connection.vendor != "postgresql":
        pytest.skip("the suite does not run on PostgreSQL")
    if not Cluster.INITDB:
        pytest.skip("no PostgreSQL server is installed in /usr/lib/postgresql")
    connection.close()
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(folder)
        cluster.start()
        try:
            with patch.dict(connection.settings_dict, cluster.address):
                call_command("migrate", verbosity=0)
                yield cluster
                connection.close()
        finally:
            with suppress(subprocess.CalledProcessError):  # already killed
                cluster.kill()
