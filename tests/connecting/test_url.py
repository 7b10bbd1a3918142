"""DATABASE_URL taken to pieces, completed from the environment, and put together again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from service.connecting.libpq import libpq_parameters
from service.connecting.url import DEFAULT_HOSTS, Address, Host, UrlError, read_url

if TYPE_CHECKING:
    from pathlib import Path

ME = read_url("postgresql://db/app").user

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
HOST = st.builds(
    Host,
    st.sampled_from(["db", "db.example.com", "10.0.0.1", "::1", "fe80::1", "/run/a b", "/r@:x?%"]),
    st.integers(1, 65535),
)


@given(
    st.builds(
        Address,
        hosts=st.lists(HOST, min_size=1, max_size=3).map(tuple),
        database=TEXT,
        user=TEXT,
        password=st.none() | TEXT,
        options=st.dictionaries(st.sampled_from(["options", "application_name", "passfile"]), TEXT),
    )
)
def test_the_complete_url_is_the_same_address_again(address: Address) -> None:
    assert read_url(address.url) == address


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://u@db/app", [("db", 5432)]),
        ("postgresql://u@one:1,two/app", [("one", 1), ("two", 5432)]),
        ("postgresql://u@[::1]:5433,10.0.0.1/app", [("::1", 5433), ("10.0.0.1", 5432)]),
        ("postgresql://u@[::1]/app", [("::1", 5432)]),
        ("postgresql://u@db:/app", [("db", 5432)]),
        ("postgresql://u@[::1]:,db:7/app", [("::1", 5432), ("db", 7)]),
        ("postgresql://u@/app?host=/run/x", [("/run/x", 5432)]),
        ("postgresql://u@%2Frun%2Fx:5433/app", [("/run/x", 5433)]),
        ("postgresql://u@localhost/app?host=/cloudsql/p:r:i", [("/cloudsql/p:r:i", 5432)]),
        ("postgresql://u@localhost:5433/app?host=%2Frun%2Fx", [("/run/x", 5433)]),
        ("postgresql://u@/app?host=/one,two&port=1,2", [("/one", 1), ("two", 2)]),
        ("postgresql://u@/app?host=one,two&port=1", [("one", 1), ("two", 1)]),
        ("postgresql://u@one,two/app?port=7", [("one", 7), ("two", 7)]),
        ("postgresql:///app?host=db", [("db", 5432)]),
        ("postgresql:///app?user=u", [(host, 5432) for host in DEFAULT_HOSTS]),
        ("postgresql://u@:5433/app", [(host, 5433) for host in DEFAULT_HOSTS]),
    ],
)
def test_hosts_and_ports_are_read_as_by_libpq(url: str, hosts: list[tuple[str, int]]) -> None:
    assert list(read_url(url).hosts) == hosts


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u@db/app?sslmod=require", "'sslmod'"),
        ("postgresql://u@db/app?SSLMODE=require", "'SSLMODE'"),
        ("postgresql://u@db/app?pgbouncer=true", "'pgbouncer'"),
        ("postgresql://u@db/app?database=x", "'database'"),
        ("postgresql://u@db/app?search_path=x", "'search_path'"),
        ("postgresql://u@db/app?hunter2;x=1", "the option after the ?"),
        ("postgresql://u@db/app?sslmode", "the option sslmode has no value"),
        ("postgresql://u@db/app?sslmode=", "the option sslmode has no value"),
        ("postgresql://u@db/app?", None),
        ("postgresql://u@db/app?sslmode=require&", "the option after the ?"),
        ("postgresql://u@db/app?sslmode=require&sslmode=require", "sslmode is given twice"),
        ("postgresql://u@db/app?ssl=true&sslmode=require", "sslmode is given twice"),
        ("postgresql://u@db/app?host=other", "host is given twice"),
        ("postgresql://u@db/app?host=/one&host=/two", "host is given twice"),
        ("postgresql://u@db/app?user=u", "user is given twice"),
        ("postgresql://u@db/app?dbname=app", "dbname is given twice"),
        ("postgresql://u@db:1/app?port=1", "port is given twice"),
        ("postgresql://u:hunter2@db/app?password=hunter2", "write it before the host"),
        ("postgresql://u@one,two/app?port=1,2,3", "has 2 hosts, but 3 ports"),
        ("postgresql://u@one,,two/app", "each host must be"),
        ("postgresql://u@db:0/app", "port must be a port"),
        ("postgresql://u@db/app?application_name=%ff", "is not a valid URL"),
        ("postgresql://u@db/app?application_name=%0", "is not a valid URL"),
        ("postgresql://u@db/app?channel_binding=require&sslmode=disable", "channel_binding"),
        ("postgresql://u@/app?host=/run&channel_binding=require", "channel_binding=require"),
        ("postgresql://u@db", "names no database"),
    ],
)
def test_what_cannot_be_used_is_refused_without_its_value(url: str, said: str | None) -> None:
    if said is None:
        assert read_url(url).options == {}
        return
    with pytest.raises(UrlError) as raised:
        read_url(url)
    assert said in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_escapes_are_decoded_and_a_plus_is_a_plus() -> None:
    address = read_url("postgresql://%C3%A9:p%3Aw@db/a%2Fb?application%5Fname=a+b%20c")
    assert (address.user, address.password, address.database) == ("é", "p:w", "a/b")
    assert address.options == {"application_name": "a+b c"}


@pytest.mark.parametrize(
    "password", ["[YOUR-PASSWORD]", "a]b[", "[::1]", "[", "℀", "a;b!$&'()*+,="]
)
def test_a_password_may_have_every_character_that_libpq_takes(password: str) -> None:
    url = f"postgresql://u:{password}@[::1]:5433/app"
    address = read_url(url)
    assert (address.password, address.hosts[0]) == (password, ("::1", 5433))
    assert conninfo_to_dict(url)["password"] == password


@pytest.mark.parametrize(
    ("variable", "value", "option"),
    [
        ("PGSSLMODE", "require", "sslmode"),
        ("PGREQUIRESSL", "1", "sslmode"),
        ("PGSSLROOTCERT", "/r", "sslrootcert"),
        ("PGAPPNAME", "mine", "application_name"),
        ("PGOPTIONS", "-c work_mem=8MB", "options"),
        ("PGCONNECT_TIMEOUT", "3", "connect_timeout"),
        ("PGTARGETSESSIONATTRS", "primary", "target_session_attrs"),
        ("PGPASSFILE", "/p", "passfile"),
    ],
)
def test_a_variable_counts_where_the_url_says_nothing(
    variable: str, value: str, option: str
) -> None:
    expected = "require" if variable == "PGREQUIRESSL" else value
    address = read_url("postgresql://u@db/app", {variable: value})
    assert address.options == {option: expected}
    assert read_url(address.url) == address
    said = {"sslmode": "disable", "connect_timeout": "9", "target_session_attrs": "any"}
    wanted = said.get(option, "other")
    address = read_url(f"postgresql://u@db/app?{option}={wanted}", {variable: value})
    assert address.options == {option: wanted}
    assert read_url("postgresql://u@db/app", {variable: f"{value}\r\n"}).options == {
        option: expected
    }


def test_host_user_password_and_database_may_come_from_the_environment() -> None:
    variables = {
        "PGHOST": "a,b",
        "PGPORT": "1,2",
        "PGUSER": "u",
        "PGPASSWORD": "p@",
        "PGDATABASE": "d",
    }
    address = read_url("postgresql://", variables)
    assert address.url == "postgresql://u:p%40@a:1,b:2/d"
    with_ends = {name: f" {value}\n" for name, value in variables.items()}
    assert read_url("postgresql://", with_ends) == address
    assert read_url("postgresql://x:y@h:3/e", variables).url == "postgresql://x:y@h:3/e"
    empty = dict.fromkeys([*variables, "PGSSLMODE", "PGREQUIREAUTH"], "")
    assert read_url("postgresql://db/app", empty) == read_url("postgresql://db/app")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PGREQUIREAUTH", "hunter2"), ("PGHOSTADDR", "hunter2"), ("PGSSLMODE", "hunter2")],
)
def test_a_variable_that_cannot_be_honoured_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(UrlError, match=f"environment variable {variable} ") as raised:
        read_url("postgresql://u@db/app", {variable: value})
    assert "hunter2" not in str(raised.value)


def test_a_service_is_read_from_its_file_and_comes_after_the_url(tmp_path: Path) -> None:
    file = tmp_path / "services"
    file.write_text(
        "# comment\n[other]\nhost=wrong\n[main]\nhost=db\nport=5433\nuser=u\n"
        "password=100%sure\nsslmode=require\n\n[last]\nhost=wrong\n"
    )
    environment = {"PGSERVICEFILE": str(file), "PGSSLMODE": "disable", "PGUSER": "nobody"}
    address = read_url("postgresql:///app?service=main&port=1", environment)
    assert address.url == "postgresql://u:100%25sure@db:1/app?sslmode=require"
    assert address == read_url("postgresql://:1/app", environment | {"PGSERVICE": "main"})
    with pytest.raises(UrlError, match="names a service that no service file has"):
        read_url("postgresql:///app?service=missing", environment)
    file.write_text("[main]\nhost=db\nsecret hunter2\n")
    with pytest.raises(UrlError, match="no connection option") as raised:
        read_url("postgresql:///app?service=main", environment)
    assert "hunter2" not in str(raised.value)


def test_a_url_without_a_user_is_for_the_account_of_the_process() -> None:
    environment = {"USER": "someone", "LOGNAME": "someone"}  # which libpq does not look at
    assert read_url("postgresql://db/app", environment).user == ME
    assert os.getuid() != 0 or ME == "root"


def test_libpq_gets_the_same_address() -> None:
    url = "postgresql://u:p%27w@[::1]:1,/app?options=-c%20x=y&connect_timeout=0"
    with pytest.raises(UrlError):
        read_url(url)
    address = read_url(url.replace(",/", ",b/"))
    assert libpq_parameters(address) == {
        "host": "::1,b",
        "port": "1,5432",
        "dbname": "app",
        "user": "u",
        "password": "p'w",
        "options": "-c x=y",
    }
