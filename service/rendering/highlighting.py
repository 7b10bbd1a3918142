"""Code as HTML, its tokens in classes: found by Pygments, within limits.

Patterns of Pygments may take time with the square of a line's length. No thread can stop one, so
limits come before it: see lexers.py for the languages, and the constants here.
"""

import time
from collections.abc import Iterator
from html import escape
from typing import Any, Final

from service.rendering.lexers import language_of, lexer_of

MAX_CODE: Final = 40_000  # characters of one block
MAX_LINE: Final = 500
MAX_SECONDS: Final = 0.1  # of the processor, for one block

# The class of each type of tokens; subtypes have that of their type. Others have none.
_CLASSES: Final = {
    "Comment": "c",
    "Comment.Preproc": "k",
    "Keyword": "k",
    "Keyword.Constant": "m",
    "Keyword.Type": "b",
    "Literal": "m",
    "Literal.String": "s",
    "Literal.String.Doc": "c",
    "Name.Attribute": "a",
    "Name.Builtin": "b",
    "Name.Class": "f",
    "Name.Constant": "m",
    "Name.Decorator": "f",
    "Name.Exception": "b",
    "Name.Function": "f",
    "Name.Namespace": "f",
    "Name.Tag": "t",
    "Name.Variable": "v",
    "Operator.Word": "k",
    "Generic.Deleted": "d",
    "Generic.Heading": "h",
    "Generic.Inserted": "i",
    "Generic.Prompt": "c",
    "Generic.Strong": "h",
    "Generic.Subheading": "h",
}
CLASSES: Final = frozenset(_CLASSES.values())


def highlight(code: str, word: str) -> str | None:
    """Return code as HTML with a <span> for each token, none of which goes over a line's end.

    None if the word after the fence is no language that is highlighted, or if the code is beyond a
    limit. The HTML's text is the code.
    """
    language = language_of(word)
    if language is None or len(code) > MAX_CODE:
        return None
    if max(map(len, code.split("\n"))) > MAX_LINE:
        return None
    return _html_of(lexer_of(language).get_tokens(code))


def _html_of(tokens: Iterator[tuple[Any, str]]) -> str | None:
    deadline = time.thread_time() + MAX_SECONDS
    classes: dict[Any, str] = {}
    pieces: list[str] = []
    run: list[str] = []
    run_class = ""
    for count, (kind, text) in enumerate(tokens):
        if not count % 256 and time.thread_time() > deadline:
            return None
        css = classes.get(kind)
        if css is None:
            css = classes[kind] = _class_of(kind)
        if css != run_class:
            if text.isspace():  # looks the same in any class
                run.append(text)
                continue
            _add_run(pieces, run, run_class)
            run, run_class = [], css
        run.append(text)
    _add_run(pieces, run, run_class)
    return "".join(pieces)


def _add_run(pieces: list[str], run: list[str], css: str) -> None:
    text = escape("".join(run), quote=False)
    if css and text:
        begin, end = f'<span class="{css}">', "</span>"
        text = begin + text.replace("\n", f"{end}\n{begin}") + end
        text = text.replace(begin + end, "")
    pieces.append(text)


def _class_of(kind: Any) -> str:
    names = str(kind).split(".")[1:]  # it begins with "Token"
    for length in range(len(names), 0, -1):
        if css := _CLASSES.get(".".join(names[:length])):
            return css
    return ""
