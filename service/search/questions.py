"""What a question has and its answer may lack: words that only ask."""

from __future__ import annotations

import re
from typing import Final

# How questions begin, in English and in French.
QUESTION: Final = re.compile(
    r"""
    \s*(?:
        are|can|could|did|do|does|how|is|may|must|should|until\s+when|what|when|where|which|who
        |whose|why|will|would
        |à\s+quoi|combien|comment|est-ce|faut-il|où|peut-on|pourquoi|quand|que|quelles?|quels?|qui
    )(?!\w)
    """,
    re.IGNORECASE | re.VERBOSE,
)

# Words that ask rather than name: in `how does a webhook work` and `which broker did we pick in the
# end`. A section that has them is the better answer, but a section without them is one.
_FILLERS: Final = """
    actually allowed already anybody anyone anything come comes end ever everybody everyone
    everything exactly find finds give given gives go goes keep keeps kept know known like look
    looks make makes made mean means need needed needs nobody nothing one ones pick picked put puts
    really say says show shown shows still take taken takes tell tells think took tried try use used
    uses using want wanted wants way went work works
    aller besoin dire faudrait faut fonctionne fonctionnent marche marchent mettre mis passe passent
    savoir sert servent trouve trouver utilise utiliser va veut vont voir
    """
FILLERS: Final = frozenset(_FILLERS.split())

# What parts the words of Chinese, Japanese and Korean that is written without blanks: what asks,
# and particles that are seldom a part of a word.
BETWEEN_WORDS: Final = re.compile(
    "什么时候|为什么|怎么办|怎么样|多长时间|能不能|可不可以|是不是|有没有|怎么|怎样|什么|如何|为何"
    "|多少|多久|哪些|哪个|哪里|是否|可以|请问|谁|吗|呢|(?<!目)的|(?<!为)了(?!解)"
    "|どうやって|どうすれば|どのように|なぜ|どこ|いつ|できますか|しますか|ますか|ですか|とは"
    "|어떻게|언제|어디|무엇|누가"
)


def is_question(text: str) -> bool:
    """Return whether a query is a question, in English or in French."""
    return QUESTION.match(text) is not None or text.rstrip().endswith("?")


def words_of_run(run: str) -> list[str]:
    """Return what a run of Chinese, Japanese or Korean is about; all of it, if it only asks."""
    return [word for word in BETWEEN_WORDS.split(run) if len(word) > 1] or [run]
