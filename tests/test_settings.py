from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service import ROOT
from service.app import ROUTES
from service.settings import OWN_PATHS, Settings, SettingsError, load_settings
from tests.support.service import SETTING_NAMES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTING_NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def no_file(tmp_path: Path) -> Path:
    return tmp_path / "missing.env"


def test_the_committed_file_sets_a_developers_defaults() -> None:
    assert load_settings() == Settings(
        database_url=f"embedded:{ROOT}/.postgres",
        migrations_database_url=f"embedded:{ROOT}/.postgres",
        host="127.0.0.1",
        port=8000,
        cors_origins=("http://localhost:3000",),
        root_path="",
        allowed_hosts=(),
        log_level="INFO",
        log_format="auto",
        workers=1,
        database_pool_max=10,
        database_prepared_statements=True,
        health_timeout=1.0,
        drain=0.0,
        shutdown=30.0,
        trusted_proxies=("127.0.0.1", "::1"),
        api_token=None,
        api_token_for_reads=False,
        github_webhook_secret=None,
        gitlab_webhook_secret=None,
        gitea_webhook_secret=None,
        bitbucket_webhook_secret=None,
        git_hosts=("github.com", "gitlab.com", "codeberg.org", "bitbucket.org"),
        git_protocols=("https",),
        git_private_networks=False,
        git_proxy=None,
        git_no_proxy=(),
        git_config_global=None,
        git_token=None,
        git_token_host="github.com",
        git_tokens=(),
        sync_every_minutes=0.0,
        sync_concurrency=2,
        sync_timeout=300.0,
        sync_max_bytes=268_435_456,
        sync_max_files=50_000,
    )


