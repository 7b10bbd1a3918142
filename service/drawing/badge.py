"""A badge for a README: two halves, 20 pixels high, in the flat form that readers know.

The SVG has no style sheet, no script and no link, so that the Content-Security-Policy of every
response, `default-src 'none'`, is right for it.
"""

from typing import Final, Literal

from service.drawing.escaping import clean_line, escape
from service.drawing.text_widths import text_width

BadgeColor = Literal["brightgreen", "green", "yellow", "orange", "red", "blue", "lightgrey"]

MAX_BADGE_TEXT: Final = 60  # characters of each half

_SIZE: Final = 11
_PADDING: Final = 6
_LIGHT: Final = "#fff"
_DARK: Final = "#1b1f24"
_LABEL_FILL: Final = "#4a4a4a"

# The colour of a half, and that of the text on it. The contrast is at least 4.5 everywhere in the
# half, shaded or not (WCAG 2.2, 1.4.3): so the lighter colours have dark text.
_FILLS: Final[dict[BadgeColor, tuple[str, str]]] = {
    "brightgreen": ("#44cc11", _DARK),
    "green": ("#97ca00", _DARK),
    "yellow": ("#dfb317", _DARK),
    "orange": ("#fe7d37", _DARK),
    "red": ("#c2301c", _LIGHT),
    "blue": ("#0a69ad", _LIGHT),
    "lightgrey": ("#a4a4a4", _DARK),
}


def draw_badge(label: str, message: str, color: BadgeColor) -> str:
    """Return a badge as SVG: the label on grey, and the message on its colour.

    Each text is cut to MAX_BADGE_TEXT characters. Its width is that of Verdana, and `textLength`
    makes any other font fit it. Without a label the badge is one half. lightgrey is for what cannot
    be said.
    """
    label = clean_line(label, MAX_BADGE_TEXT)
    message = clean_line(message, MAX_BADGE_TEXT) or "unknown"
    name = escape(": ".join(filter(None, [label, message])))
    left = _half_width(label)
    right = _half_width(message)
    width = left + right
    fill, ink = _FILLS[color]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20"'
        f' viewBox="0 0 {width} 20" role="img" aria-label="{name}"><title>{name}</title>'
        '<linearGradient id="shade" x2="0" y2="100%">'
        '<stop offset="0" stop-color="#fff" stop-opacity=".1"/>'
        '<stop offset="1" stop-color="#000" stop-opacity=".1"/></linearGradient>'
        f"{_shape(0, left, width, _LABEL_FILL)}{_shape(left, width, width, fill)}"
        f"{_shape(0, width, width, 'url(#shade)')}"
        f'<g font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="{_SIZE}"'
        ' text-rendering="geometricPrecision">'
        f"{_text(label, 0, _LIGHT)}{_text(message, left, ink)}</g></svg>\n"
    )


def _half_width(text: str) -> int:
    return round(text_width(text, _SIZE)) + 2 * _PADDING if text else 0


def _shape(left: int, right: int, width: int, fill: str) -> str:
    """Return a rectangle from `left` to `right`, round at those ends that are the badge's."""
    if left == right:
        return ""
    start = f"M{left} 17v-14q0-3 3-3" if left == 0 else f"M{left} 20v-20"
    end = f"H{right - 3}q3 0 3 3v14q0 3-3 3" if right == width else f"H{right}v20"
    close = "H3q-3 0-3-3z" if left == 0 else "z"
    return f'<path fill="{fill}" d="{start}{end}{close}"/>'


def _text(text: str, left: int, ink: str) -> str:
    """Return the text with a shadow one pixel below it, which makes its edges clear."""
    if not text:
        return ""
    length = _half_width(text) - 2 * _PADDING
    shadow = "#010101" if ink == _LIGHT else "#fff"
    place = f'x="{left + _PADDING}" textLength="{length}" lengthAdjust="spacingAndGlyphs"'
    return (
        f'<text {place} y="15" fill="{shadow}" fill-opacity=".25" aria-hidden="true">'
        f'{escape(text)}</text><text {place} y="14" fill="{ink}">{escape(text)}</text>'
    )
