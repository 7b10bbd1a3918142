from __future__ import annotations

import codecs
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.documents.text import (
    FILE_TYPES,
    MAX_JSON_BYTES,
    MEDIA_TYPES,
    DocumentText,
    Unreadable,
    file_type_of,
    read_text,
)

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 12345\n"


@pytest.mark.parametrize(
    ("path", "file_type"),
    [
        ("README.md", "md"),
        ("docs/Epic-1.2.MD", "md"),
        ("a.markdown", "md"),
        ("notes.txt", "txt"),
        ("a/b.csv", "csv"),
        ("gate.yml", "yaml"),
        ("gate.Yaml", "yaml"),
        ("package.json", "json"),
        ("tickets.toml", "toml"),
        ("docs/epic-login/Tickets.TOML", "toml"),
        ("pyproject.toml", None),
        ("my-tickets.toml", None),
        (".toml", None),
        ("md", None),
        ("docs.md/logo.png", None),
        ("docs/.json", None),
        ("a.md.bak", None),
        ("", None),
    ],
)
def test_the_name_decides_the_file_type(path: str, file_type: str | None) -> None:
    assert file_type_of(path) == file_type


def test_every_type_has_a_media_type() -> None:
    assert set(FILE_TYPES.values()) == set(MEDIA_TYPES)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", DocumentText("", True, "utf-8")),
        (b"a\r\nb\rc\n", DocumentText("a\r\nb\rc\n", True, "utf-8")),
        ("ü 你 😄".encode(), DocumentText("ü 你 😄", True, "utf-8")),
        (b"\xef\xbb\xbf# A", DocumentText("# A", False, "utf-8-sig")),
        (b"\xff\xfea\0\r\0\n\0", DocumentText("a\r\n", False, "utf-16-le")),
        (b"\xfe\xff\0a\xd8\x3d\xde\x04", DocumentText("a😄", False, "utf-16-be")),
        (b"\xff\xfe", DocumentText("", False, "utf-16-le")),
    ],
)
def test_utf_8_and_utf_16_with_a_mark_are_decoded(content: bytes, expected: DocumentText) -> None:
    assert read_text(content) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"# A\n\nb\0c and more\n", DocumentText("# A\n\nb\ufffdc and more\n", False, "utf-8", 1)),
        (
            b"\xef\xbb\xbftitle: a\0b or c\n",
            DocumentText("title: a\ufffdb or c\n", False, "utf-8-sig", 1),
        ),
        (
            "\ufeffone\0 and two".encode("utf-16-le"),
            DocumentText("one\ufffd and two", False, "utf-16-le", 1),
        ),
        (
            b"\xff\xfe" + "good text ".encode("utf-16-le") + b"\x3d\xd8",
            DocumentText("good text \ufffd", False, "utf-16-le", 1),
        ),
        (
            b"\xfe\xff" + "cut off here".encode("utf-16-be") + b"\0",
            DocumentText("cut off here\ufffd", False, "utf-16-be", 1),
        ),
        # U+FFFD of the file's own is text.
        ("\ufffd a\0bcdefgh".encode(), DocumentText("\ufffd a\ufffdbcdefgh", False, "utf-8", 1)),
        # Mostly UTF-8: pasted from windows-1252, and cut within a character.
        (
            "d\u00e9j\u00e0 vu, d\u00e9j\u00e0 ".encode() + b"\xe9t",
            DocumentText("d\u00e9j\u00e0 vu, d\u00e9j\u00e0 \ufffdt", False, "utf-8", 1),
        ),
        (
            ("\u4e2d\u6587" * 20).encode()[:-1],
            DocumentText(("\u4e2d\u6587" * 20)[:-1] + "\ufffd", False, "utf-8", 1),
        ),
        (
            b"\xef\xbb\xbfmarked as UTF-8 \xe9",
            DocumentText("marked as UTF-8 \ufffd", False, "utf-8-sig", 1),
        ),
        (
            b"It\x92s caf\xe9 time\r\n",
            DocumentText("It\u2019s caf\u00e9 time\r\n", False, "windows-1252"),
        ),
        (
            b"plain text\n" * 100 + b"\x81",
            DocumentText("plain text\n" * 100 + "\ufffd", False, "unknown", 1),
        ),
    ],
)
def test_a_text_with_a_few_broken_characters_is_shown(
    content: bytes, expected: DocumentText
) -> None:
    assert read_text(content) == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a\0b", "contains NUL bytes"),
        (b"\xef\xbb\xbfa\0b", "contains NUL bytes"),
        ("unmarked".encode("utf-16-le"), "contains NUL bytes: it may be UTF-16 without a mark"),
        ("unmarked".encode("utf-32-be"), "contains NUL bytes: it may be UTF-16 without a mark"),
        (b"\xff\xfea\0\0\0b\0", "is not valid UTF-16"),
        (b"one\ntwo \xff", "is not valid UTF-8 (line 2), and its encoding is not known"),
        (b"\xef\xbb\xbf\n\n\xe9", "is not valid UTF-8 (line 3), and its encoding is not known"),
        (
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            "is not valid UTF-8 (line 1), and its encoding is not known",
        ),
        (b"PK\3\4\x14\0\0\0\b\0\x21\x58mimetype", "contains NUL bytes"),
        (bytes(range(256)) * 9, "is not valid UTF-8 (line 2), and its encoding is not known"),
        (b"\xed\xa0\x80", "is not valid UTF-8 (line 1), and its encoding is not known"),
        (b"\xff\xfe\x3d\xd8a\0", "is not valid UTF-16"),
        (b"\xfe\xff\0aa", "is not valid UTF-16"),
        ("\ufeffa".encode("utf-32-le"), "is UTF-32, not UTF-8"),
        ("\ufeffa".encode("utf-32-be"), "is UTF-32, not UTF-8"),
        (POINTER, "is a Git LFS pointer: its content is not in the repository"),
    ],
)
def test_files_without_readable_text_are_refused_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read_text(content)
    assert str(refused.value) == reason


