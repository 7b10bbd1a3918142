"""TLS to PostgreSQL: which files it takes, and what it checks ("SSL Support" in the manual, 34.19).

asyncpg would build its own context for every connection, looks into HOME for it, and fails where
HOME may not be entered. This context is built once, and follows libpq's rules.

asyncpg has no channel binding (SCRAM-SHA-256-PLUS), which `channel_binding=require` asks for, and
which proves to the client that nobody is between it and the server. The service proves that by the
server's certificate instead: it requires one for the host's name from an authority that it trusts,
as with sslmode=verify-full. Without sslrootcert these are the system's authorities.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from service.connecting.files import home, password_file_fault
from service.connecting.options import SSL_MODES, SYSTEM, TLS_VERSIONS
from service.connecting.url import UrlError

if TYPE_CHECKING:
    import ssl

    from service.connecting.url import Address

MIN_VERSION: Final = "TLSv1.2"
ALPN: Final = "postgresql"  # which PostgreSQL 17 requires for sslnegotiation=direct


class TlsFiles(NamedTuple):
    """The files of a TLS connection: those that the URL names, or else those of HOME."""

    root: str | None  # or SYSTEM
    certificate: str | None
    key: str | None
    revoked: str | None


def find_tls_files(address: Address) -> TlsFiles:
    """Return the files that a connection uses. Those that the URL names need not exist."""
    options = address.options
    if options.get("sslcertmode") == "disable":
        certificate = key = None
    else:
        certificate = options.get("sslcert") or _in_home("postgresql.crt")
        # As asyncpg does, and unlike libpq: one file may hold both.
        key = options.get("sslkey") or _in_home("postgresql.key") or certificate
    return TlsFiles(
        root=options.get("sslrootcert") or _in_home("root.crt"),
        certificate=certificate,
        key=key if certificate else None,
        revoked=options.get("sslcrl") or _in_home("root.crl"),
    )


def _in_home(name: str) -> str | None:
    folder = home()
    if folder is None:
        return None
    path = folder / ".postgresql" / name
    try:
        path.stat()
    except OSError:  # there is none, or HOME may not be entered
        return None
    return str(path)


def check_files(address: Address) -> None:
    """Raise UrlError if a file that the URL names cannot be used."""
    passfile = address.options.get("passfile")
    if passfile and (fault := password_file_fault(Path(passfile))):
        raise UrlError(f"the file that the option passfile names {fault}")
    create_tls_context(address)


def create_tls_context(address: Address) -> ssl.SSLContext | None:
    """Return what a TLS connection of asyncpg checks, or None if the URL asks for no TLS.

    Raises UrlError if a file cannot be used.
    """
    if not address.uses_tls:
        return None
    import ssl

    options, files = address.options, find_tls_files(address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols([ALPN])
    _limit_versions(context, address)
    mode = "verify-full" if address.binds_channel else address.ssl_mode
    root = files.root or (SYSTEM if address.binds_channel else None)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if mode in ("verify-ca", "verify-full") and root is None:
        raise UrlError(
            f"the option sslmode={mode} needs a certificate authority: set sslrootcert to its file "
            "or to system"
        )
    # As in libpq: require verifies the certificate if an authority is given, weaker modes never.
    if root is not None and SSL_MODES.index(mode) >= SSL_MODES.index("require"):
        context.verify_mode = ssl.CERT_REQUIRED
        context.check_hostname = mode == "verify-full"
        _load_root(context, root)
        folder = options.get("sslcrldir")
        if folder and not Path(folder).is_dir():
            raise UrlError("the folder of the option sslcrldir cannot be read")
        if files.revoked or folder:
            try:
                context.load_verify_locations(cafile=files.revoked, capath=folder)
            except OSError as error:
                raise _unusable("sslcrl", error) from None
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    if files.certificate:
        _load_certificate(context, files, options.get("sslpassword", ""))
    return context


def _limit_versions(context: ssl.SSLContext, address: Address) -> None:
    import ssl

    lowest = address.options.get("ssl_min_protocol_version", MIN_VERSION)
    highest = address.options.get("ssl_max_protocol_version", TLS_VERSIONS[-1])
    order = [version.lower() for version in TLS_VERSIONS]
    first, last = order.index(lowest.lower()), order.index(highest.lower())
    if first > last:
        raise UrlError(
            f"the option ssl_max_protocol_version is below ssl_min_protocol_version ({MIN_VERSION} "
            "unless it is given)"
        )
    versions = [ssl.TLSVersion[version.replace(".", "_")] for version in TLS_VERSIONS]
    context.minimum_version, context.maximum_version = versions[first], versions[last]


def _load_root(context: ssl.SSLContext, root: str) -> None:
    import ssl

    if root == SYSTEM:
        paths = ssl.get_default_verify_paths()
        if not (paths.cafile or paths.capath):
            raise UrlError(
                "needs the system's certificate authorities, and there are none: install "
                "ca-certificates, or set SSL_CERT_FILE"
            )
        context.load_default_certs()
        return
    try:
        context.load_verify_locations(cafile=root)
    except OSError as error:
        raise _unusable("sslrootcert", error) from None


def _load_certificate(context: ssl.SSLContext, files: TlsFiles, password: str) -> None:
    assert files.certificate is not None
    assert files.key is not None
    try:
        status = Path(files.key).stat()
        # libpq's rule: a group may read a key that belongs to root.
        others = stat.S_IRWXG | stat.S_IRWXO
        if status.st_uid == 0:
            others = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO
        if stat.S_ISREG(status.st_mode) and status.st_mode & others:
            raise UrlError(
                "the file of the option sslkey may be read by others: set its mode to 0600, or to "
                "0640 if root owns it"
            )
        Path(files.key).read_bytes()
    except OSError as error:
        raise _unusable("sslkey", error) from None
    try:
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(files.certificate, files.key, password=lambda: password)
    except OSError as error:
        raise _unusable("sslcert", error) from None


def _unusable(option: str, error: OSError) -> UrlError:
    """Return an error that names the option, whether the URL or HOME gave its file."""
    import ssl

    if isinstance(error, ssl.SSLError):
        reason = (
            "holds no certificate with the key of sslkey, or sslpassword is not the key's"
            if option == "sslcert"
            else "holds no certificates"
        )
    else:
        reason = f"cannot be read ({os.strerror(error.errno or 0)})"
    return UrlError(f"the file of the option {option} {reason}")
