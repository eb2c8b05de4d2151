"""What stands in DATABASES. All timeouts are in seconds."""


def rds_config(environ):
    """Return the database that Elastic Beanstalk gives to an environment, as it documents it."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": environ["RDS_DB_NAME"],
        "USER": environ["RDS_USERNAME"],
        "PASSWORD": environ["RDS_PASSWORD"],
        "HOST": environ["RDS_HOSTNAME"],
        "PORT": environ["RDS_PORT"],
    }


def sqlite_options(lock_timeout):
    return {
        # A writer takes the lock when its transaction begins, and waits for it, instead of failing
        # half way through. Readers do not wait.
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL",
        "timeout": lock_timeout,
    }


def postgresql_options(options, *, connect_timeout, lock_timeout, host_timeout):
    """Return these options of psycopg, with defaults for the others.

    `host_timeout` is the time until a host that disappeared is given up.
    """
    defaults = {
        # Repeated statements are prepared: parsed and planned once.
        "server_side_binding": True,
        "prepare_threshold": 1,
        # A host that disappears is given up before the proxy gives up the request.
        "connect_timeout": connect_timeout,
        "tcp_user_timeout": 1500,  # milliseconds
        "keepalives_idle": host_timeout - 3,  # and 3 probes, a second apart
        "keepalives_interval": 1,
        "keepalives_count": 3,
    }
    # JIT compilation takes longer than it saves: `verify_stock` took five times as long. Random
    # reads cost little in memory and on SSDs: with the default, PostgreSQL scans all items of a
    # small shop for a page of orders.
    flags = f"-c lock_timeout={lock_timeout}s -c jit=off -c random_page_cost=1.1"
    return defaults | options | {"options": f"{flags} {options.get('options', '')}".rstrip()}
