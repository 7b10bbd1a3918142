from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.environment import SECRET_FILE_BYTES_MAX
from service.settings import Settings, SettingsError, load_settings

pytestmark = pytest.mark.usefixtures("no_settings")

SECRETS = {
    "API_TOKEN": "the-token-of-the-api",
    "BITBUCKET_WEBHOOK_SECRET": "a secret of Bitbucket's",
    "DATABASE_URL": "postgresql://user:pass@db:5432/app",
    "GITEA_WEBHOOK_SECRET": "a secret of Gitea's",
    "GITHUB_WEBHOOK_SECRET": "It's a secret to everybody",
    "GITLAB_WEBHOOK_SECRET": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "GIT_TOKEN": "ghp_0123456789",
    "MIGRATIONS_DATABASE_URL": "postgresql://user:pass@direct:5432/app",
}


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    file = tmp_path / ".env"
    file.write_text("DATABASE_URL=embedded:.postgres\n")
    return file


def read_secret(settings: Settings, name: str) -> str | None:
    return getattr(settings, name.lower())


def refusal(env_file: Path) -> str:
    with pytest.raises(SettingsError) as raised:
        load_settings(env_file)
    return str(raised.value)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "  ", "\t\n\n"])
def test_white_space_around_a_secret_is_dropped(
    name: str, end: str, env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, f" {SECRETS[name]}{end}")
    assert read_secret(load_settings(env_file), name) == SECRETS[name]


