"""The memory that hostile texts take, each read in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Of a process that reads a text of 5 MB, besides the modules. Each of these texts took 200 MB to
# 2.2 GB where nothing limited what a parser makes of a character.
MOST_MB = 180

READ = """
import json, sys
from service.documents.sections import read_document
from service.documents.text import Unreadable, read_text

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000

read_document("# a", "md", "a.md")
before = peak()
content = eval(sys.argv[1])[:5_000_000]
try:
    json.dumps(read_document(read_text(content).text, "md", "a.md"))
except Unreadable:
    pass
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is in Linux's /proc")
@pytest.mark.parametrize(
    "content",
    [
        # A short line is a row of as many cells as the table has columns.
        "(b'|a' * 100 + b'|\\n' + b'|-' * 100 + b'|\\n' + b'a\\n' * 300 + b'\\n') * 2000",
        "(b'> ' + b'|a' * 99 + b'\\n> ' + b':-|' * 99 + b'\\n' + b'> a\\n' * 300 + b'>\\n') * 2000",
        "(b'|a' * 100 + b'|\\r' + b'|-' * 100 + b'|\\r' + b'a\\r' * 300 + b'\\r') * 2000",
        "b'a|b|c|d|e\\n-|-|-|-|-\\n' + b'a\\n' * 500_000",
        "b'|a' * 400 + b'|\\n' + b'|-' * 400 + b'|\\n' + b'a\\n' * 8_000",
        "b'|a|\\n|-|\\n' + b'|a|\\n' * 300_000",
        "(b'- ' * 99 + b'a\\n') * 20_000",
        "(b'1. ' * 99 + b'a\\n' + b'2) ' * 99 + b'a\\n') * 10_000",
        "(b'> - ' * 49 + b'a\\n') * 20_000",
        "b'- a\\n' * 1_000_000",
        "b'[^1]: a\\n\\n' + b'[^1]' * 1_000_000",
        "b'-\\n\\n*\\n\\n' * 800_000",
        "b'*a' * 2_500_000",
        "b'[' * 5_000_000",
        "b'\"\\'' * 2_500_000",
        "b'#\\n' * 2_500_000",
        "b'a@b.c ' * 800_000",
        "b'<a name=b c=d>' * 400_000",
        "b'<br>a' * 1_000_000",
        "b'<b>\\n\\n|a|b|c|\\n|-|-|-|\\n' + b'|a||c|\\n' * 20_000",
        "b'<b>\\n\\n' + b'a@b.c ' * 800_000",
        "b'![a](b)' * 600_000",
        # Bytes in no known encoding, or in two.
        "b'\\x80' * 5_000_000",
        "'\\u4e2d\\u6587'.encode() * 800_000 + b'\\xff'",
        "('\\u4e2d' * 10).encode() * 160_000 + b'\\xff' * 100_000",
        "b'caf\\xe9 ' * 1_000_000",
        "b'\\xff\\xfe' + 'a\\0'.encode('utf-16-le') * 1_250_000",
    ],
)
def test_reading_a_text_takes_bounded_memory(content: str) -> None:
    read = subprocess.run(
        [sys.executable, "-c", READ, content], capture_output=True, text=True, check=True
    )
    assert float(read.stdout) < MOST_MB