def test_no_env_file_is_needed(no_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://app:secret@db/app")
    settings = load_settings(no_file)
    assert settings.database_url == "postgresql://app:secret@db:5432/app"
    assert settings.migrations_database_url == settings.database_url
    assert settings.port == 8000


def test_the_environment_overrides_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKEND_PORT", "8001")
    assert load_settings().port == 8001


def test_the_largest_port_is_65535(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKEND_PORT", "65535")
    assert load_settings().port == 65535
    monkeypatch.setenv("BACKEND_PORT", "65536")
    with pytest.raises(SettingsError, match=r"^BACKEND_PORT: "):
        load_settings()


def test_every_bad_variable_is_named_without_its_value(
    no_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = {
        "MIGRATIONS_DATABASE_URL": "mysql://hunter2@db/app",
        "BACKEND_HOST": " ",
        "BACKEND_PORT": "hunter2",
        "CORS_ORIGINS": "*",
        "ROOT_PATH": "hunter2",
        "ALLOWED_HOSTS": "https://hunter2",
        "LOG_LEVEL": "hunter2",
        "LOG_FORMAT": "hunter2",
        "WEB_CONCURRENCY": "0",
        "DATABASE_POOL_MAX": "1e3",
        "HEALTH_TIMEOUT_SECONDS": "nan",
        "DRAIN_SECONDS": "-1",
        "SHUTDOWN_SECONDS": "-0.5",
        "DATABASE_PREPARED_STATEMENTS": "hunter2",
        "FORWARDED_ALLOW_IPS": "hunter2",
        "API_TOKEN": "hunter2 hunter2",
        "API_TOKEN_FOR_READS": "hunter2",
        "BITBUCKET_WEBHOOK_SECRET": "'hunter2'",
        "GITEA_WEBHOOK_SECRET": "hunter2\nhunter2",
        "GITHUB_WEBHOOK_SECRET": "'hunter2'",
        "GITLAB_WEBHOOK_SECRET": "whsec_hunter2!",
        "GIT_HOSTS": "https://hunter2/",
        "GIT_PROTOCOLS": "hunter2!",
        "GIT_PRIVATE_NETWORKS": "hunter2",
        "GIT_CONFIG_GLOBAL": "hunter2",
        "GIT_TOKEN": "hunter2\nhunter2",
        "GIT_TOKEN_HOST": "hunter2/",
        "SYNC_EVERY_MINUTES": "0.01",
        "SYNC_CONCURRENCY": "17",
        "SYNC_TIMEOUT_SECONDS": "0",
        "SYNC_MAX_BYTES": "0",
        "SYNC_MAX_FILES": "0",
    }
    for name, value in bad.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        load_settings(no_file)
    lines = str(raised.value).splitlines()
    assert {line.partition(":")[0] for line in lines} == {"DATABASE_URL", *bad}
    assert len(lines) == len(bad) + 1
    assert "hunter2" not in str(raised.value)


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
        "postgresql://user:pa[ss@db/app",
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
def test_a_bad_database_url_is_refused_and_not_shown(
    url: str, no_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SettingsError, match=r"^DATABASE_URL: ") as raised:
        load_settings(no_file)
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
def test_database_urls_are_completed(
    url: str, normalised: str | None, no_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    expected = normalised or url.replace("postgres://", "postgresql://")
    assert load_settings(no_file).database_url == expected


def test_repr_shows_no_password(no_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://app:hunter2@db/app")
    assert "hunter2" not in repr(load_settings(no_file))


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("", ()),
        ("http://localhost:3000", ("http://localhost:3000",)),
        (" https://a.example , http://[::1]:3000,", ("https://a.example", "http://[::1]:3000")),
    ],
)
def test_origins_are_split_and_stripped(
    value: str, origins: tuple[str, ...], no_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/app")
    monkeypatch.setenv("CORS_ORIGINS", value)
    assert load_settings(no_file).cors_origins == origins


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
def test_an_origin_that_no_browser_sends_is_refused(
    value: str, no_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/app")
    monkeypatch.setenv("CORS_ORIGINS", f"https://good.example,{value}")
    with pytest.raises(SettingsError, match=r"^CORS_ORIGINS: "):
        load_settings(no_file)


def test_a_binary_env_file_is_one_error_line(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_bytes(b"DATABASE_URL=\xff")
    with pytest.raises(SettingsError, match=r"^\.env: cannot be read as UTF-8 text$"):
        load_settings(env_file)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"API_TOKEN_FOR_READS": "true"}, "API_TOKEN_FOR_READS: needs API_TOKEN"),
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
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize("hosts", ["Git.example", "git.example:443", " git.example , x.example"])
def test_git_hosts_are_normalised(monkeypatch: pytest.MonkeyPatch, hosts: str) -> None:
    monkeypatch.setenv("GIT_HOSTS", hosts)
    monkeypatch.setenv("GIT_TOKEN_HOST", "GIT.example:443")
    settings = load_settings()
    assert settings.git_hosts[0] == settings.git_token_host == "git.example"


def test_allowed_hosts_are_names_as_browsers_send_them(
    no_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://app:secret@db/app")
    value = "Hub.Example.com., *.example.org,my_service,10.0.0.5,[2001:DB8:0::1],2001:db8::2,*"
    monkeypatch.setenv("ALLOWED_HOSTS", value)
    assert load_settings(no_file).allowed_hosts == (
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
def test_a_host_with_more_than_a_name_is_refused(
    value: str, no_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://app:secret@db/app")
    monkeypatch.setenv("ALLOWED_HOSTS", f"good.example,{value}")
    with pytest.raises(SettingsError, match=r"^ALLOWED_HOSTS: "):
        load_settings(no_file)


@pytest.mark.parametrize(
    ("value", "root_path"),
    [("", ""), ("/hub", "/hub"), ("/hub/", "/hub"), ("/a/b-c.d_e~f", "/a/b-c.d_e~f"), ("/", "")],
)
def test_a_root_path_is_kept_without_its_last_slash(
    value: str, root_path: str, no_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://app:secret@db/app")
    monkeypatch.setenv("ROOT_PATH", value)
    assert load_settings(no_file).root_path == root_path


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
        "/api",
        "/api/hub",
        "/openapi.json",
    ],
)
def test_a_root_path_that_is_no_path_or_one_of_the_service_is_refused(
    value: str, no_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://app:secret@db/app")
    monkeypatch.setenv("ROOT_PATH", value)
    with pytest.raises(SettingsError, match=r"^ROOT_PATH: "):
        load_settings(no_file)


def test_no_path_of_the_service_can_be_the_root_path() -> None:
    assert {route.path.split("/")[1] for route in ROUTES} - {""} == set(OWN_PATHS)
