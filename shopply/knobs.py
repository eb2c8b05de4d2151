"""Reading environment variables: what cannot be meant keeps the server from starting."""

import re
import sys
from urllib.parse import quote, urlsplit

import environ

TRUTHS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
DOMAIN = r"[a-z0-9-]+(\.[a-z0-9-]+)*"
IPV6 = r"\[[0-9a-f:.]+\]"
HOST = rf"\*|\.?{DOMAIN}|{IPV6}"  # a name in ALLOWED_HOSTS
ORIGIN = rf"https?://((\*\.)?{DOMAIN}|{IPV6})(:[0-9]{{1,5}})?"


def refuse_to_start(sentence):
    """Not a traceback: whoever reads this is configuring a server."""
    sys.stderr.write(f"shopply does not start {sentence}\n")
    sys.exit(3)


def are_set(names):
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} set"


class Env(environ.Env):
    def __call__(self, name, default=""):
        """As it is written: environ by itself takes `$word` for the name of another variable."""
        return self.ENVIRON.get(name, default)

    def text(self, name, pattern, told, default=""):
        """An empty one counts as not set."""
        given = self(name) or default
        if given and not re.fullmatch(pattern, given, re.ASCII):
            refuse_to_start(f"until {name} is {told}.")
        return given

    def names(self, name, pattern, told):
        """`one.example, two.example` as a list."""
        given = [each.strip() for each in self(name).lower().split(",") if each.strip()]
        if not all(re.fullmatch(pattern, each, re.ASCII) for each in given):
            refuse_to_start(f"until {name} is {told}.")
        return given

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
        url = self("DATABASE_URL") or self.beanstalk() or default
        if re.match("sqlite://(/.|:memory:$)", url):
            return self.db_url_config(url)
        try:
            given = self.db_url_config(url) if re.match("postgres(ql)?://", url) else {}
        except ValueError:  # of the port
            given = {}
        if not re.fullmatch(r"\S(.{0,61}\S)?", given.get("NAME", "")):
            refuse_to_start(
                "until DATABASE_URL is postgres://user:password@host:5432/name, or sqlite:///file."
            )
        if not given.get("OPTIONS", {}).keys() <= options_of_libpq():
            refuse_to_start("until DATABASE_URL is without options that libpq does not know.")
        return given

    def beanstalk(self):
        if not self("RDS_HOSTNAME"):
            return None
        given = {name: self(name) for name in ("RDS_USERNAME", "RDS_PASSWORD", "RDS_DB_NAME")}
        missing = [name for name, value in given.items() if not value]
        if missing:
            refuse_to_start(f"with RDS_HOSTNAME until {are_set(missing)} too.")
        user, password, name = (quote(value, safe="") for value in given.values())
        host = self.text("RDS_HOSTNAME", rf"(?i:{DOMAIN})", "the name of a host")
        port = self.int("RDS_PORT", default=5432, least=1, most=65_535)
        return f"postgres://{user}:{password}@{host}:{port}/{name}"

    def cache(self, name):
        try:
            url = urlsplit(self(name))
            meant = url.scheme in ("redis", "rediss") and url.hostname and url.port != 0
        except ValueError:  # of the port
            meant = False
        if not meant or not re.fullmatch("(/[0-9]{0,4})?", url.path, re.ASCII):
            refuse_to_start(f"until {name} is redis://host:6379/0.")
        return self.cache_url_config(self(name))


def options_of_libpq():
    from psycopg import pq  # not before: on SQLite nobody needs it

    return {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
