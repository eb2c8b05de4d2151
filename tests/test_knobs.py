"""How environment variables are read."""

import pytest

from shopply.knobs import HOST, ORIGIN, Env


def test_yes_and_no_have_several_words(monkeypatch):
    for words, meant in ((("true", "Yes", "ON", "1"), True), (("False", "no", "off", "0"), False)):
        for word in words:
            monkeypatch.setenv("KNOB", word)
            assert Env().bool("KNOB", default=not meant) is meant


def test_default_is_taken_where_nothing_is_set(monkeypatch):
    for name in ("KNOB", "DATABASE_URL", "RDS_HOSTNAME"):
        monkeypatch.delenv(name, raising=False)
    assert Env().bool("KNOB", default=True) is True
    assert Env().int("KNOB", default=7) == 7
    assert Env().rate("KNOB", "7/2m") == (7, 120)
    assert Env().database(default="sqlite:///shop.db")["NAME"] == "shop.db"


def test_whole_numbers_have_bounds(monkeypatch):
    for given in ("1", "10"):
        monkeypatch.setenv("KNOB", given)
        assert Env().int("KNOB", default=5, least=1, most=10) == int(given)
    for given in ("0", "11", "-1", "", " 5", "5.0", "٥", "1e1", "9" * 5_000):
        monkeypatch.setenv("KNOB", given)
        with pytest.raises(SystemExit):
            Env().int("KNOB", default=5, least=1, most=10)


@pytest.mark.parametrize("given", ["", "maybe", "truth", "2"])
def test_neither_yes_nor_no_is_refused(monkeypatch, capsys, given):
    monkeypatch.setenv("KNOB", given)
    with pytest.raises(SystemExit):
        Env().bool("KNOB", default=True)
    assert capsys.readouterr().err == "shopply does not start until KNOB is true or false.\n"


def test_what_is_written_is_meant_as_it_is(monkeypatch):
    monkeypatch.setenv("SECRET", "of another variable")
    for given in ("$SECRET", "$", "a$b", " b "):
        monkeypatch.setenv("KNOB", given)
        assert Env()("KNOB") == Env().text("KNOB", ".*", "told") == given


def test_empty_text_is_none(monkeypatch):
    monkeypatch.setenv("KNOB", "")
    assert Env().text("KNOB", "[a-z]+", "a word", default="word") == "word"
    assert Env().names("KNOB", "[a-z]+", "words") == []


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (
            HOST,
            "shop.example.com, WWW.Shop.example ,.shop.example,localhost,127.0.0.1,[::1],*,",
            "https://a.example a.example:80 a.example/shop *.example a..example a.example. "
            "shop_1.example bücher.example ::1 .",
        ),
        (
            ORIGIN,
            "https://shop.example.com,http://localhost:8000,https://*.shop.example,http://[::1]:80",
            "shop.example https:// https://a.example/ https://a.example/shop https://a,b "
            "ftp://a.example https://clerk@a.example https://a.example:port *",
        ),
    ],
)
def test_names_are_those_that_a_request_can_have(monkeypatch, pattern, good, bad):
    monkeypatch.setenv("KNOB", good)
    expected = [each.strip().lower() for each in good.split(",")]
    assert Env().names("KNOB", pattern, "names") == [each for each in expected if each]
    for given in (*bad.split(), "a.example b.example"):
        monkeypatch.setenv("KNOB", given)
        with pytest.raises(SystemExit):
            Env().names("KNOB", pattern, "names")


def test_database_is_the_url_or_that_of_beanstalk(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("RDS_HOSTNAME", "db.example")
    monkeypatch.setenv("RDS_USERNAME", "clerk")
    monkeypatch.setenv("RDS_PASSWORD", "p@ss/word%20+ #?é")
    monkeypatch.setenv("RDS_DB_NAME", "ebdb")
    database = Env().database(default="sqlite:///shop.db")
    assert (database["HOST"], str(database["PORT"]), database["NAME"]) == (
        "db.example",
        "5432",
        "ebdb",
    )
    assert (database["USER"], database["PASSWORD"]) == ("clerk", "p@ss/word%20+ #?é")


@pytest.mark.parametrize(
    "url",
    [
        *("mysql://db/shop", "db.example", "POSTGRES", " ", "sqlite://shop.db", "sqlite:///"),
        *("postgres://db:port/shop", "postgres://db:99999/shop"),
        *("postgres://db", "postgres://u@db/", "postgres://db/%20", "postgres://db/" + "x" * 64),
        *("postgres://db/shop ", "postgres://db/shop?sslmod=require"),
    ],
)
def test_database_that_cannot_be_is_refused(monkeypatch, url):
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SystemExit):
        Env().database(default="sqlite:///shop.db")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "with RDS_HOSTNAME until RDS_USERNAME and RDS_PASSWORD and RDS_DB_NAME are set too."),
        ({"RDS_USERNAME": "u", "RDS_PASSWORD": "p"}, "until RDS_DB_NAME is set too."),
        ({"RDS_PORT": "port"}, "until RDS_PORT is a whole number from 1 to 65535."),
        ({"RDS_HOSTNAME": "db/shop"}, "until RDS_HOSTNAME is the name of a host."),
    ],
)
def test_database_of_beanstalk_is_told_whole(monkeypatch, capsys, given, told):
    whole = {"RDS_USERNAME": "u", "RDS_PASSWORD": "p", "RDS_DB_NAME": "n"}
    if "RDS_PORT" in given or "RDS_HOSTNAME" in given:
        given = whole | given
    for name in ("DATABASE_URL", *whole):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"RDS_HOSTNAME": "db.example"} | given).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        Env().database(default="sqlite:///shop.db")
    assert capsys.readouterr().err.endswith(f"{told}\n")


def test_database_is_a_file_in_memory_or_behind_a_socket(monkeypatch):
    for url, name, host in (
        ("sqlite:////srv/my shop.db", "/srv/my shop.db", ""),
        ("sqlite://:memory:", ":memory:", None),
        ("postgresql:///shop", "shop", ""),
        ("postgres:////var/run/shop", "shop", "/var/run"),
        ("postgres://db/shop?sslmode=require&application_name=a", "shop", "db"),
    ):
        monkeypatch.setenv("DATABASE_URL", url)
        database = Env().database(default="")
        assert (database["NAME"], database.get("HOST")) == (name, host)


def test_several_hosts_are_one_database(monkeypatch):
    url = "postgres://a:b@one:5432,two:5433/shop?target_session_attrs=read-write"
    monkeypatch.setenv("DATABASE_URL", url)
    database = Env().database(default="")
    assert (database["HOST"], database["PORT"]) == ("one,two", "5432,5433")


def test_cache_is_named_by_a_scheme_that_is_known(monkeypatch):
    for url in ("redis://127.0.0.1:6379/0", "rediss://:hush@cache.example", "redis://[::1]:1/3"):
        monkeypatch.setenv("CACHE_URL", url)
        assert "Redis" in Env().cache("CACHE_URL")["BACKEND"]
    for url in (
        *("nonsense://x", "locmemcache://", "redis://", "redis://x:y/0", "redis://x:0/0"),
        *("redis://x/one", "redis://x:99999/0", "x:6379", " "),
    ):
        monkeypatch.setenv("CACHE_URL", url)
        with pytest.raises(SystemExit):
            Env().cache("CACHE_URL")
