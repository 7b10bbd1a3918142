"""The names of the kinds of documents, without the rules that tell them apart."""

from typing import Final, Literal, get_args

Kind = Literal["prd", "architecture", "epic", "story", "gate", "brief", "ux", "readme", "other"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
