"""Characters that text from outside may not contain, and functions that replace or squeeze them.

Documents are read with these patterns and functions: a change of one increments READER_VERSION.
"""

import re
from typing import Final

# PostgreSQL's text and jsonb can store neither NUL nor a lone surrogate, which JSON can escape.
UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")

_CONTROLS = r"\x00-\x1f\x7f-\x9f"  # C0, DEL and C1
CONTROL: Final = re.compile(rf"[{_CONTROLS}]")

# The same, and Unicode's separators of lines and of paragraphs.
CONTROL_OR_LINE_END: Final = re.compile(rf"[{_CONTROLS}\u2028\u2029]")

# The same, invisible characters, marks that change the direction of text, and U+FFFD, which stands
# for bytes that could not be decoded.
UNPRINTABLE: Final = re.compile(
    rf"[{_CONTROLS}\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffd]"
)

# C0 and DEL, but for white space and escape, which text may have.
_CONTROLS_BUT_SPACE: Final = bytes({*range(0x20), 0x7F} - {*b"\t\n\v\f\r\x1b"})

# Embeddings, overrides and isolates of Unicode's bidirectional algorithm (UAX 9), and deprecated
# controls. Not the marks U+061C, U+200E and U+200F, which honest names in Arabic and Hebrew have
# beside punctuation, and which move no other text.
DIRECTION: Final = re.compile("[\u202a-\u202e\u2066-\u206f]")

# Characters without a glyph: those of Unicode's property Default_Ignorable_Code_Point, the blank
# pattern of Braille, the null notehead, the anchors of annotations and embedded objects, and the
# joiners of hieroglyphs.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)

# White space, and those invisible characters that mean nothing at the ends of a text. Joiners,
# variation selectors and marks of direction change the character before them. For str.strip: a
# pattern that ends with \Z takes time with the square of the spaces inside a text.
_BLANK_ENDS: Final = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
    "\u00ad\u180e\u200b\u2060\u2061\u2062\u2063\u2064\u2800\u3164\ufeff\uffa0"
)

# The characters that JSON escapes with one more (RFC 8259, 7), and those that it writes as \u00XX.
_ESCAPED_SHORT: Final = b'"\\\b\t\n\f\r'
_ESCAPED_LONG: Final = bytes(set(range(0x20)) - set(_ESCAPED_SHORT))


def is_visible(text: str) -> bool:
    """Return whether a reader sees the text: a letter, a digit or a sign, not only marks on one."""
    if text.isascii():
        return bool(text.strip())
    import unicodedata  # 1 MB, which the first such name needs

    # Unassigned characters count as visible: a newer Unicode's letters and emoji are among them.
    return any(
        unicodedata.category(character) not in ("Mn", "Me", "Cc")
        for character in _INVISIBLE.sub("", text)
        if not character.isspace()
    )


def trim(text: str) -> str:
    """Return the text without white space and invisible characters at its ends."""
    return text.strip(_BLANK_ENDS)


def replace_unstorable(text: str) -> str:
    """Return the text with U+FFFD in place of each character that PostgreSQL cannot store."""
    if "\0" not in text:
        try:
            text.encode()
        except UnicodeEncodeError:
            pass
        else:  # most texts, in a quarter of the time
            return text
    return UNSTORABLE.sub("\ufffd", text)


def one_line(text: str, limit: int) -> str:
    """Return at most `limit` characters of the text, each run of white space as one space."""
    # Cut first: the text may have megabytes.
    return " ".join(text[: 10 * limit].split())[:limit].rstrip()


def count_controls(text: str) -> int:
    """Return the number of control characters of C0 and DEL, but for white space and escape."""
    # Not with a pattern, whose matches could take 80 bytes for each character.
    utf8 = text.encode()
    return len(utf8) - len(utf8.translate(None, _CONTROLS_BUT_SPACE))


def count_beyond_ascii(text: str) -> int:
    """Return the number of characters that are not ASCII."""
    return len(text) - len(text.encode("ascii", errors="ignore"))


def json_bytes(text: str | bytes) -> int:
    """Return the bytes of a text, or of its UTF-8, as a string of JSON, without building that."""
    utf8 = text.encode() if isinstance(text, str) else text
    without_long = utf8.translate(None, _ESCAPED_LONG)
    escaped_short = len(without_long) - len(without_long.translate(None, _ESCAPED_SHORT))
    return 2 + len(utf8) + escaped_short + 5 * (len(utf8) - len(without_long))
