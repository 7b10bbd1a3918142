"""What ends a command with exit code 1."""


class CommandError(Exception):
    """A command could not do its work; `str()` is one readable line."""
