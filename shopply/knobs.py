"""Reading environment variables: what cannot be meant keeps the server from starting."""

import re
import sys
from urllib.parse import quote

import environ

TRUTHS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def refuse_to_start(sentence):
    """Not a traceback: whoever reads this is configuring a server."""
    sys.stderr.write(f"shopply does not start {sentence}\n")
    sys.exit(3)  # which gunicorn takes as a failure to boot, instead of trying again for ever


class Env(environ.Env):
    def bool(self, name, default):
        given = self(name, default=str(default)).lower()
        if given not in TRUTHS:
            refuse_to_start(f"until {name} is true or false.")
        return TRUTHS[given]

    def int(self, name, default, least=0, most=2_000_000):
        given = self(name, default=str(default))
        if not re.fullmatch("[0-9]{1,10}", given, re.ASCII) or not least <= int(given) <= most:
            refuse_to_start(f"until {name} is a whole number from {least} to {most}.")
        return int(given)

    def rate(self, name, default):
        """`10/15m`, as (10, 900): so many in so many seconds."""
        match = re.fullmatch(
            r"([1-9][0-9]{0,8})/([1-9][0-9]{0,3})?([smhd])", self(name, default=default)
        )
        if not match:
            refuse_to_start(f"until {name} is a number in a span of time, such as {default}.")
        most, spans, unit = match.groups()
        return int(most), int(spans or 1) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]

    def database(self, default):
        """The database of DATABASE_URL, or of the variables that Elastic Beanstalk sets."""
        url = self("DATABASE_URL", default="") or self.beanstalk() or default
        try:
            if re.match("(postgres|postgresql|sqlite)://", url):
                return self.db_url_config(url)
        except ValueError:  # of the port
            pass
        refuse_to_start("until DATABASE_URL is postgres://user:password@host:5432/name.")

    def beanstalk(self):
        if not self("RDS_HOSTNAME", default=""):
            return None
        user, password, name = (
            quote(self(f"RDS_{part}", default=""), safe="")
            for part in ("USERNAME", "PASSWORD", "DB_NAME")
        )
        host, port = self("RDS_HOSTNAME"), self("RDS_PORT", default="5432")
        return f"postgres://{user}:{password}@{host}:{port}/{name}"

    def cache(self, name):
        try:
            return self.cache_url_config(self(name))
        except environ.ImproperlyConfigured:
            refuse_to_start(f"until {name} is redis://host:6379/0.")
