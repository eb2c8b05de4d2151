from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("customers", "0003_search_index")]

    operations = [
        migrations.AddField(
            model_name="customer",
            name="staff_note",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                help_text="For the shop's staff. Customers see it only in an export of their data.",
                max_length=2000,
            ),
        ),
    ]
