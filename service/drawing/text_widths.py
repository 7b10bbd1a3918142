"""How wide a text is, before any font draws it.

The widths are those of Verdana, which is wider than the fonts that a browser would take instead of
it: a text that fits by these widths fits in Arial, Helvetica and Segoe UI, too.
"""

from typing import Final

# The advance widths of ASCII in Verdana, in thousandths of the size of the font.
_WIDTHS: Final = {
    character: width
    for width, characters in {
        269: "'",
        274: "il",
        344: "j",
        352: " f",
        364: ",.",
        394: "!t",
        421: "I",
        427: "r",
        454: "()-/:;[\\]|",
        455: "J",
        459: '"',
        521: "cs",
        525: "z",
        545: "?",
        557: "L",
        575: "F",
        592: "kvxy",
        596: "e",
        601: "a",
        603: "P",
        607: "o",
        615: "Y",
        616: "T",
        623: "bdgpq",
        632: "E",
        633: "hnu",
        635: "{}",
        636: "$*0123456789_`",
        684: "AVS",
        685: "XZ",
        686: "B",
        693: "K",
        695: "R",
        698: "C",
        727: "&",
        732: "U",
        748: "N",
        751: "H",
        771: "D",
        775: "G",
        787: "OQ",
        818: "#+<=>^w~",
        843: "M",
        973: "m",
        989: "W",
        1000: "@",
        1076: "%",
    }.items()
    for character in characters
}
_UNKNOWN: Final = 700  # a letter of Greek, Cyrillic, Arabic or Hebrew: the mean is below it
_WIDE: Final = 1_050  # a letter of Chinese, Japanese or Korean
_EMOJI: Final = 1_350  # as the emoji fonts of three systems draw them, at most
_PUNCTUATION: Final = 818  # "…", "—" and "·" are at most this wide


def text_width(text: str, size: float) -> float:
    """Return the width of the text in a font of this size, exact for ASCII, estimated otherwise."""
    return sum(_WIDTHS.get(character) or _estimate(character) for character in text) * size / 1_000


def cut_to_width(text: str, size: float, limit: float) -> str:
    """Return the text, or as much of its beginning as is not wider than `limit`, with "…"."""
    if text_width(text, size) <= limit:
        return text
    rest = limit - text_width("…", size)
    for index, character in enumerate(text):
        rest -= text_width(character, size)
        if rest < 0:
            return text[:index].rstrip() + "…"
    return text


def _estimate(character: str) -> int:
    import unicodedata  # 1 MB, which the first text beyond ASCII needs

    category = unicodedata.category(character)
    if category in {"Mn", "Me", "Cf", "Cc"}:
        return 0
    base = unicodedata.normalize("NFD", character)[0]
    if base in _WIDTHS:
        return _WIDTHS[base]
    if category == "So" and character > "\uffff":
        return _EMOJI
    if unicodedata.east_asian_width(character) in {"W", "F"}:
        return _WIDE
    return _PUNCTUATION if category[0] in "PS" else _UNKNOWN
