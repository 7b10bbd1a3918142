"""Settings: read from the environment or else from `.env`, and checked all at once."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address, ip_network
from pathlib import Path

from environs import EnvValidationError
from marshmallow import ValidationError, validate

from service import ROOT
from service.connecting.tls import check_files
from service.connecting.url import UrlError, read_url
from service.development import why_deployed
from service.environment import Environment, SettingWarning
from service.git.credentials import GitToken, parse_tokens
from service.git.names import HOST
from service.git.proxy import check_proxy
from service.webhooks.hosts import SIGNING_TOKEN, read_signing_key

EMBEDDED = "embedded:"
DEFAULT_FOLDER = ".postgres"  # in the committed .env

# An origin as browsers send it (RFC 6454, section 6.2): scheme, host and port.
ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")

PORT_MAX = 65535

# A host as browsers send it: a name of another script as its `xn--` form.
ALLOWED_HOST = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")

# Unreserved characters (RFC 3986, section 2.3): with others, paths that differ could be meant.
ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
# The first segments of the service's own paths, which would be taken for the prefix.
OWN_PATHS = ("api", "docs", "redoc", "metrics", "openapi.json")

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_FORMATS = ("auto", "console", "json")

DEFAULT_GIT_HOSTS = "github.com,gitlab.com,codeberg.org,bitbucket.org"
# Visible ASCII, which a header can carry; RFC 6750, section 2.1, allows even fewer characters.
TOKEN = re.compile(r"[!-~]{1,4096}")
API_TOKEN_LENGTH_MIN = 16  # on addresses that other machines reach
# Those of git's protocols that run no command which an operator's `insteadOf` could name.
GIT_PROTOCOLS = ("https", "http", "ssh", "git", "file", "ftps", "ftp")
SYNC_EVERY_MINUTES_MIN = 0.1


class SettingsError(Exception):
    """Settings are missing or invalid.

    `str()` has a line for each: the variable's name and what is wrong, never the value.
    """


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The operator's settings, with defaults filled in. Durations are in seconds.

    `repr()` leaves out the settings that may hold a secret.
    """

    # `embedded:` and an absolute path, or a complete `postgresql://…`: see connecting/url.py.
    database_url: str = field(repr=False)
    migrations_database_url: str = field(repr=False)
    host: str
    port: int
    cors_origins: tuple[str, ...]
    # The prefix of all paths where the proxy does not remove it, as in `/hub`; else empty.
    root_path: str
    # Names in `Host` besides those of loopback, in lower case; `*.` stands for all names below one,
    # `*` for every name. Empty: every name with a token, otherwise no other.
    allowed_hosts: tuple[str, ...]
    log_level: str
    log_format: str
    workers: int
    database_pool_max: int
    database_prepared_statements: bool
    health_timeout: float
    drain: float
    shutdown: float
    # Addresses and networks whose X-Forwarded-For is believed, or `*`.
    trusted_proxies: tuple[str, ...]
    # None: every client may do everything, so the service listens on loopback only.
    api_token: str | None = field(repr=False)
    api_token_for_reads: bool
    github_webhook_secret: str | None = field(repr=False)
    # A secret token, or a signing token, which begins with `whsec_`.
    gitlab_webhook_secret: str | None = field(repr=False)
    gitea_webhook_secret: str | None = field(repr=False)
    bitbucket_webhook_secret: str | None = field(repr=False)
    # `host` or `host:port`, in lower case.
    git_hosts: tuple[str, ...]
    git_protocols: tuple[str, ...]
    git_private_networks: bool
    git_proxy: str | None = field(repr=False)
    git_no_proxy: tuple[str, ...]
    git_config_global: str | None
    git_token: str | None = field(repr=False)
    git_token_host: str
    git_tokens: tuple[GitToken, ...]
    sync_every_minutes: float
    sync_concurrency: int
    sync_timeout: float
    sync_max_bytes: int
    sync_max_files: int
    # For the log of `serve`.
    warnings: tuple[SettingWarning, ...] = ()

    @property
    def only_loopback(self) -> str:
        """Return why the service may listen on loopback addresses only, or "" if it need not."""
        if self.api_token is None:
            return (
                "API_TOKEN: is required where BACKEND_HOST is not a loopback address, since "
                "whoever reaches the service could change everything; set it, or "
                "BACKEND_HOST=127.0.0.1"
            )
        if len(self.api_token) < API_TOKEN_LENGTH_MIN:
            return (
                f"API_TOKEN: has fewer than {API_TOKEN_LENGTH_MIN} characters, so it could be "
                "guessed where BACKEND_HOST is not a loopback address; "
                "set a random one, as from `openssl rand -hex 32`"
            )
        return ""


