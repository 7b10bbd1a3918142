"""Settings: read from the environment or else from `.env`, and checked all at once."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from environs import EnvValidationError

from service import ROOT
from service.development import why_deployed
from service.environment import Environment, EnvironmentFileError, SettingWarning
from service.git.credentials import GitToken, parse_tokens
from service.setting_checks import (
    EMBEDDED,
    between,
    check_allowed_hosts,
    check_database_url,
    check_git_config,
    check_git_host,
    check_git_hosts,
    check_git_no_proxy,
    check_git_protocols,
    check_git_proxy,
    check_git_tokens,
    check_gitlab_secret,
    check_not_empty,
    check_origins,
    check_proxies,
    check_root_path,
    check_sync_every,
    check_token,
    complete_database_url,
    normalise_allowed_hosts,
    normalise_git_host,
    normalise_git_hosts,
    one_of,
    split_list,
)

DEFAULT_FOLDER = ".postgres"  # in the committed .env

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_FORMATS = ("auto", "console", "json")

DEFAULT_GIT_HOSTS = "github.com,gitlab.com,codeberg.org,bitbucket.org"
API_TOKEN_LENGTH_MIN = 16  # on addresses that other machines reach


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
    # A second token, which may only read.
    api_read_token: str | None = field(repr=False)
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
    sync_max_queued: int
    # How far back git's history is read for the burn-up.
    sync_history_commits: int
    # What a stranger with a token could fill the database with. Rows above them stay.
    max_projects: int
    max_sources_per_project: int
    max_documents_per_project: int
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
        tokens = {"API_TOKEN": self.api_token, "API_READ_TOKEN": self.api_read_token}
        for name, token in tokens.items():
            if token is not None and len(token) < API_TOKEN_LENGTH_MIN:
                return (
                    f"{name}: has fewer than {API_TOKEN_LENGTH_MIN} characters, so it could be "
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
        env.read_file(env_file)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{env_file.name}: cannot be read as UTF-8 text") from error
    except EnvironmentFileError as error:
        raise SettingsError(f"{env_file.name}: {error}") from None

    database_url = env.secret("DATABASE_URL", validate=check_database_url, is_required=True)
    settings = Settings(
        database_url=complete_database_url(database_url),
        migrations_database_url=complete_database_url(
            env.secret("MIGRATIONS_DATABASE_URL", database_url, validate=check_database_url)
        ),
        host=env.text("BACKEND_HOST", "127.0.0.1", validate=check_not_empty),
        port=env.int("BACKEND_PORT", 8000, validate=between(0, 65535)),
        cors_origins=split_list(
            env.text("CORS_ORIGINS", "http://localhost:3000", validate=check_origins)
        ),
        root_path=env.text("ROOT_PATH", "", validate=check_root_path).rstrip("/"),
        allowed_hosts=normalise_allowed_hosts(
            env.text("ALLOWED_HOSTS", "", validate=check_allowed_hosts)
        ),
        log_level=env.text("LOG_LEVEL", "INFO", validate=one_of(*LOG_LEVELS)).upper(),
        log_format=env.text("LOG_FORMAT", "auto", validate=one_of(*LOG_FORMATS)).lower(),
        workers=env.int("WEB_CONCURRENCY", 1, validate=between(1, 64)),
        database_pool_max=env.int("DATABASE_POOL_MAX", 10, validate=between(1, 1000)),
        database_prepared_statements=env.bool("DATABASE_PREPARED_STATEMENTS", True),
        health_timeout=env.float("HEALTH_TIMEOUT_SECONDS", 1.0, validate=between(0.05, 60)),
        drain=env.float("DRAIN_SECONDS", 0.0, validate=between(0, 3600)),
        shutdown=env.float("SHUTDOWN_SECONDS", 30.0, validate=between(0, 3600)),
        trusted_proxies=split_list(
            env.text("FORWARDED_ALLOW_IPS", "127.0.0.1,::1", validate=check_proxies)
        ),
        api_token=env.secret("API_TOKEN", validate=check_token) or None,
        api_read_token=env.secret("API_READ_TOKEN", validate=check_token) or None,
        api_token_for_reads=env.bool("API_TOKEN_FOR_READS", False),
        github_webhook_secret=env.secret("GITHUB_WEBHOOK_SECRET") or None,
        gitlab_webhook_secret=(
            env.secret("GITLAB_WEBHOOK_SECRET", validate=check_gitlab_secret) or None
        ),
        gitea_webhook_secret=env.secret("GITEA_WEBHOOK_SECRET") or None,
        bitbucket_webhook_secret=env.secret("BITBUCKET_WEBHOOK_SECRET") or None,
        git_hosts=normalise_git_hosts(
            env.text("GIT_HOSTS", DEFAULT_GIT_HOSTS, validate=check_git_hosts)
        ),
        git_protocols=split_list(env.text("GIT_PROTOCOLS", "https", validate=check_git_protocols)),
        git_private_networks=env.bool("GIT_PRIVATE_NETWORKS", False),
        git_proxy=env.secret("GIT_PROXY", validate=check_git_proxy) or None,
        git_no_proxy=normalise_git_hosts(env.text("GIT_NO_PROXY", "", validate=check_git_no_proxy)),
        git_config_global=env.text("GIT_CONFIG_GLOBAL", "", validate=check_git_config) or None,
        git_token=env.secret("GIT_TOKEN", validate=check_token) or None,
        git_token_host=normalise_git_host(env.text("GIT_TOKEN_HOST", "", validate=check_git_host)),
        git_tokens=parse_tokens(env.secret("GIT_TOKENS", validate=check_git_tokens)),
        sync_every_minutes=env.float("SYNC_EVERY_MINUTES", 0.0, validate=check_sync_every),
        sync_concurrency=env.int("SYNC_CONCURRENCY", 4, validate=between(0, 16)),
        sync_timeout=env.float("SYNC_TIMEOUT_SECONDS", 300.0, validate=between(1, 3600)),
        sync_max_bytes=env.int("SYNC_MAX_BYTES", 268_435_456, validate=between(1, 10**10)),
        sync_max_files=env.int("SYNC_MAX_FILES", 50_000, validate=between(1, 1_000_000)),
        sync_history_commits=env.int("SYNC_HISTORY_COMMITS", 2000, validate=between(0, 100000)),
        sync_max_queued=env.int("SYNC_MAX_QUEUED", 10_000, validate=between(1, 1_000_000)),
        max_projects=env.int("MAX_PROJECTS", 10_000, validate=between(1, 1000000)),
        max_sources_per_project=env.int(
            "MAX_SOURCES_PER_PROJECT", 1000, validate=between(1, 100000)
        ),
        max_documents_per_project=env.int(
            "MAX_DOCUMENTS_PER_PROJECT", 200_000, validate=between(1, 10000000)
        ),
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
    if settings.api_read_token and not settings.api_token_for_reads:
        raise SettingsError(
            "API_READ_TOKEN: needs API_TOKEN and API_TOKEN_FOR_READS=true, "
            "since without them reading needs no token"
        )
    if settings.api_read_token and settings.api_read_token == settings.api_token:
        raise SettingsError("API_READ_TOKEN: is the same as API_TOKEN, which may change everything")
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
