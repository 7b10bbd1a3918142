"""The sentence of a story: "As a developer, I want a health check, so that I see failures."."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from service.bmad.story_sections import StorySection
from service.bmad.texts import short_text
from service.documents.blocks import Block

SEARCHED_BLOCKS: Final = 80  # in which the sentence begins
SENTENCE_BLOCKS: Final = 4  # after the one that it begins in
MAX_SENTENCE: Final = 2_000  # characters
NO_SENTENCE_IN: Final = frozenset(("tasks", "findings", "review", "record", "notes"))

# "As a" has no article before several: "As developers, we want …". Of "As discussed, we must …"
# there is no role. A label may be before it.
_NO_ROLE = (
    r"(?:we|I|it|was|is|already|previously|just|also|briefly|noted|discussed|described|mentioned"
    r"|shown|seen|agreed|stated|said|explained|outlined|defined|specified|documented|decided"
    r"|planned|proposed|suggested|requested|required|reported|indicated|listed|written|expected"
    r"|needed|part\s+of|per|of|for|with|in|to|soon|long\s+as|far\s+as|much|many|such|usual|always"
    r"|before|above|below|well|things|follows)(?![\w-])"
)
AS_A: Final = re.compile(
    r"^[^\w\n]*+(?:(?:(?:user[ \t]+)?story(?:[ \t]+statement)?|description|histoire|récit"
    r"|histoire[ \t]+utilisateur|récit[ \t]+utilisateur|historia(?:[ \t]+de[ \t]+usuario)?"
    r"|história(?:[ \t]+de[ \t]+usuário)?|(?:用户)?故事|(?:사용자[ \t]*)?스토리)"
    r"[*_ \t]*+[:\uff1a][^\w\n]*+)?"
    rf"(?:as\s+(?:(?:an?|the)\b|(?!{_NO_ROLE})"
    r"(?=[^\W\d_][^\n,]{0,60},\s*(?:I|we)\b))"
    r"|en\s+tant\s+qu(?:e\b|['\u2019])|como\s+(?:uma?|una?|el|la|os?)?\b"
    r"|作为|作為|身为)[\s:\uff1a]*+(?:一(?:名|个|位|個))?",
    re.IGNORECASE | re.MULTILINE,
)
AS_A_KOREAN: Final = re.compile(r"^[^\w\n]*+([^\n,]{1,60}?)(?:으)?로서[,\s]", re.MULTILINE)
I_WANT: Final = re.compile(
    r"(?<!\w)(?:(?:I|we)\s+(?:want|need|would\s+like|wish|can|must|should|expect)\b|I['\u2019]d\s+like"
    r"|je\s+(?:veux|souhaite|voudrais|peux|dois)\b|j['\u2019]aimerais|(?:yo\s+)?(?:quiero|necesito|deseo)\b"
    r"|(?:eu\s+)?(?:quero|preciso|desejo|gostaria(?:\s+de)?)\b)"
    r"|我?(?:想要|希望|需要|想)|我(?:要|能够|可以|能)|(?:나는|저는|우리는|내가|제가)",
    re.IGNORECASE,
)
SO_THAT: Final = re.compile(
    r"(?<!\w)(?:so\s+that|so\s+(?=I\b|we\b)|in\s+order\s+(?:to|that)|afin\s+(?:que|qu['\u2019]|de|d['\u2019])"
    r"|de\s+(?:sorte|façon|manière)\s+(?:que|qu['\u2019]|à(?:\s+ce\s+que)?)|pour\s+(?:que|qu['\u2019])"
    r"|(?:en\s+vue|dans\s+le\s+but)\s+(?:de|d['\u2019])|para\s+que|(?:con\s+el|a)\s+fin\s+de(?:\s+que)?"
    r"|(?:a|com\s+o)\s+fim\s+de|(?:con\s+el|com\s+o)\s+objetivo\s+de|de\s+(?:modo|manera|forma)\s+que)"
    r"(?:\b|(?<=['\u2019]))"
    r"|(?:^|(?<=[,\uff0c\u3001])|(?<=[,\uff0c\u3001]\s))[^\w\n]*+(?:so(?:\s+that)?|(?:pour|para)(?:\s+que)?)\b"
    r"|以便(?:于)?|从而|以便|(?:^|(?<=[,\uff0c]))[^\w\n]*+(?:以|这样|使)|그래야|그래서|그리하여",
    re.IGNORECASE | re.MULTILINE,
)
# Without a comma, "pour" and "para" give a reason before an infinitive: "pour voir", "para ver".
PURPOSE: Final = re.compile(
    r"(?<!\w)(?:pour\s+(?:ne\s+pas\s+)?(?=(?:(?:me|te|se|nous|vous|y|en)\s+|[mts]['\u2019])?"
    r"(?!(?:notre|votre|autre|chaque|entre|contre|premier|dernier)\b)[^\W\d_]{2,30}(?:er|ir|re)\b)"
    r"|para\s+(?:não\s+|no\s+)?(?=(?!(?:lugar|mulher|mujer|celular)\b)[^\W\d_]{2,30}[aei]r(?:me|se|lo|la|los|las)?\b))",
    re.IGNORECASE,
)
ENDS: Final = " \t\n,.;:\uff0c\u3002\uff1b\uff1a\u3001*_-\u2013\u2014"


class StorySentence(NamedTuple):
    """The parts of a story's sentence; None what it does not say."""

    as_a: str | None
    i_want: str | None
    so_that: str | None


