"""Code as HTML, its tokens in classes: found by Pygments, within limits.

Pygments' patterns take more than linear time in the length of lines and of white space, and nothing
can stop one that has begun. So both have limits, and the time is looked at after each token. See
lexers.py for the languages.
"""

import re
import time
from collections.abc import Iterator
from html import escape
from typing import Any, Final

from service.rendering.lexers import language_of, lexer_of

MAX_CODE: Final = 20_000  # characters of one block
# Of files in these languages, whose lexers are written by hand, or have simple patterns.
MAX_DATA: Final = 60_000
_DATA: Final = frozenset(("json", "toml", "yaml"))
MAX_LINE: Final = 500
MAX_SPACE: Final = 200  # characters of white space, line ends among them
_LONG_SPACE: Final = re.compile(rf"\s{{{MAX_SPACE + 1}}}")
MAX_SECONDS: Final = 0.2

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


def highlight(code: str, word: str, seconds: float = MAX_SECONDS) -> str | None:
    """Return code as HTML with a <span> for each token, none of which goes over a line's end.

    None if the word after the fence is no language that is highlighted, or if the code is beyond a
    limit, or takes more than so many seconds of the processor. The text of the HTML is the code.
    """
    language = language_of(word)
    if language is None or len(code) > (MAX_DATA if language in _DATA else MAX_CODE):
        return None
    if max(map(len, code.split("\n"))) > MAX_LINE or _LONG_SPACE.search(code):
        return None
    # Some lexers lose a last line that has no end.
    lines = code if code.endswith("\n") else f"{code}\n"
    html = _html_of(lines, lexer_of(language).get_tokens(lines), seconds)
    return html if html is None or lines is code else html.removesuffix("\n")


def _html_of(code: str, tokens: Iterator[tuple[Any, str]], seconds: float) -> str | None:
    deadline = time.thread_time() + seconds
    classes: dict[Any, str] = {}
    pieces: list[str] = []
    texts: list[str] = []
    run: list[str] = []
    run_class = ""
    for count, (kind, text) in enumerate(tokens):
        if not count % 4 and time.thread_time() > deadline:
            return None
        texts.append(text)
        css = classes.get(kind)
        if css is None:
            css = classes[kind] = _class_of(kind)
        if css != run_class and not text.isspace():  # which looks the same in any class
            _add_run(pieces, run, run_class)
            run, run_class = [], css
        run.append(text)
    if "".join(texts) != code:
        return None
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
