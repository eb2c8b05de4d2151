from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0005_staff"),
    ]

    operations = [
        migrations.AddField(
            model_name="customer",
            name="order_mails",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="Whether the shop mails them about their orders.",
            ),
        ),
    ]
