from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("customers", "0006_order_mails")]

    operations = [
        migrations.AddField(
            model_name="customer",
            name="email_confirmed",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="The customer opened the link mailed to it, or staff know that it is theirs.",
                verbose_name="e-mail address confirmed",
            ),
        ),
        migrations.AddField(
            model_name="customer",
            name="new_email",
            field=models.EmailField(
                blank=True,
                db_default="",
                default="",
                help_text="Becomes the e-mail address when the customer opens the link mailed to it.",
                max_length=254,
                verbose_name="new e-mail address",
            ),
        ),
    ]