def load_settings(env_file: Path = ROOT / ".env") -> Settings:
    """Return the settings; a variable of the real environment overrides `env_file`.

    Raises SettingsError, which names every bad variable.
    """
    env = Environment()
    try:
        env.read_env(env_file, recurse=False)
    except (OSError, ValueError) as error:  # ValueError: a folder, or bytes that are not UTF-8
        raise SettingsError(f"{env_file.name}: cannot be read as UTF-8 text") from error

    database_url = env.secret("DATABASE_URL", validate=_check_database_url, is_required=True)
    settings = Settings(
        database_url=_complete_database_url(database_url),
        migrations_database_url=_complete_database_url(
            env.secret("MIGRATIONS_DATABASE_URL", database_url, validate=_check_database_url)
        ),
        host=env.text("BACKEND_HOST", "127.0.0.1", validate=_check_not_empty),
        port=env.int("BACKEND_PORT", 8000, validate=_between(0, 65535)),
        cors_origins=_split_list(
            env.text("CORS_ORIGINS", "http://localhost:3000", validate=_check_origins)
        ),
        root_path=env.text("ROOT_PATH", "", validate=_check_root_path).rstrip("/"),
        allowed_hosts=_normalise_allowed_hosts(
            env.text("ALLOWED_HOSTS", "", validate=_check_allowed_hosts)
        ),
        log_level=env.text("LOG_LEVEL", "INFO", validate=_one_of(*LOG_LEVELS)).upper(),
        log_format=env.text("LOG_FORMAT", "auto", validate=_one_of(*LOG_FORMATS)).lower(),
        workers=env.int("WEB_CONCURRENCY", 1, validate=_between(1, 64)),
        database_pool_max=env.int("DATABASE_POOL_MAX", 10, validate=_between(1, 1000)),
        database_prepared_statements=env.bool("DATABASE_PREPARED_STATEMENTS", True),
        health_timeout=env.float("HEALTH_TIMEOUT_SECONDS", 1.0, validate=_between(0.05, 60)),
        drain=env.float("DRAIN_SECONDS", 0.0, validate=_between(0, 3600)),
        shutdown=env.float("SHUTDOWN_SECONDS", 30.0, validate=_between(0, 3600)),
        trusted_proxies=_split_list(
            env.text("FORWARDED_ALLOW_IPS", "127.0.0.1,::1", validate=_check_proxies)
        ),
        api_token=env.secret("API_TOKEN", validate=_check_token) or None,
        api_token_for_reads=env.bool("API_TOKEN_FOR_READS", False),
        github_webhook_secret=env.secret("GITHUB_WEBHOOK_SECRET") or None,
        gitlab_webhook_secret=(
            env.secret("GITLAB_WEBHOOK_SECRET", validate=_check_gitlab_secret) or None
        ),
        gitea_webhook_secret=env.secret("GITEA_WEBHOOK_SECRET") or None,
        bitbucket_webhook_secret=env.secret("BITBUCKET_WEBHOOK_SECRET") or None,
        git_hosts=_normalise_git_hosts(
            env.text("GIT_HOSTS", DEFAULT_GIT_HOSTS, validate=_check_git_hosts)
        ),
        git_protocols=_split_list(
            env.text("GIT_PROTOCOLS", "https", validate=_check_git_protocols)
        ),
        git_private_networks=env.bool("GIT_PRIVATE_NETWORKS", False),
        git_proxy=env.secret("GIT_PROXY", validate=_check_git_proxy) or None,
        git_no_proxy=_normalise_git_hosts(
            env.text("GIT_NO_PROXY", "", validate=_check_git_no_proxy)
        ),
        git_config_global=env.text("GIT_CONFIG_GLOBAL", "", validate=_check_git_config) or None,
        git_token=env.secret("GIT_TOKEN", validate=_check_token) or None,
        git_token_host=_normalise_git_host(
            env.text("GIT_TOKEN_HOST", "", validate=_check_git_host)
        ),
        git_tokens=parse_tokens(env.secret("GIT_TOKENS", validate=_check_git_tokens)),
        sync_every_minutes=env.float("SYNC_EVERY_MINUTES", 0.0, validate=_check_sync_every),
        sync_concurrency=env.int("SYNC_CONCURRENCY", 2, validate=_between(0, 16)),
        sync_timeout=env.float("SYNC_TIMEOUT_SECONDS", 300.0, validate=_between(1, 3600)),
        sync_max_bytes=env.int("SYNC_MAX_BYTES", 268_435_456, validate=_between(1, 10**10)),
        sync_max_files=env.int("SYNC_MAX_FILES", 50_000, validate=_between(1, 1_000_000)),
        warnings=tuple(env.warnings),
    )
    try:
        env.seal()
    except EnvValidationError as error:
        raise SettingsError(_describe(error)) from None
    if settings.database_url == f"{EMBEDDED}{ROOT / DEFAULT_FOLDER}" and not env.is_set(
        "DATABASE_URL"
    ):
        _refuse_default_database()
    if not settings.git_token_host:
        settings = replace(settings, git_token_host=settings.git_hosts[0])
    if settings.git_token_host not in settings.git_hosts:
        raise SettingsError("GIT_TOKEN_HOST: must be one of GIT_HOSTS")
    token_hosts = {token.host for token in settings.git_tokens}
    if not token_hosts <= set(settings.git_hosts):
        raise SettingsError("GIT_TOKENS: each host must be one of GIT_HOSTS")
    if settings.git_token and settings.git_token_host in token_hosts:
        raise SettingsError("GIT_TOKENS: has a token for GIT_TOKEN_HOST, as GIT_TOKEN is")
    if settings.api_token_for_reads and not settings.api_token:
        raise SettingsError("API_TOKEN_FOR_READS: needs API_TOKEN, which is not set")
    return settings


