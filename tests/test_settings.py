from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from service import ROOT
from service.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("no_settings")


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
        api_read_token=None,
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
        sync_concurrency=4,
        sync_timeout=300.0,
        sync_max_bytes=268_435_456,
        sync_max_files=50_000,
        sync_history_commits=2000,
        sync_max_queued=10_000,
        max_projects=10_000,
        max_sources_per_project=1000,
        max_documents_per_project=200_000,
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
        "API_READ_TOKEN": "hunter2 hunter2",
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
        "SYNC_HISTORY_COMMITS": "-1",
        "MAX_PROJECTS": "0",
        "MAX_SOURCES_PER_PROJECT": "-1",
        "MAX_DOCUMENTS_PER_PROJECT": "many",
    }
    for name, value in bad.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        load_settings(no_file)
    lines = str(raised.value).splitlines()
    assert {line.partition(":")[0] for line in lines} == {"DATABASE_URL", *bad}
    assert len(lines) == len(bad) + 1
    assert "hunter2" not in str(raised.value)


def test_repr_shows_no_password_and_no_token(
    no_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://app:hunter2@db/app")
    monkeypatch.setenv("API_TOKEN", "hunter2-changes")
    monkeypatch.setenv("API_READ_TOKEN", "hunter2-reads")
    monkeypatch.setenv("API_TOKEN_FOR_READS", "true")
    assert "hunter2" not in repr(load_settings(no_file))


def test_a_binary_env_file_is_one_error_line(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_bytes(b"DATABASE_URL=\xff")
    with pytest.raises(SettingsError, match=r"^\.env: cannot be read as UTF-8 text$"):
        load_settings(env_file)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('DATABASE_URL=x\nAPI_TOKEN="hunter2\nLOG_LEVEL=INFO\n', 2),
        ("DATABASE_URL=x\nAPI_TOKEN='hunter2\n", 2),
        ('DATABASE_URL=x\n\n# a comment\n\nAPI_TOKEN="hunter2" x\n', 5),
        ("API_TOKEN: hunter2\n", 1),
        ("DATABASE_URL=x\r\nAPI TOKEN=hunter2\r\n", 2),
        ("=hunter2\n", 1),
        ('{"API_TOKEN": "hunter2"}\n', 1),
    ],
)
def test_a_line_of_an_env_file_that_cannot_be_parsed_is_refused(
    text: str, line: int, tmp_path: Path
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_bytes(text.encode())
    with pytest.raises(SettingsError) as raised:
        load_settings(env_file)
    assert str(raised.value) == (
        f".env: line {line} is not NAME=value, or lacks a closing quotation mark"
    )


def test_an_env_file_may_have_every_form_that_the_parser_knows(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_bytes(
        "\ufeffexport DATABASE_URL='postgresql://u@h/db' # a comment\r\n".encode()
        + b"\r\n# a comment\r\n  LOG_LEVEL = DEBUG\r\nAPI_TOKEN=a#b$c # d\r\nGIT_TOKEN\r\n"
    )
    settings = load_settings(env_file)
    assert settings.database_url == "postgresql://u@h:5432/db"
    assert (settings.log_level, settings.api_token) == ("DEBUG", "a#b$c")


def test_an_env_file_may_be_a_pipe_as_of_a_manager_of_secrets(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    os.mkfifo(env_file)
    text = "DATABASE_URL=postgresql://u@h/db\nAPI_TOKEN=a-token\n"
    with ThreadPoolExecutor() as writer:
        written = writer.submit(env_file.write_text, text)
        assert load_settings(env_file).api_token == "a-token"
        written.result()
