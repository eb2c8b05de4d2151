"""A migration that locks or takes away is found before anybody runs it; others pass."""

import re
import sys

import pytest
from django.core.management import CommandError, call_command

from shopply.management.commands import check_migrations
from tests.migrations import LAST

MIGRATION = """
from django.conf import settings
from django.contrib.postgres.operations import (
    AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint)
from django.db import migrations, models
from django.db.models import CheckConstraint, Q, UniqueConstraint
from django.db.migrations import *

paid = CheckConstraint(condition=Q(total_price__gt=0), name="paid")


class Migration(migrations.Migration):
    dependencies = [("orders", "{last}"), ("products", "0004_census")]
    {more}
    operations = [{operations}]
"""


@pytest.fixture
def found(changed, capsys, db):
    """The rules that a migration of the orders with these operations breaks."""

    def found(operations, more=""):
        changed(MIGRATION.format(last=LAST, operations=operations, more=more))
        try:
            call_command("check_migrations")
        except CommandError:
            told = capsys.readouterr().out
            return set(re.findall(r"^orders\.0999_change: .* \((\S+)\)$", told, re.MULTILINE))
        assert "since the release, none of which locks" in capsys.readouterr().out
        return set()

    return found


LOCKING = {
    "a column that is NOT NULL and has no default": (
        """RunSQL('ALTER TABLE orders_order ADD COLUMN gift boolean NOT NULL')""",
        "adding-required-field",
    ),
    "one whose default only this release knows": (
        """AddField("order", "gift", models.BooleanField(default=False))""",
        "ban-drop-default",
    ),
    "NOT NULL on a column that is there": (
        """AlterField("order", "idempotency_key", models.CharField(max_length=255, default=""))""",
        "adding-not-nullable-field",
    ),
    "a column dropped": ("""RemoveField("order", "currency")""", "ban-drop-column"),
    "a column renamed": ("""RenameField("order", "currency", "money")""", "renaming-column"),
    "a table dropped": ("""DeleteModel("OrderEvent")""", "ban-drop-table"),
    "a table renamed": ("""RenameModel("OrderEvent", "Move")""", "renaming-table"),
    "a table dropped by SQL": ("""RunSQL("DROP TABLE orders_orderevent")""", "ban-drop-table"),
    "an index made under a lock": (
        """AddIndex("order", models.Index(fields=["currency"], name="order_by_currency"))""",
        "require-concurrent-index-creation",
    ),
    "an index made concurrently, but in a transaction": (
        """AddIndexConcurrently("order", models.Index(fields=["currency"], name="by_currency"))""",
        "ban-concurrent-index-creation-in-transaction",
    ),
    "an index removed": (
        """AlterField("order", "created", models.DateTimeField())""",
        "removes-constraint-or-index",
    ),
    "a check of all rows": ("""AddConstraint("order", paid)""", "constraint-missing-not-valid"),
    "a check of all rows in the transaction that made it": (
        """AddConstraintNotValid("order", paid), ValidateConstraint("order", "paid")""",
        "constraint-missing-not-valid",
    ),
    "a unique constraint": (
        """AddConstraint("order", UniqueConstraint(fields=["fingerprint"], name="once"))""",
        "disallowed-unique-constraint",
    ),
    "a foreign key": (
        """AddField("order", "by", models.ForeignKey(
            settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"))""",
        "adding-foreign-key-constraint",
    ),
    "another type": (
        """AlterField("order", "fingerprint", models.TextField(default=""))""",
        "changing-column-type",
    ),
    "a column that is computed": (
        """AddField("order", "free", models.GeneratedField(expression=Q(total_price=0),
            output_field=models.BooleanField(), db_persist=True))""",
        "adding-field-with-default",
    ),
    "rows that stay locked": (
        """RunPython(RunPython.noop, RunPython.noop)""",
        "python-in-transaction",
    ),
}

SAFE = {
    "a nullable column": ("""AddField("order", "gift", models.BooleanField(null=True))""", ""),
    "a column whose default the database knows": (
        """AddField("order", "gift", models.BooleanField(db_default=False))""",
        "",
    ),
    "a table": (
        """CreateModel("Parcel", [
            ("id", models.BigAutoField(primary_key=True)),
            ("order", models.ForeignKey("orders.Order", models.PROTECT)),
            ("code", models.CharField(max_length=40, unique=True)),
            ("sent", models.DateTimeField(db_index=True)),
        ]), AddConstraint("parcel", CheckConstraint(condition=~Q(code=""), name="coded"))""",
        "",
    ),
    "an index made while others write": (
        """AddIndexConcurrently("order", models.Index(fields=["currency"], name="by_currency"))""",
        "atomic = False",
    ),
    "a check of new rows": ("""AddConstraintNotValid("order", paid)""", ""),
    "a check of all rows afterwards": (
        """AddConstraintNotValid("order", paid), ValidateConstraint("order", "paid")""",
        "atomic = False",
    ),
    "rows written in lots": ("""RunPython(RunPython.noop, RunPython.noop)""", "atomic = False"),
    "what only the models know": (
        """SeparateDatabaseAndState(state_operations=[RemoveField("order", "currency")])""",
        "",
    ),
    "a column dropped on purpose": (
        """RemoveField("order", "currency")""",
        """deliberate = {"ban-drop-column": "No code names it."}""",
    ),
}


@pytest.mark.parametrize(("operations", "rule"), LOCKING.values(), ids=LOCKING)
def test_what_locks_or_takes_away_is_found(found, operations, rule):
    assert rule in found(operations)


@pytest.mark.parametrize(("operations", "more"), SAFE.values(), ids=SAFE)
def test_what_does_neither_passes(found, operations, more):
    assert found(operations, more) == set()


def test_released_migrations_are_not_looked_at(monkeypatch, capsys):
    call_command("check_migrations")
    monkeypatch.setitem(check_migrations.RELEASED, "products", "0002_stockadjustment")
    with pytest.raises(CommandError):
        call_command("check_migrations")
    assert "products.0003_order_and_stock_indexes: " in capsys.readouterr().out


def test_missing_squawk_is_told_with_its_remedy(changed, monkeypatch, tmp_path):
    changed(MIGRATION.format(last=LAST, operations="""RemoveField("order", "currency")""", more=""))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(CommandError, match="squawk is not installed: `pipenv install --dev`"):
        call_command("check_migrations")
