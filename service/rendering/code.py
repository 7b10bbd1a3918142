"""Blocks of code, and whole files of code in numbered lines."""

import time
from html import escape
from typing import Final

from service.rendering.highlighting import highlight

# In the narrowest page, longer lines are scrolled to: also by the keyboard, if the block has focus.
MAX_UNSCROLLED_LINE: Final = 20
# Of all blocks of a document that are highlighted, in characters, and in seconds of the processor.
MAX_HIGHLIGHTED: Final = 80_000
MAX_SECONDS: Final = 0.3


class CodeWriter:
    """Writes a document's blocks of code, and highlights them as long as a limit allows it."""

    def __init__(self) -> None:
        self._left = MAX_HIGHLIGHTED
        self._seconds = MAX_SECONDS

    def block(self, code: str, word: str) -> str:
        """Return a block of code; `word` is the one after its fence. Diagrams stay source."""
        shown = None
        if word and len(code) <= self._left and self._seconds > 0:
            start = time.thread_time()
            shown = highlight(code, word, self._seconds)
            self._seconds -= time.thread_time() - start
            self._left -= len(code)
        if shown is None:
            shown = escape(code, quote=False)
        is_long = max(map(len, code.split("\n"))) > MAX_UNSCROLLED_LINE
        focus = ' tabindex="0"' if is_long else ""
        # A line end after <pre> is none of the code's: HTML ignores it.
        pre = f"<pre{focus}><code>{shown}</code></pre>"
        if word.lower() != "mermaid":
            return pre
        caption = "<figcaption>Diagram, as its Mermaid source</figcaption>"
        return f'<figure class="mermaid">{caption}{pre}</figure>'


def numbered_lines(code: str, word: str) -> str:
    """Return code in lines with the ids L1, L2, …, to which GitHub's links to lines lead.

    The style sheet shows the numbers: they are no text, so that nobody copies them with the code.
    """
    shown = highlight(code, word) or escape(code, quote=False)
    lines = shown.removesuffix("\n").split("\n")
    numbered = "\n".join(
        f'<span class="line" id="L{number}">{line}</span>'
        for number, line in enumerate(lines, start=1)
    )
    return f'<pre class="lines" tabindex="0"><code>{numbered}\n</code></pre>'