@pytest.mark.parametrize(
    ("name", "value"), [("BACKEND_HOST", "0.0.0.0"), ("LOG_LEVEL", "DEBUG"), ("GIT_HOSTS", "a.b")]
)
def test_white_space_around_other_settings_is_dropped(
    name: str, value: str, env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    expected = load_settings(env_file)
    monkeypatch.setenv(name, f" {value}\r\n")
    assert load_settings(env_file) == expected


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("\n", "has only white space"),
        ("  ", "has only white space"),
        ("one\ntwo", "has a line break or another invisible character in it"),
        ("one\r\ntwo", "has a line break"),
        ("one\x1b[0mtwo", "has a line break"),
        ("zero\u200bwidth", "has a line break"),
        ("bytes\udcff", "has a line break"),
        ("'quoted-secret'", "is in quotation marks"),
        ('"quoted-secret"', "is in quotation marks"),
    ],
)
def test_a_secret_that_could_never_match_is_refused(
    name: str, value: str, said: str, env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert refusal(env_file).startswith(f"{name}: {said}")
    assert "secret" not in refusal(env_file)


@pytest.mark.parametrize("name", ["API_TOKEN", "GIT_TOKEN"])
def test_a_token_that_no_header_can_carry_is_refused(
    name: str, env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "señor-of-the-api")
    assert refusal(env_file) == f"{name}: must be visible ASCII characters, without spaces"


def test_a_webhook_secret_may_have_letters_of_any_language(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", "Geheimnis für alle")
    assert load_settings(env_file).github_webhook_secret == "Geheimnis für alle"


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_secret_is_read_from_the_file_that_the_environment_names(
    name: str, mark: str, env_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a secret"
    file.write_text(f"{mark}{SECRETS[name]}\r\n")
    monkeypatch.setenv(f"{name}_FILE", str(file))
    assert read_secret(load_settings(env_file), name) == SECRETS[name]


def test_a_required_secret_may_come_from_a_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "url").write_text("postgresql://u@db:5432/app\n")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))
    assert load_settings(tmp_path / "missing.env").database_url == "postgresql://u@db:5432/app"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"\xff\xfes\x00", "the file is not UTF-8 text"),
        (b"\x7fELF\x00\x01", "has a line break or another invisible character in it"),
        (b"secret\nsecond line\n", "has a line break or another invisible character in it"),
        (b"x" * (SECRET_FILE_BYTES_MAX + 1), "the file has more than 64 KiB"),
    ],
)
@pytest.mark.parametrize("name", SECRETS)
def test_a_file_that_holds_no_secret_is_refused(
    name: str,
    content: bytes,
    said: str,
    env_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "secret").write_bytes(content)
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    assert refusal(env_file) == f"{name}_FILE: {said}"


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "loop", "too long", "endless"])
def test_a_file_that_cannot_be_read_is_refused_at_once(
    kind: str, env_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "too long":
        path = tmp_path / ("x" * 300)
    elif kind == "endless":
        path = Path("/dev/zero")
    monkeypatch.setenv("API_TOKEN_FILE", str(path))
    said = {
        "missing": "the file cannot be read: No such file or directory",
        "folder": "the file cannot be read: Is a directory",
        "pipe": "names a pipe or a device, not a file",
        "loop": "the file cannot be read: Too many levels of symbolic links",
        "endless": "names a pipe or a device, not a file",
        "too long": "the file cannot be read: File name too long",
    }
    assert refusal(env_file) == f"API_TOKEN_FILE: {said[kind]}"


def test_a_fault_of_the_value_is_that_of_the_file_which_gave_it(
    env_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("two words")
    monkeypatch.setenv("GIT_TOKEN_FILE", str(tmp_path / "secret"))
    assert refusal(env_file).startswith("GIT_TOKEN_FILE: must be visible ASCII")


def test_a_secret_and_its_file_together_are_refused(
    env_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", "the-token-of-the-api")
    monkeypatch.setenv("API_TOKEN_FILE", str(tmp_path / "secret"))
    assert refusal(env_file) == "API_TOKEN: and API_TOKEN_FILE are both set; remove one of them"


@pytest.mark.parametrize("empty", ["API_TOKEN", "API_TOKEN_FILE"])
def test_an_empty_variable_counts_as_not_set(
    empty: str, env_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("the-token-of-the-api")
    monkeypatch.setenv("API_TOKEN", "the-token-of-the-api")
    monkeypatch.setenv("API_TOKEN_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv(empty, "")
    assert load_settings(env_file).api_token == "the-token-of-the-api"


def test_the_environment_overrides_the_env_file_whichever_variable_each_has(
    env_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("postgresql://u@from-a-file:5432/app")
    monkeypatch.setenv("DATABASE_URL_FILE", str(secret))
    assert load_settings(env_file).database_url == "postgresql://u@from-a-file:5432/app"
    monkeypatch.delenv("DATABASE_URL_FILE")
    env_file.write_text(f"DATABASE_URL_FILE={secret}")
    assert load_settings(env_file).database_url == "postgresql://u@from-a-file:5432/app"
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@from-the-environment:5432/app")
    assert load_settings(env_file).database_url == "postgresql://u@from-the-environment:5432/app"
    monkeypatch.setenv("DATABASE_URL", "")  # and not the database of the file
    assert refusal(env_file) == "DATABASE_URL: is required and is not set"


@pytest.mark.parametrize("value", ["tcp://10.0.0.1:8000", "udp://10.0.0.1:53", "tcp://[fd00::1]:1"])
def test_a_port_that_kubernetes_sets_is_ignored_with_a_warning(
    value: str, env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKEND_PORT", value)
    monkeypatch.setenv("BACKEND_PORT_8000_TCP_PORT", "1234")
    monkeypatch.setenv("BACKEND_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("BACKEND_SERVICE_PORT", "1234")
    settings = load_settings(env_file)
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    [warning] = settings.warnings
    assert warning.setting == "BACKEND_PORT"
    env_file.write_text("DATABASE_URL=embedded:.postgres\nBACKEND_PORT=8001\n")
    assert load_settings(env_file).port == 8001


@pytest.mark.parametrize("value", ["http://10.0.0.1:8000", "10.0.0.1:8000", "tcp:8000"])
def test_other_values_that_are_no_port_are_refused(
    value: str, env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKEND_PORT", value)
    assert refusal(env_file) == "BACKEND_PORT: Not a valid integer"


def test_an_env_file_that_is_a_folder_is_one_error_line(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path.name}: cannot be read as UTF-8 text"
