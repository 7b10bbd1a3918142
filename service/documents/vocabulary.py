"""The words that misspelt ones may be corrected to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# Letters of a word that may be corrected: a shorter one resembles too many.
SHORTEST: Final = 4
LONGEST: Final = 30

# Letters from which on a word may have two errors.
TWO_ERRORS_FROM: Final = 7


def is_correctable(form: str) -> bool:
    """Return whether a word is of letters, and neither too short nor too long."""
    return SHORTEST <= len(form) <= LONGEST and form.isalpha()


def transpositions(form: str) -> list[str]:
    """Return the word with each two neighbouring letters transposed.

    They have few trigrams in common with a short word.
    """
    return [
        form[:place] + form[place + 1] + form[place] + form[place + 2 :]
        for place in range(len(form) - 1)
        if form[place] != form[place + 1]
    ]


def most_errors(form: str) -> int:
    """Return the number of errors that a word may have."""
    return 2 if len(form) >= TWO_ERRORS_FROM else 1


def least_similarity(form: str, errors: int) -> float:
    """Return a similarity, as pg_trgm counts it, that words with so many errors have at least.

    That is the share of the trigrams of two words that both have. A wrong letter changes three, and
    two transposed ones four; words with one transposition are looked for without trigrams. A word
    is padded with two blanks before it and one after it:
    https://www.postgresql.org/docs/current/pgtrgm.html
    """
    padded = f"  {form} "
    count = len({padded[place : place + 3] for place in range(len(form) + 1)})
    changed = 3 if errors == 1 else 4 * errors
    # PostgreSQL rounds a similarity to 24 bits.
    return (count - changed) / (count + changed) - 1e-6


def closest(form: str, words: Iterable[str], allowed: int) -> list[str]:
    """Return those of the words that differ from `form` by the least errors, in their order.

    Errors are letters that are wrong, missing, too many or transposed: up to `allowed`. If one of
    these words has the same first letter, all others are left out: the first letter is rarely
    wrong.
    """
    errors = [
        (count_errors(form, word), word[0] != form[0], word)
        for word in words
        if abs(len(word) - len(form)) <= allowed and word != form
    ]
    least = min(errors, default=(allowed + 1, False, ""))[:2]
    return [each[2] for each in errors if each[:2] == least and least[0] <= allowed]


def count_errors(first: str, second: str) -> int:
    """Return the distance of Damerau and Levenshtein, with each letter transposed once at most."""
    before: list[int] = []
    last = [*range(len(second) + 1)]
    for row, letter in enumerate(first, 1):
        current = [row]
        for column, other in enumerate(second, 1):
            errors = min(
                last[column] + 1, current[column - 1] + 1, last[column - 1] + (letter != other)
            )
            if row > 1 and column > 1 and letter == second[column - 2] and other == first[row - 2]:
                errors = min(errors, before[column - 2] + 1)
            current.append(errors)
        before, last = last, current
    return last[-1]
