"""A PostgreSQL is killed while orders come in, and its synchronous standby takes over.

Run by `make deploy-check`; `pytest tests/deploy/failover.py` runs it alone, with a DATABASE_URL of
PostgreSQL.
"""

import re
import subprocess
import tempfile
import time
from unittest.mock import patch

import pytest
from django.db import connection

from changes.models import Change, UnknownCursor
from orders import stock_ledger
from orders.models import Order
from tests.clusters import Cluster
from tests.deploy.shoppers import Shoppers
from tests.servers import Server


class Standby(Cluster):
    """A synchronous replica: the primary confirms a commit only once it has reached the standby."""

    def __init__(self, folder, primary):
        self.primary = primary
        super().__init__(folder)

    def run(self, program, *arguments):
        if program == "initdb":
            source = f"--dbname=host=127.0.0.1 port={self.primary.port} user=postgres"
            program, arguments = "pg_basebackup", (source, "--write-recovery-conf")
        super().run(program, *arguments)


def run_sql(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else None


@pytest.fixture
def standby(cluster):
    with tempfile.TemporaryDirectory() as folder:
        standby = Standby(folder, cluster)
        standby.start()
        yield standby
        standby.kill()


def test_standby_takes_over_with_every_order(cluster, standby):
    run_sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
    run_sql("SELECT pg_reload_conf()")
    while run_sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == [(0,)]:
        time.sleep(0.05)
    hosts = f"127.0.0.1:{cluster.port},127.0.0.1:{standby.port}"
    url = f"postgres://postgres@{hosts}/postgres?target_session_attrs=read-write"
    server = Server(
        workers=2, out=subprocess.DEVNULL, log=subprocess.DEVNULL, DATABASE_URL=url
    ).start()
    try:
        with Shoppers(server) as shoppers:
            shoppers.go_on(20)
            before = len(shoppers.acknowledged)
            cursor = Change.objects.latest_cursor()
            cluster.kill()
            standby.run("pg_ctl", "promote")
            shoppers.go_on(20)
        after = len(shoppers.acknowledged) - before
        connection.close()
        with patch.dict(connection.settings_dict, PORT=standby.port):
            ids = set(Order.objects.values_list("pk", flat=True))
            assert not stock_ledger.find_discrepancies().exists()
            run_sql("CHECKPOINT")  # the promoted server does it too, within minutes
            with pytest.raises(UnknownCursor):
                Change.objects.read(cursor)
            connection.close()
    finally:
        server.stop()
    assert ids == set(shoppers.acknowledged)
    assert len(ids) == len(shoppers.acknowledged)
    assert {re.sub("Response.*", "503", str(failure)) for failure in shoppers.failures} == {"503"}
    assert shoppers.longest < 5
    print(f"{before} orders before, {after} after; {shoppers.longest:.2f} s without service")
