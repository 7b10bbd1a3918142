"""Characters that a text from outside may not hold, for all who check or clean one."""

import re
from typing import Final

# PostgreSQL's text and jsonb hold neither NUL nor a lone surrogate, which JSON can escape.
UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")

# C0, DEL and C1.
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")

# The same, and what Unicode takes for the end of a line or a paragraph.
CONTROL_OR_LINE_END: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