def test_a_file_larger_than_any_lfs_pointer_is_text() -> None:
    assert read_text(POINTER + b"x" * 1024).is_exact


@settings(deadline=None)
@given(
    st.binary()
    | st.text().map(str.encode)
    | st.text(st.characters(codec="cp1252")).map(lambda text: text.encode("cp1252"))
    | st.text().map(lambda text: text.encode("utf-16"))
)
def test_an_exact_text_encodes_to_the_files_bytes(content: bytes) -> None:
    try:
        document = read_text(content)
    except Unreadable as refused:
        assert 0 < len(str(refused)) < 100
    else:
        assert "\0" not in document.text
        assert document.is_exact == (document.text.encode() == content)
        assert document.replaced <= document.text.count("\ufffd") <= len(content)
        if not document.replaced and document.encoding != "unknown":
            marked = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
            mark = marked.get(document.encoding, b"")
            assert mark + document.text.encode(document.encoding) == content


@pytest.mark.parametrize("character", ["\x01", "\x1f"])
def test_a_text_of_control_characters_is_limited_as_json(character: str) -> None:
    text = character * (MAX_JSON_BYTES // 6 - 1) + "abcd"
    assert len(json.dumps(text)) == MAX_JSON_BYTES
    assert read_text(text.encode()).text == text
    encoded = codecs.BOM_UTF16_LE + text.encode("utf-16-le")
    assert read_text(encoded).text == text
    for larger in (text + "a", "\ufeff" + text + "a"):
        with pytest.raises(Unreadable, match="has more than 12 MB as JSON: it consists mostly of"):
            read_text(larger.encode())
    with pytest.raises(Unreadable, match="as JSON"):
        read_text(encoded + b"a\0")


@pytest.mark.parametrize("text", ['"', "\\", "\n", "\t", "\x1b[0m text", "\u20ac", "x\b"])
def test_no_other_text_of_5_mb_is_too_large(text: str) -> None:
    content = (text * 5_000_000).encode()[:4_999_999]
    assert read_text(content.decode(errors="ignore").encode())
