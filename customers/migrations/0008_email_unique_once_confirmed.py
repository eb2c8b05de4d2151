"""An e-mail address is unique among those that are confirmed. Indexes change while others write."""

import django.db.models.functions.text
from django.db import migrations, models


class AddIndex(migrations.AddIndex):
    def __init__(self, *args, sql, **kwargs):
        super().__init__(*args, **kwargs)
        self.sql = sql

    def database_forwards(self, app_label, schema_editor, *states):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, *states)
            return
        schema_editor.execute(
            f"CREATE INDEX CONCURRENTLY {self.index.name} ON customers_customer {self.sql}"
        )


class AddUniqueIndex(migrations.AddConstraint):
    def database_forwards(self, app_label, schema_editor, *states):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, *states)
            return
        schema_editor.execute(
            f"CREATE UNIQUE INDEX CONCURRENTLY {self.constraint.name} ON customers_customer"
            " (upper(email)) WHERE email_confirmed AND NOT email = ''"
        )


class RemoveUniqueIndex(migrations.RemoveConstraint):
    def database_forwards(self, app_label, schema_editor, *states):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, *states)
            return
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {self.name}")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("customers", "0007_email_confirmed")]

    operations = [
        AddIndex(
            model_name="customer",
            index=models.Index(
                django.db.models.functions.text.Upper("email"), name="customer_email"
            ),
            sql="(upper(email))",
        ),
        AddIndex(
            model_name="customer",
            index=models.Index(
                django.db.models.functions.text.Upper("new_email"),
                condition=models.Q(("new_email", ""), _negated=True),
                name="customer_new_email",
            ),
            sql="(upper(new_email)) WHERE NOT new_email = ''",
        ),
        AddUniqueIndex(
            model_name="customer",
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Upper("email"),
                condition=models.Q(
                    ("email_confirmed", True), models.Q(("email", ""), _negated=True)
                ),
                name="customer_confirmed_email_any_case",
                violation_error_message="An account with this e-mail address exists.",
            ),
        ),
        RemoveUniqueIndex(model_name="customer", name="customer_email_any_case"),
    ]
