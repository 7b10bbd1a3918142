"""Finds regular expressions that take exponential time, by their automaton.

A backtracking matcher tries every way in which a pattern matches a text before it fails. There are
exponentially many if two different ways lead from a state of the automaton back to it over the same
text, and what comes after may fail (Weideman et al., 2016: exponential degree of ambiguity). So
no text has to be guessed. Assertions and back references are taken to match, which may find too
much, and never too little: patterns that were looked at by hand are named in the test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, TypeVar

op: Any = import_module("re._constants")
parser: Any = import_module("re._parser")

Node = TypeVar("Node", int, tuple[int, int])

# One for each class of characters that patterns tell apart.
ALPHABET = [*map(chr, range(128)), "\xa0", "\xb2", "\xc9", "\xe9", "\u0301", "\u2028", "文", "€"]
BITS = {character: 1 << place for place, character in enumerate(ALPHABET)}
ALL = (1 << len(ALPHABET)) - 1


def _bits(is_in: Callable[[str], bool]) -> int:
    return sum(bit for character, bit in BITS.items() if is_in(character))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


CATEGORIES: dict[Any, int] = {
    op.CATEGORY_DIGIT: _bits(str.isdecimal),
    op.CATEGORY_NOT_DIGIT: ALL & ~_bits(str.isdecimal),
    op.CATEGORY_SPACE: _bits(str.isspace),
    op.CATEGORY_NOT_SPACE: ALL & ~_bits(str.isspace),
    op.CATEGORY_WORD: _bits(_is_word),
    op.CATEGORY_NOT_WORD: ALL & ~_bits(_is_word),
}


class _Automaton:
    """States with steps over characters, and with jumps over none. State 0 is the first."""

    def __init__(self, flags: int) -> None:
        self.flags = flags
        self.jumps: list[list[int]] = []
        self.steps: list[list[tuple[int, int]]] = []
        self.can_fail: set[int] = set()  # states with an assertion or a back reference
        self.apart: list[tuple[Any, int]] = []  # what is matched by itself, and its flags

    def add_state(self) -> int:
        self.jumps.append([])
        self.steps.append([])
        return len(self.jumps) - 1

    def add(self, nodes: Iterable[tuple[Any, Any]], state: int) -> int:
        """Add what matches the nodes of a parsed pattern; return the state after it."""
        for code, value in nodes:
            characters = self._characters(code, value)
            if characters is not None:
                after = self.add_state()
                self.steps[state].append((characters, after))
                state = after
            elif code in {op.MAX_REPEAT, op.MIN_REPEAT}:
                state = self._add_repetition(value, state)
            elif code is op.SUBPATTERN:
                flags = self.flags
                self.flags = (flags | value[1]) & ~value[2]
                state = self.add(value[3], state)
                self.flags = flags
            elif code is op.BRANCH:
                state = self._add_branches(value[1], state)
            elif code is op.GROUPREF_EXISTS:
                state = self._add_branches([part or [] for part in value[1:]], state)
            else:
                state = self._add_other(code, value, state)
        return state

    def _add_other(self, code: Any, value: Any, state: int) -> int:
        # Nothing goes back into what is possessive.
        if code is op.POSSESSIVE_REPEAT:
            self.apart.append(([(op.MAX_REPEAT, value)], self.flags))
            return self.add(value[2], state)
        if code is op.ATOMIC_GROUP:
            return self.add(value, state)
        if code in {op.ASSERT, op.ASSERT_NOT}:
            self.apart.append((value[1], self.flags))
        else:
            assert code in {op.AT, op.GROUPREF}, code
        self.can_fail.add(state)
        return state

    def _add_repetition(self, repetition: tuple[int, Any, Any], state: int) -> int:
        least, most, body = repetition
        for _ in range(min(least, 3)):
            state = self.add(body, state)
        after = self.add_state()
        if most is op.MAXREPEAT or most - least > 5:
            begin = self.add_state()
            self.jumps[state] += [begin, after]
            self.jumps[self.add(body, begin)] += [begin, after]
            return after
        for _ in range(most - least):
            self.jumps[state].append(after)
            state = self.add(body, state)
        self.jumps[state].append(after)
        return after

    def _add_branches(self, branches: Iterable[Any], state: int) -> int:
        after = self.add_state()
        for branch in branches:
            start = self.add_state()
            self.jumps[state].append(start)
            self.jumps[self.add(branch, start)].append(after)
        return after

    def _characters(self, code: Any, value: Any) -> int | None:
        if code is op.LITERAL:
            return self._both_cases(BITS.get(chr(value), BITS["€"]))
        if code is op.NOT_LITERAL:
            return ALL & ~self._both_cases(BITS.get(chr(value), 0))
        if code is op.ANY:
            return ALL if self.flags & re.DOTALL else ALL & ~BITS["\n"]
        if code is op.CATEGORY:
            return CATEGORIES[value]
        return self._set(value) if code is op.IN else None

    def _set(self, items: Sequence[tuple[Any, Any]]) -> int:
        bits = 0
        for code, value in items:
            if code is op.LITERAL:
                bits |= BITS.get(chr(value), 0)
            elif code is op.RANGE:
                bits |= _bits(lambda character: value[0] <= ord(character) <= value[1])  # noqa: B023
            elif code is op.CATEGORY:
                bits |= CATEGORIES[value]
        bits = self._both_cases(bits)
        return ALL & ~bits if items[0][0] is op.NEGATE else bits

    def _both_cases(self, bits: int) -> int:
        if not self.flags & re.IGNORECASE:
            return bits
        return bits | _bits(lambda character: bool(bits & BITS.get(character.swapcase(), 0)))

    def ways_from(self, state: int) -> Iterator[tuple[int, int]]:
        """Yield each way over jumps to a step from a state: its characters and its end."""
        stack = [(state, frozenset((state,)))]
        while stack:
            at, path = stack.pop()
            yield from self.steps[at]
            stack += [(to, path | {to}) for to in self.jumps[at] if to not in path]

    def next_to(self, state: int) -> list[int]:
        """Return the states that jumps and steps lead to."""
        return [*self.jumps[state], *(end for _, end in self.steps[state])]

    def reach(self, state: int) -> set[int]:
        """Return all states that come after a state, and itself."""
        found = {state}
        stack = [state]
        while stack:
            at = stack.pop()
            for to in self.next_to(at):
                if to not in found:
                    found.add(to)
                    stack.append(to)
        return found


def is_exponential(pattern: str, flags: int = 0) -> bool:
    """Return whether a text may take a pattern time that doubles with each repetition in it."""
    return _is_exponential(parser.parse(pattern, flags), flags)


def _is_exponential(nodes: Any, flags: int) -> bool:
    automaton = _Automaton(flags)
    automaton.add(nodes, automaton.add_state())
    states = [0, *sorted({end for steps in automaton.steps for _, end in steps})]
    ways = {state: [*automaton.ways_from(state)] for state in states}
    for loop in _components(states, lambda state: [end for _, end in ways[state]]):
        inside = {state: [way for way in ways[state] if way[1] in loop] for state in loop}
        if _can_fail_after(automaton, loop) and _has_two_ways(inside):
            return True
    return any(_is_exponential(part, its_flags) for part, its_flags in automaton.apart)


def _can_fail_after(automaton: _Automaton, loop: set[int]) -> bool:
    """Return whether something that may fail comes after a loop. Else it takes its first way."""
    after = automaton.reach(next(iter(loop)))
    inside = set(loop)
    while True:
        more = {state for state in after - inside if inside & {*automaton.next_to(state)}}
        if not more:
            break
        inside |= more
    return any(automaton.steps[state] or state in automaton.can_fail for state in after - inside)


def _has_two_ways(inside: dict[int, list[tuple[int, int]]]) -> bool:
    for ways in inside.values():
        for place, (characters, end) in enumerate(ways):
            if any(end == other and characters & bits for bits, other in ways[:place]):
                return True
    pairs = [(one, other) for one in inside for other in inside]

    def steps(pair: tuple[int, int]) -> list[tuple[int, int]]:
        return [
            (end, other_end)
            for characters, end in inside[pair[0]]
            for bits, other_end in inside[pair[1]]
            if characters & bits
        ]

    return any(
        any(one == other for one, other in component)
        and any(one != other for one, other in component)
        for component in _components(pairs, steps)
    )


def _components(nodes: Iterable[Node], steps: Callable[[Node], Iterable[Node]]) -> list[set[Node]]:
    """Return the sets of nodes each of which leads to all others of its set, by Tarjan's algorithm.

    A node alone is one only if it leads to itself.
    """
    number: dict[Node, int] = {}
    lowest: dict[Node, int] = {}
    open_nodes: dict[Node, None] = {}
    found: list[set[Node]] = []
    for root in nodes:
        if root in number:
            continue
        number[root] = lowest[root] = len(number)
        open_nodes[root] = None
        stack = [(root, iter(steps(root)))]
        while stack:
            node, following = stack[-1]
            for to in following:
                if to not in number:
                    number[to] = lowest[to] = len(number)
                    open_nodes[to] = None
                    stack.append((to, iter(steps(to))))
                    break
                if to in open_nodes:
                    lowest[node] = min(lowest[node], number[to])
            else:
                stack.pop()
                if stack:
                    before = stack[-1][0]
                    lowest[before] = min(lowest[before], lowest[node])
                if lowest[node] == number[node]:
                    component: set[Node] = set()
                    while node not in component:
                        component.add(open_nodes.popitem()[0])
                    if len(component) > 1 or node in steps(node):
                        found.append(component)
    return found
