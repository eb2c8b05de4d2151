"""How environment variables are read."""

import pytest

from shopply.knobs import Env


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
    for url in ("mysql://db/shop", "postgres://db:port/shop", "db.example", "POSTGRES"):
        monkeypatch.setenv("DATABASE_URL", url)
        with pytest.raises(SystemExit):
            Env().database(default="sqlite:///shop.db")


def test_several_hosts_are_one_database(monkeypatch):
    url = "postgres://a:b@one:5432,two:5433/shop?target_session_attrs=read-write"
    monkeypatch.setenv("DATABASE_URL", url)
    database = Env().database(default="")
    assert (database["HOST"], database["PORT"]) == ("one,two", "5432,5433")


def test_cache_is_named_by_a_scheme_that_is_known(monkeypatch):
    monkeypatch.setenv("CACHE_URL", "redis://127.0.0.1:6379/0")
    assert "Redis" in Env().cache("CACHE_URL")["BACKEND"]
    monkeypatch.setenv("CACHE_URL", "nonsense://x")
    with pytest.raises(SystemExit):
        Env().cache("CACHE_URL")