NO_SENTENCE: Final = StorySentence(None, None, None)


def read_sentence(sections: Iterable[StorySection]) -> StorySentence:
    """Return the sentence of a story, in English, French, Chinese, Spanish, Portuguese or Korean.

    It may be on one line, on three, or in three items. Its parts have no comma and no point at
    their ends, and at most MAX_TEXT characters.
    """
    blocks = [*islice(_blocks(sections), SEARCHED_BLOCKS + SENTENCE_BLOCKS)]
    for place, block in enumerate(blocks[:SEARCHED_BLOCKS]):
        text = block.text[:MAX_SENTENCE]
        as_a = AS_A.search(text) or AS_A_KOREAN.search(text)
        if not as_a:
            continue
        following = [each.text for each in blocks[place + 1 : place + 1 + SENTENCE_BLOCKS]]
        text = "\n\n".join([text, *following])[:MAX_SENTENCE]
        start = as_a.end()
        if as_a.re is AS_A_KOREAN:
            role = as_a[1]
            begin = len(text) - len(text[start:].lstrip(ENDS))
            want = I_WANT.match(text, begin)
            want_start = want.end() if want else start
        else:
            want = I_WANT.search(text, start)
            if not want or not _is_next(text, start, want):
                continue
            role = text[start : want.start()]
            want_start = want.end()
        so_that = _find_reason(text, want_start)
        if so_that and not _is_next(text, want_start, so_that):
            so_that = None
        want_end = so_that.start() if so_that else _paragraph_end(text, want_start)
        reason = text[so_that.end() : _paragraph_end(text, so_that.end())] if so_that else ""
        return StorySentence(_part(role), _part(text[want_start:want_end]), _part(reason))
    return NO_SENTENCE


def _find_reason(text: str, start: int) -> re.Match[str] | None:
    return SO_THAT.search(text, start) or PURPOSE.search(text, start)


def _blocks(sections: Iterable[StorySection]) -> Iterator[Block]:
    for section in sections:
        if section.name in NO_SENTENCE_IN:
            continue
        if section.head and section.head.tag == "p":
            yield section.head
        tags = {"p", "li", "pre"} if section.name == "sentence" else {"p", "li"}
        yield from (block for block in section.blocks if block.tag in tags)


def _paragraph_end(text: str, start: int) -> int:
    end = text.find("\n\n", start)
    begin = len(text) - len(text[start:].lstrip())
    if end != -1 and end < begin:  # a label on a line of its own
        end = text.find("\n\n", begin)
    return len(text) if end == -1 else end


def _is_next(text: str, start: int, found: re.Match[str]) -> bool:
    """Return whether a part is in the paragraph of the part before it, or begins the next one."""
    end = _paragraph_end(text, start)
    return found.start() <= end or not text[end : found.start()].strip(ENDS)


def _part(text: str) -> str | None:
    return short_text(text.strip(ENDS)) or None
