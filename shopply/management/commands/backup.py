from pathlib import Path

from django.core.management import BaseCommand, CommandError

from shopply.management import backups


class Command(BaseCommand):
    help = (
        "Writes the whole database to a file, as of the moment it begins, while orders come in. "
        "Under that name there is never less than a whole backup, read back."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path)
        parser.add_argument("--overwrite", action="store_true", help="Also if the file exists.")

    def handle(self, *, file, overwrite, **options):
        orders = backups.orders()
        if orders is None:
            raise CommandError("The database holds no shop, so there is nothing to back up.")
        database = backups.database()
        with backups.made_whole(file, overwrite=overwrite) as part:
            database.dump(part, backups.progress(self.stdout.write))
            self.stdout.write(f"Copied {backups.megabytes(part.stat().st_size)}; reading it back.")
            database.verify(part)
        size = backups.megabytes(file.stat().st_size)
        self.stdout.write(f"{file} is whole: {size}, {backups.counted(orders)} or more.")
