from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest

from service import ROOT
from service.app import ROUTES
from service.setting_checks import OWN_PATHS
from service.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("no_settings")

Load: TypeAlias = "Callable[[dict[str, str]], Settings]"


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Return a function that loads the settings from variables alone."""

    def load(variables: dict[str, str]) -> Settings:
        for name, value in ({"DATABASE_URL": "postgresql://db/app"} | variables).items():
            monkeypatch.setenv(name, value)
        return load_settings(tmp_path / "missing.env")

    return load


@pytest.mark.parametrize(
    "url",
    [
        "",
        "embedded:",
        "localhost",
        "mysql://db/app",
        "postgresql://user@db",
        "postgresql://user:pa#ss@db/app",
        "postgresql://user:pa/ss@db/app",
        "postgresql://user:pa?ss@db/app",
        "postgresql://user:pa@ss@db/app",
        "postgresql://user:pa@x/ss@db/app",
        "postgresql://user:pa%ss@db/app",
        "postgresql://user:pa@[ss@db/app",
        "postgresql://user@db:port/app",
        "postgresql://user@db:99999/app",
        "postgresql://user@one:1,db:99999/app",
        "postgresql://user@a..b/app",
        f"postgresql://user@{'a' * 64}/app",
        "postgresql://user:%ff@db/app",
        "postgresql://user:se%00ss@db/app",
        "postgresql://user@db/app?password=pass@ss@",
        "postgresql://user@db/a pp",
    ],
)
def test_a_bad_database_url_is_refused_and_not_shown(url: str, load: Load) -> None:
    with pytest.raises(SettingsError, match=r"^DATABASE_URL: ") as raised:
        load({"DATABASE_URL": url})
    assert "ss@" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "normalised"),
    [
        ("postgres://u:p%40ss@db:5433/app?sslmode=require", None),
        ("postgresql+asyncpg://u@db/app", "postgresql://u@db:5432/app"),
        ("embedded:/var/lib/a b", "embedded:/var/lib/a b"),
        ("embedded:data", f"embedded:{ROOT}/data"),
    ],
)
def test_database_urls_are_completed(url: str, normalised: str | None, load: Load) -> None:
    expected = normalised or url.replace("postgres://", "postgresql://")
    assert load({"DATABASE_URL": url}).database_url == expected


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("", ()),
        ("http://localhost:3000", ("http://localhost:3000",)),
        (" https://a.example , http://[::1]:3000,", ("https://a.example", "http://[::1]:3000")),
    ],
)
def test_origins_are_split_and_stripped(value: str, origins: tuple[str, ...], load: Load) -> None:
    assert load({"CORS_ORIGINS": value}).cors_origins == origins


@pytest.mark.parametrize(
    "value",
    [
        "*",
        "null",
        "localhost:3000",
        "https://a.example/",
        "https://*.a",
        "https://a.example:443",
        "http://a.example:80",
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(value: str, load: Load) -> None:
    with pytest.raises(SettingsError, match=r"^CORS_ORIGINS: "):
        load({"CORS_ORIGINS": f"https://good.example,{value}"})


@pytest.mark.parametrize("hosts", ["Git.example", "git.example:443", " git.example , x.example"])
def test_git_hosts_are_normalised(load: Load, hosts: str) -> None:
    settings = load({"GIT_HOSTS": hosts, "GIT_TOKEN_HOST": "GIT.example:443"})
    assert settings.git_hosts[0] == settings.git_token_host == "git.example"


def test_allowed_hosts_are_names_as_browsers_send_them(load: Load) -> None:
    value = "Hub.Example.com., *.example.org,my_service,10.0.0.5,[2001:DB8:0::1],2001:db8::2,*"
    assert load({"ALLOWED_HOSTS": value}).allowed_hosts == (
        "hub.example.com",
        "*.example.org",
        "my_service",
        "10.0.0.5",
        "[2001:db8::1]",
        "[2001:db8::2]",
        "*",
    )


@pytest.mark.parametrize(
    "value",
    [
        "https://hub.example.com",
        "hub.example.com:443",
        "hub.example.com/",
        "user@hub.example.com",
        "a b",
        "h\u00fcb.example",
        "**.example.com",
        "*example.com",
        ".example.com",
        "a..b",
        "[2001:db8::1]:8000",
        "[:::]",
        "[1]",
    ],
)
def test_a_host_with_more_than_a_name_is_refused(value: str, load: Load) -> None:
    with pytest.raises(SettingsError, match=r"^ALLOWED_HOSTS: "):
        load({"ALLOWED_HOSTS": f"good.example,{value}"})


@pytest.mark.parametrize(
    ("value", "root_path"),
    [
        ("", ""),
        ("/hub", "/hub"),
        ("/hub/", "/hub"),
        ("/a/b-c.d_e~f/.g/...", "/a/b-c.d_e~f/.g/..."),
        ("/", ""),
    ],
)
def test_a_root_path_is_kept_without_its_last_slash(value: str, root_path: str, load: Load) -> None:
    assert load({"ROOT_PATH": value}).root_path == root_path


@pytest.mark.parametrize(
    "value",
    [
        "hub",
        "//hub",
        "/hub//x",
        "/a b",
        "/a%20b",
        "/h\u00fcb",
        "https://x/hub",
        "/hub?x",
        "/..",
        "/a/./b",
        "/api",
        "/api/hub",
        "/openapi.json",
    ],
)
def test_a_root_path_that_is_no_path_or_one_of_the_service_is_refused(
    value: str, load: Load
) -> None:
    with pytest.raises(SettingsError, match=r"^ROOT_PATH: "):
        load({"ROOT_PATH": value})


def test_no_path_of_the_service_can_be_the_root_path() -> None:
    assert {route.path.split("/")[1] for route in ROUTES} - {""} == set(OWN_PATHS)


def test_the_largest_port_is_65535(load: Load) -> None:
    assert load({"BACKEND_PORT": "65535"}).port == 65535
    with pytest.raises(SettingsError, match=r"^BACKEND_PORT: "):
        load({"BACKEND_PORT": "65536"})


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"API_TOKEN_FOR_READS": "true"}, "API_TOKEN_FOR_READS: needs API_TOKEN"),
        ({"API_READ_TOKEN": "hunter2"}, "API_READ_TOKEN: needs API_TOKEN and API_TOKEN_FOR_READS"),
        (
            {"API_READ_TOKEN": "hunter2", "API_TOKEN": "x"},
            "API_READ_TOKEN: needs API_TOKEN and API_TOKEN_FOR_READS=true",
        ),
        (
            {"API_READ_TOKEN": "hunter2", "API_TOKEN_FOR_READS": "true"},
            "API_TOKEN_FOR_READS: needs API_TOKEN",
        ),
        (
            {"API_READ_TOKEN": "hunter2", "API_TOKEN": "hunter2", "API_TOKEN_FOR_READS": "true"},
            "API_READ_TOKEN: is the same as API_TOKEN",
        ),
        ({"GIT_TOKEN_HOST": "elsewhere.example"}, "GIT_TOKEN_HOST: must be one of GIT_HOSTS"),
        ({"GIT_TOKENS": "elsewhere.example=x"}, "GIT_TOKENS: each host must be one of GIT_HOSTS"),
        (
            {"GIT_TOKENS": "github.com=x", "GIT_TOKEN": "y"},
            "GIT_TOKENS: has a token for GIT_TOKEN_HOST, as GIT_TOKEN is",
        ),
        (
            {"GIT_TOKENS": "hunter2"},
            "GIT_TOKENS: each is host=token or host=user:token, separated by commas",
        ),
        (
            {"GIT_PROTOCOLS": "http"},
            "GIT_PROTOCOLS: must have https, since the URL of every source begins with it",
        ),
        (
            {"GIT_PROTOCOLS": " , "},
            "GIT_PROTOCOLS: must have https, since the URL of every source begins with it",
        ),
        *(
            (
                {"GIT_PROTOCOLS": protocols},
                "GIT_PROTOCOLS: each must be one of https, http, ssh, git, file, ftps, ftp",
            )
            for protocols in ("htps", "https,htps", "https;http", "https,HTTP", "https,ext", "all")
        ),
        ({"GIT_PROXY": "proxy:3128"}, "GIT_PROXY: must be a URL as in http://proxy:3128"),
        ({"GIT_NO_PROXY": "*.example"}, "GIT_NO_PROXY: each host is a name"),
        ({"GIT_HOSTS": "github.com:99999"}, "GIT_HOSTS: each host is a name"),
        ({"GIT_HOSTS": "-x.example"}, "GIT_HOSTS: each host is a name"),
        ({"GIT_HOSTS": "under_score"}, "GIT_HOSTS: each host is a name"),
        ({"GIT_HOSTS": " , "}, "GIT_HOSTS: names no host"),
        ({"GIT_CONFIG_GLOBAL": "relative"}, "GIT_CONFIG_GLOBAL: must be an absolute path"),
        ({"GIT_CONFIG_GLOBAL": "/not/there"}, "GIT_CONFIG_GLOBAL: cannot be read as a file"),
        ({"GIT_CONFIG_GLOBAL": "/"}, "GIT_CONFIG_GLOBAL: cannot be read as a file"),
        ({"GIT_CONFIG_GLOBAL": "/" + "x" * 300}, "GIT_CONFIG_GLOBAL: cannot be read as a file"),
    ],
)
def test_invalid_git_and_token_settings_are_refused(
    load: Load, variables: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        load(variables)
    assert str(raised.value).startswith(said)
