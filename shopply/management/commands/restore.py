from pathlib import Path

from django.core.management import BaseCommand, CommandError, call_command

from shopply.management import backups


class Command(BaseCommand):
    help = (
        "Puts a file that `backup` made in place of what the database holds, all of it or "
        "nothing, and checks that the stock adds up."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--discard-orders",
            action="store_true",
            help="Also if the database holds orders; they are gone then, but those in the file.",
        )

    def handle(self, *, file, discard_orders, **options):
        if not file.is_file():
            raise CommandError(f"There is no file {file}.")
        orders = backups.orders()
        if orders and not discard_orders:
            raise CommandError(
                f"The database holds {backups.counted(orders)}. Restore into a new, empty one; or "
                "give up those that are not in the file, with --discard-orders."
            )
        database, known = backups.database(), backups.known_migrations()
        self.stdout.write(f"Reading {file}: {backups.megabytes(file.stat().st_size)}.")
        backups.refuse_another_kind(file)
        database.verify(file)
        migrations = database.migrations_in(file)
        unknown = migrations - known
        if unknown:
            raise CommandError(
                f"The backup is of a later release, which has {backups.named(unknown)}. Nothing "
                "was changed. Restore it with that release."
            )
        database.restore(file, backups.progress(self.stdout.write))
        self.stdout.write(f"Restored {backups.counted(backups.orders())}.")
        if known - migrations:
            self.stdout.write(
                "The backup is of an older release: run `manage.py migrate`, and then "
                "`manage.py verify_stock`."
            )
        else:
            call_command("verify_stock", stdout=self.stdout)
