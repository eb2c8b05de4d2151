"""Run schemathesis against the shop as in production, as a customer and as staff.

`make fuzz` runs this; the suite does not collect it, since it takes minutes.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.servers import Server, database_url

EXAMPLES = os.environ.get("EXAMPLES", "200")
SEED = os.environ.get("SEED")  # by default schemathesis draws one and prints it


@pytest.fixture(autouse=True)
def quick_passwords():
    """Overrides the fixture with none: the server knows only the production hash."""


@pytest.fixture
def server(transactional_db, demo_shop, tmp_path):
    with (tmp_path / "server.log").open("w") as log:
        server = Server(workers=2, log=log).start()
        yield server
        server.stop()


@pytest.mark.parametrize("username", ["lena", "admin"])
def test_no_check_fails(username, server, tmp_path):
    command = [
        *(Path(sys.executable).with_name("schemathesis"), "run", "--max-examples", EXAMPLES),
        *(["--seed", SEED] if SEED else []),
        f"http://127.0.0.1:{server.port}/api/schema/",
    ]
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "PYTHONPATH": settings.BASE_DIR,
        "FUZZ_AS": username,
    }
    run = subprocess.run(command, cwd=Path(__file__).parent, env=environment)
    assert run.returncode == 0, f"as {username}; the log of the server is {tmp_path}/server.log"