def _refuse_default_database() -> None:
    """Raise SettingsError unless a developer runs the service."""
    if reason := why_deployed():
        raise SettingsError(
            "DATABASE_URL: is not set in the environment, and the default of .env, a private "
            f"database, is for developers only ({reason}); set DATABASE_URL to the URL of a "
            f"server, or to {EMBEDDED}{DEFAULT_FOLDER} if you want a private database"
        )


def _describe(error: EnvValidationError) -> str:
    messages = error.error_messages
    assert isinstance(messages, dict)
    return "\n".join(f"{name}: {_join_messages(texts)}" for name, texts in messages.items())


def _join_messages(texts: list[str]) -> str:
    if "Environment variable not set." in texts:
        return "is required and is not set"
    return "; ".join(text.rstrip(".") for text in texts)


def _check_not_empty(value: str) -> None:
    if not value.strip():
        raise ValidationError("is empty")


def _between(low: float, high: float) -> validate.Range:
    return validate.Range(low, high, error=f"must be between {low:g} and {high:g}")


def _one_of(*choices: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        if value.upper() not in {choice.upper() for choice in choices}:
            raise ValidationError(f"must be one of {', '.join(choices)}")

    return check


def _check_database_url(url: str) -> None:
    _check_not_empty(url)
    if url.startswith(EMBEDDED):
        if not url.removeprefix(EMBEDDED):
            raise ValidationError("embedded: needs a folder, as in embedded:.postgres")
        return
    try:
        check_files(read_url(url, os.environ))
    except UrlError as error:
        raise ValidationError(str(error)) from None


def _complete_database_url(url: str) -> str:
    if url.startswith(EMBEDDED):
        return f"{EMBEDDED}{ROOT / url.removeprefix(EMBEDDED)}"
    try:
        return read_url(url, os.environ).url
    except UrlError:  # an error of its own, which is raised with all others
        return ""


def _check_origins(value: str) -> None:
    for origin in _split_list(value):
        if origin == "*":
            raise ValidationError(
                "* is refused, since credentials are allowed: list each origin, "
                "as in http://localhost:3000,https://docs.example.com"
            )
        # Browsers leave out the scheme's default port: such an origin would never match.
        has_default_port = origin.endswith(":443" if origin.startswith("https:") else ":80")
        if not ORIGIN.fullmatch(origin) or has_default_port:
            raise ValidationError(
                "each origin is scheme://host[:port] in lower case, as browsers send it: without "
                "the port 80 of http or 443 of https, and with nothing after it"
            )


def _check_root_path(value: str) -> None:
    if value and not ROOT_PATH.fullmatch(value):
        raise ValidationError("must be a path that begins with a slash, as in /hub")
    if value.split("/")[1:2] in ([name] for name in OWN_PATHS):
        raise ValidationError("must not begin like a path of the service, such as /api")


def _normalise_allowed_hosts(value: str) -> tuple[str, ...]:
    return tuple(
        f"[{IPv6Address(name.strip('[]'))}]" if ":" in name else name.lower().removesuffix(".")
        for name in _split_list(value)
    )


def _check_allowed_hosts(value: str) -> None:
    for name in _split_list(value):
        if name != "*" and not (_is_ipv6(name) if ":" in name else ALLOWED_HOST.fullmatch(name)):
            raise ValidationError(
                "each is a name or an address as in a URL, without a scheme and a port, as in "
                "hub.example.com,*.example.com,10.0.0.5,[2001:db8::1], or *"
            )


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text[1:-1] if text.startswith("[") and text.endswith("]") else text)
    except ValueError:
        return False
    return True


