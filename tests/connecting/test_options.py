"""The table of options: libpq's own list, and a decision on each."""

from __future__ import annotations

import re

import pytest
from psycopg import pq

from service import ROOT
from service.connecting.options import OPTIONS, VARIABLES
from service.connecting.url import UrlError, read_url
from tests.docs.markdown import read_rows

HONOURED = {
    "host=db", "port=5433", "dbname=x", "user=u", "passfile=/p", "target_session_attrs=read-write",
    "load_balance_hosts=random", "connect_timeout=10", "application_name=a",
    "fallback_application_name=a", "options=-c%20search_path=x", "client_encoding=utf8",
    "replication=false", "min_protocol_version=3.0", "sslmode=allow", "sslrootcert=/r",
    "sslcert=/c", "sslkey=/k", "sslpassword=p", "sslcertmode=disable", "sslcrl=/c", "sslcrldir=/d",
    "ssl_min_protocol_version=TLSv1.3", "ssl_max_protocol_version=tlsv1.3", "sslsni=1",
    "channel_binding=require", "krbsrvname=x",
}  # fmt: skip
IGNORED = {
    "keepalives=0", "keepalives_idle=60", "keepalives_interval=5", "keepalives_count=3",
    "tcp_user_timeout=10000", "sslcompression=1", "gssencmode=prefer", "gsslib=gssapi",
    "gssdelegation=1", "max_protocol_version=3.2",
}  # fmt: skip
REFUSED = {
    "hostaddr=127.0.0.1", "require_auth=scram-sha-256", "requirepeer=postgres", "sslsni=0",
    "sslcertmode=require", "sslkeylogfile=/k", "gssencmode=require", "replication=database",
    "min_protocol_version=3.2", "client_encoding=LATIN1", "scram_client_key=k",
    "scram_server_key=k", "oauth_issuer=i", "oauth_client_id=i", "oauth_client_secret=hunter2",
    "oauth_scope=s",
}  # fmt: skip
WRONG = {
    "sslmode=no-verify", "sslmode=REQUIRE", "target_session_attrs=master", "connect_timeout=soon",
    "connect_timeout=99999999999", "connect_timeout=1.5", "channel_binding=yes", "sslcompression=2",
    "keepalives_idle=x", "load_balance_hosts=yes", "ssl_min_protocol_version=SSLv3", "port=0",
    "port=65536", "port=x", "port=1,2", "sslnegotiation=direct", "host=@abstract", "host=a,,b",
    "sslrootcert=system%26sslmode=require", "ssl=false",
}  # fmt: skip


def names(queries: set[str]) -> set[str]:
    return {query.partition("=")[0] for query in queries}


def test_the_options_are_those_of_libpq_with_their_variables() -> None:
    options = {
        option.keyword.decode(): (option.envvar or b"").decode()
        for option in pq.Conninfo.get_defaults()
    }
    assert {name: option.variable for name, option in OPTIONS.items()} == options
    assert {variable for variable in options.values() if variable} <= VARIABLES


def test_there_is_a_decision_on_every_option() -> None:
    apart = {"service", "password", "sslnegotiation"}  # see the other tests
    assert names(HONOURED | IGNORED | REFUSED) | apart == set(OPTIONS)
    assert names(IGNORED) == {name for name, option in OPTIONS.items() if option.is_ignored}


def test_the_reference_has_every_option_once() -> None:
    rows = read_rows(ROOT / "docs/reference.md", "DATABASE_URL")
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row[0])]
    assert sorted(named) == sorted([*OPTIONS, "ssl"])


@pytest.mark.parametrize("query", sorted(HONOURED | IGNORED))
def test_an_option_that_both_drivers_can_do_without_harm_is_taken(query: str) -> None:
    name = query.partition("=")[0]
    base = {"host": "postgresql://u@/app", "user": "postgresql://db/app"}
    base |= {"dbname": "postgresql://u@db"}
    address = read_url(f"{base.get(name, 'postgresql://u@db/app')}?{query}")
    assert address.ignored == ([name] if query in IGNORED else [])


@pytest.mark.parametrize("query", sorted(REFUSED | WRONG))
def test_an_option_that_a_driver_lacks_or_a_wrong_value_is_refused_by_name(query: str) -> None:
    query = query.replace("%26", "&")
    separator = "postgresql://u@/app" if query.startswith("host=") else "postgresql://u@db/app"
    with pytest.raises(UrlError) as raised:
        read_url(f"{separator}?{query}")
    name, _, value = query.partition("=")
    assert {"ssl": "sslmode"}.get(name, name) in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert value != "LATIN1" or value not in str(raised.value)
