"""Text in windows-1252, which has the characters of ISO 8859-1, told from other 8-bit encodings.

Almost any bytes can be decoded as windows-1252; a wrong guess shows nonsense. So the text must look
like one of the languages that are written in it.
"""

import re
from typing import Final

from service.characters import count_beyond_ascii, count_controls

# The letters beyond ASCII, and the other characters, as parts of regular expressions. A no-break
# space and a soft hyphen are in neither.
LOWER: Final = "\u00df-\u00f6\u00f8-\u00ff\u0161\u0153\u017e"  # ß-ö ø-ÿ š œ ž
UPPER: Final = "\u00c0-\u00d6\u00d8-\u00de\u0160\u0152\u017d\u0178"  # À-Ö Ø-Þ Š Œ Ž Ÿ
OTHER: Final = (
    "\u00a1-\u00ac\u00ae-\u00bf\u00d7\u00f7\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030"
    "\u2039\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u203a"
)
# Those of OTHER that stand in no word, such as currencies, angle quotation marks and fractions.
NOT_IN_WORDS: Final = (
    "\u20ac\u201a\u0192\u201e\u2020\u2021\u02c6\u2030\u2039\u203a\u02dc"
    "\u00a1-\u00a3\u00a5\u00a7\u00aa\u00b1-\u00b3\u00b6\u00b9\u00ba\u00bc-\u00bf"
)
LETTER: Final = f"A-Za-z{LOWER}{UPPER}"

# Each alternative is frequent where the bytes are another encoding's, and rare in real text.
IMPLAUSIBLE: Final = re.compile(
    rf"[{LOWER}{UPPER}]{{3,}}"  # words of another script
    # A word of two letters, but for Icelandic's with thorn.
    rf"|(?<![{LETTER}])(?![\u00de\u00fe])[{LOWER}{UPPER}]{{2}}(?![{LETTER}])"
    rf"|(?<=[a-z{LOWER}])[{UPPER}]"  # a capital in a word
    rf"|(?<=[{LETTER}])[{NOT_IN_WORDS}](?=[{LETTER}])"
    rf"|[{OTHER}][{LOWER}{UPPER}][{OTHER}]"
    rf"|([{OTHER}])(?!\1)[{OTHER}]{{2}}"
    # Letters of Polish, Czech and Romanian, which are signs or rare pairs of letters here.
    rf"|(?<![{LETTER}0-9])[\u00b9\u00b3\u00ba](?=[{LETTER}])"  # ¹ ³ º
    rf"|(?<=[{LETTER}])[\u00a1\u00bf]|\u00a3(?=[a-z{LOWER}]{{3}})"  # ¡ ¿ after, £ before a word
    "|\u0153(?=[abe-hj-mo-rv-z\u00e6])"  # œ
    "|[\u00e1\u00ed\u00fa\u00fd][\u00e8\u00ec\u00f8\u00f9]"  # á í ú ý before è ì ø ù
    "|[\u00e8\u00ec\u00f8\u00f9\u00c8\u00d8][\u00e1\u00ed\u00fa\u00fd\u00ec]"  # and after
    "|[\u00a4\u00a6\u00ac\u00a8\u00b8\u00af\u02c6\u02dc\u0192]"  # such as a lone accent
    "|(?<![A-Za-z])\u00ff"
)
# The shares of all characters that may be control characters (but white space and escape), of the
# characters but white space that may be beyond ASCII, and of these that may be implausible.
CONTROLS_ALLOWED: Final = 1 / 100
BEYOND_ASCII_ALLOWED: Final = 1 / 2
IMPLAUSIBLE_ALLOWED: Final = 1 / 20

# All letters beyond ASCII of Icelandic and Faroese, á ð é í ó ú ý þ æ ö ø, of which ð, þ and ý are
# in no other language of windows-1252.
ICELANDIC: Final = frozenset("\u00e1\u00f0\u00e9\u00ed\u00f3\u00fa\u00fd\u00fe\u00e6\u00f6\u00f8")
# Hungarian's letters that are the same in windows-1250, á é í ó ö ú, and à ã â ä ç ê ô, which it
# lacks, and of which other languages with õ have one or more.
HUNGARIAN: Final = frozenset("\u00e1\u00e9\u00ed\u00f3\u00f6\u00fa")
NOT_HUNGARIAN: Final = frozenset("\u00e0\u00e3\u00e2\u00e4\u00e7\u00ea\u00f4")
# Letters that no language of windows-1252 has together. Central European, Turkish and Baltic
# encodings have other letters at these bytes.
NOT_TOGETHER: Final = (
    ("\u00f8", "\u00ec"),  # ø ì: Czech
    ("\u0161\u017e", "\u00e8\u00ec\u00e6\u00f8\u00f9\u00f2\u00ef"),  # š ž, è ì æ ø ù ò ï: Slavic
)


def read_windows_1252(content: bytes) -> str | None:
    """Return the text of bytes that are plainly in windows-1252, or else None."""
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:  # five bytes are no characters
        return None
    found = count_beyond_ascii(text)
    dense = len(text) - sum(map(text.count, " \t\r\n"))
    if found > BEYOND_ASCII_ALLOWED * dense:
        return None
    if count_controls(text) > CONTROLS_ALLOWED * len(text):
        return None
    implausible = sum(match.end() - match.start() for match in IMPLAUSIBLE.finditer(text))
    letters = {character.lower() for character in set(text) if not character.isascii()}
    if implausible > IMPLAUSIBLE_ALLOWED * found or not _is_language(letters):
        return None
    return text


def _is_language(characters: set[str]) -> bool:
    """Return whether the letters among these may be of one language, or of several."""
    letters = {character for character in characters if character.isalpha()} - set(
        "\u00aa\u00b5\u00ba"
    )
    if letters & set("\u00f0\u00fe\u00fd"):  # ð þ ý; Turkish and Baltic texts lack á í ó ú
        return letters <= ICELANDIC and bool(letters & set("\u00e1\u00ed\u00f3\u00fa"))
    # Hungarian's ő is at the byte of õ, which only Estonian, with ä, and Portuguese have.
    if "\u00f5" in letters and letters & HUNGARIAN and not letters & NOT_HUNGARIAN:
        return False
    return not any(letters & set(some) and letters & set(others) for some, others in NOT_TOGETHER)
