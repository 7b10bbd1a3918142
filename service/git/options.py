"""The options of a GitRepository: protocols, networks, credentials and limits."""

from dataclasses import dataclass, field

from service.git.credentials import GitToken

GITHUB = "github.com"


@dataclass(frozen=True, kw_only=True)
class GitOptions:
    """The limits and the credentials of one GitRepository."""

    # URL schemes that git may use: GIT_PROTOCOLS.
    protocols: tuple[str, ...] = ("https",)
    # Those of repositories, as `host` or `host:port`: an error may name a URL on one of them.
    hosts: tuple[str, ...] = ()
    # Allow hosts to have any address, and let git look it up itself: for a server inside the
    # network, or where `config_global` sends URLs elsewhere.
    private_networks: bool = False
    # The URL of a proxy, for all hosts but `no_proxy`. It looks their names up.
    proxy: str | None = field(default=None, repr=False)
    no_proxy: tuple[str, ...] = ()
    # The operator's file in git's own format: certificates, `insteadOf`.
    config_global: str | None = None
    # Sent to `token_host` alone, which is `host` or `host:port`.
    token: str | None = field(default=None, repr=False)
    token_host: str = GITHUB
    # For other hosts; each is sent to its host alone.
    tokens: tuple[GitToken, ...] = ()
    # The time limit of one GitRepository, from the start of its `async with`.
    seconds: float = 300.0
    # Limits each of these separately: one fetch, all fetches of one GitRepository together, and
    # the wanted contents together, unpacked.
    max_bytes: int = 268_435_456
    # Limits each fetch of older commits, and all fetches of past versions together.
    history_bytes: int = 20_000_000
    # Files, links, submodules and folders in the folder, wanted or not.
    max_entries: int = 500_000

    @property
    def all_tokens(self) -> tuple[GitToken, ...]:
        """The tokens of all hosts."""
        if not self.token:
            return self.tokens
        host = self.token_host.lower().removesuffix(":443")
        return (GitToken(host, self.token), *self.tokens)
