"""Which of several media types a response has: `Accept` (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.web.compression import WEIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

# Ranges that are looked at: a client names few.
MAX_RANGES: Final = 30


def choose_media_type(accept: str, offered: Sequence[str]) -> str:
    """Return the one of the offered media types that `Accept` prefers.

    Of several that it likes equally, one that it names rather than one of a range such as `*/*`,
    and else the first one; that one also where it takes none of them, since a response of another
    type says more than a 406. Of the ranges that match a type the most specific one counts.
    Parameters of media types are ignored.
    """
    qualities: dict[str, float] = {}
    for element in accept.lower().split(",", MAX_RANGES)[:MAX_RANGES]:
        media_range, *parameters = (part.strip() for part in element.split(";"))
        quality = 1.0
        for name, _, value in (parameter.partition("=") for parameter in parameters):
            if name == "q" and WEIGHT.fullmatch(value):
                quality = float(value)
        qualities[media_range] = quality

    def rank(media_type: str) -> tuple[float, bool]:
        for media_range in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
            if media_range in qualities:
                quality = qualities[media_range]
                return quality, bool(quality) and media_range == media_type
        return 0.0, False

    return max(offered, key=rank)
