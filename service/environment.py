"""Reads variables: from the environment, from files that it names, or else from `.env`."""

from __future__ import annotations

import os
import re
import stat
from io import StringIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from environs import Env
from marshmallow import ValidationError

from service import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE_SUFFIX: Final = "_FILE"
SECRET_FILE_BYTES_MAX: Final = 64 * 1024

# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
SERVICE_LINK: Final = re.compile("(tcp|udp|sctp)://")
SERVICE_LINK_IGNORED: Final = (
    "is ignored: the value is an address that Kubernetes sets for a Service of that name, or "
    "Docker for a link; set the port itself, or enableServiceLinks: false in the pod"
)


class SettingWarning(NamedTuple):
    """A variable that the service does not use as it is, and the reason."""

    setting: str
    reason: str


class EnvironmentFileError(Exception):
    """A line of a file of variables cannot be parsed. `str()` names the line, not its text."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line} is not NAME=value, or lacks a closing quotation mark")


class Environment(Env):
    """environs' reader: for an invalid variable it returns None, and `seal()` raises at the end.

    White space around a value is dropped: files and base64 often add a line break.
    """

    def __init__(self) -> None:
        super().__init__(eager=False)
        self.warnings: list[SettingWarning] = []

    def read_file(self, path: Path) -> None:
        """Read a file such as `.env`, if it exists; the environment overrides its variables.

        Raises OSError, UnicodeDecodeError, and EnvironmentFileError.
        """
        if not path.exists():
            return
        text = path.read_text(encoding="utf-8")  # once: the file may be a pipe
        # environs leaves out a line that it cannot parse, and with it the token, for example.
        for binding in parse_stream(StringIO(text)):
            if binding.error:
                line = binding.original.string  # with the blank lines before it
                blank = len(line) - len(line.lstrip())
                raise EnvironmentFileError(binding.original.line + line.count("\n", 0, blank))
        for name, value in dotenv_values(stream=StringIO(text)).items():
            if value is not None:
                self._environ.setdefault(name, value)

    def text(self, name: str, default: str, validate: Callable[[str], None] | None = None) -> str:
        """Return a variable, or "" for an invalid one, which the caller can split or convert."""
        return self.str(name, default, validate=validate) or ""

    def secret(
        self,
        name: str,
        default: str = "",
        validate: Callable[[str], None] | None = None,
        *,
        is_required: bool = False,
    ) -> str:
        """Return NAME or the text of the file that NAME_FILE names; "" for an invalid one.

        `validate` gets the value without white space around it.
        """
        try:
            source, found = self._find_secret(name)
            value = found.strip()
            if is_required and not value:
                raise ValidationError("is required and is not set", source)
            if not value:
                return default
            try:
                _check_secret(value)
                if validate:
                    validate(value)
            except ValidationError as error:
                raise ValidationError(str(error), source) from None
        except ValidationError as error:
            self._errors[error.field_name].append(str(error))
            return ""
        return value

    def is_set(self, name: str) -> bool:
        """Return whether the environment itself, not `.env`, has NAME or NAME_FILE."""
        return name in os.environ or bool(os.environ.get(name + FILE_SUFFIX))

    def _find_secret(self, name: str) -> tuple[str, str]:
        """Return the variable that gives the secret, NAME or NAME_FILE, and the secret itself.

        Raises ValidationError, whose `field_name` is the variable's. The environment overrides
        `.env`, whichever of the two variables each has. White space alone and an empty file are
        errors: a secret that was mounted wrong must not count as not set.
        """
        file_name = name + FILE_SUFFIX
        for variables in (os.environ, self._environ):
            value, path = variables.get(name), variables.get(file_name)
            if value and path:
                raise ValidationError(f"and {file_name} are both set; remove one of them", name)
            if path:
                text = _read_secret_file(ROOT / path, file_name)
                if not text.strip():
                    raise ValidationError("the file is empty", file_name)
                return file_name, text
            if value is not None:
                if value and not value.strip():
                    raise ValidationError("has only white space", name)
                return name, value
        return name, ""

    def _get_value(self, env_key: str, default: Any) -> Any:
        value = super()._get_value(env_key, default)
        if env_key.endswith("_PORT") and SERVICE_LINK.match(os.environ.get(env_key, "")):
            self.warnings.append(SettingWarning(env_key, SERVICE_LINK_IGNORED))
            value = self._environ.get(env_key, default)
        return value.strip() if isinstance(value, str) else value


def _read_secret_file(path: Path, name: str) -> str:
    """Return the file's text; raises ValidationError for the variable `name`."""
    try:
        # O_NONBLOCK: opening a pipe would otherwise wait for a writer.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValidationError("names a pipe or a device, not a file", name)
            content = file.read(SECRET_FILE_BYTES_MAX + 1)
        if len(content) > SECRET_FILE_BYTES_MAX:
            raise ValidationError(
                f"the file has more than {SECRET_FILE_BYTES_MAX // 1024} KiB", name
            )
        return content.decode("utf-8-sig")
    except OSError as error:
        raise ValidationError(f"the file cannot be read: {error.strerror}", name) from None
    except UnicodeDecodeError:
        raise ValidationError("the file is not UTF-8 text", name) from None


def _check_secret(value: str) -> None:
    # Either would be a part of the secret, which nobody sees, and every comparison would fail.
    if not value.isprintable():
        raise ValidationError("has a line break or another invisible character in it")
    if value[0] == value[-1] and value[0] in "'\"":
        raise ValidationError("is in quotation marks; leave them out")