def _check_proxies(value: str) -> None:
    for proxy in _split_list(value):
        if proxy == "*":
            continue
        try:
            ip_network(proxy)
        except ValueError:
            raise ValidationError(
                "each is an address or a network, as in 10.0.0.5,10.1.0.0/16, or *"
            ) from None


def _check_token(value: str) -> None:
    if value and not TOKEN.fullmatch(value):
        raise ValidationError("must be visible ASCII characters, without spaces")


def _check_gitlab_secret(value: str) -> None:
    if value.startswith(SIGNING_TOKEN):
        try:
            read_signing_key(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None


def _check_git_hosts(value: str) -> None:
    if not _split_list(value):
        raise ValidationError("names no host")
    for host in _split_list(value):
        _check_git_host(host)


def _check_git_host(value: str) -> None:
    host = HOST.fullmatch(value.lower())
    if value and not (host and int(host[4] or 0) <= PORT_MAX):
        raise ValidationError("each host is a name, as in git.example.com or git.example.com:8443")


def _check_git_protocols(value: str) -> None:
    protocols = _split_list(value)
    if not set(protocols) <= set(GIT_PROTOCOLS):
        raise ValidationError(f"each must be one of {', '.join(GIT_PROTOCOLS)}")
    if "https" not in protocols:
        raise ValidationError("must have https, since the URL of every source begins with it")


def _check_git_tokens(value: str) -> None:
    try:
        parse_tokens(value)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _check_git_proxy(value: str) -> None:
    try:
        check_proxy(value)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _check_git_no_proxy(value: str) -> None:
    for host in _split_list(value):
        _check_git_host(host)


def _check_git_config(value: str) -> None:
    if not value:
        return
    if not value.startswith("/"):
        raise ValidationError("must be an absolute path")
    try:
        Path(value).read_bytes()  # git itself ignores an unreadable file without an error
    except (OSError, ValueError):
        raise ValidationError("cannot be read as a file") from None


def _normalise_git_hosts(value: str) -> tuple[str, ...]:
    return tuple(_normalise_git_host(host) for host in _split_list(value))


def _normalise_git_host(value: str) -> str:
    return value.lower().removesuffix(":443")  # a repository's URL never has the port of https


def _check_sync_every(value: float) -> None:
    if value and not SYNC_EVERY_MINUTES_MIN <= value <= 100_000:
        raise ValidationError("must be 0, for never, or between 0.1 and 100000")


def _split_list(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())
