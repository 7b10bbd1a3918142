# ruff: noqa: RUF001
"""Sentences in many encodings: those of windows-1252 are read, and no other is taken for it."""

from __future__ import annotations

import pytest

from service.documents.windows_1252 import read_windows_1252

PROSE = "# A title\n\nSome English prose, with several words and a list.\n\n- one\n- two\n\n"
BEFORE = ["", PROSE]

WESTERN = {
    "French": "L’été, nous avons déjà créé « l’œuvre » où ça naît à Noël… Coût : 10 €.",
    "German": "Größe und Übermaß: für die Prüfung alle Fälle ändern – „schön“.",
    "Spanish": "¿Qué pasó mañana? ¡El niño comió piñas! Según el artículo 1º y la 2ª.",
    "Portuguese": "A reunião de ações começará amanhã às três; não há exceções.",
    "Italian": "Perché la città è più bella? Così sarà, però già.",
    "Swedish": "Användarna får ändra sina lösenord på sidan. Å andra sidan.",
    "Danish": "Brugeren kan ændre på øerne; få små ål.",
    "Icelandic": "Það er gott veður í dag, þú átt að skoða nýja húsið.",
    "Dutch": "De coördinatie van ideeën: één reünie.",
    "Estonian": "Õpilane sõitis öösel üle jõe, žürii šokk, väga hea.",
    "English": "It’s “smart” – don’t you think? £5 — 100%… ©2020 ACME™ 25°C café",
    "Scottish Gaelic": "Tha mìle fàilte romhaibh don dùthaich, ann an cùl na tìre.",
    "Spanish without accents": "El niño come. ¿Es otoño? ¡No!",
    "footnotes": "A note¹ and another², of 5 m³; the 1º of £5,000 or £5m, £x.",
    "French words": "Cœur, œil, œdème, fœtus, œnologie, œcuménique: chef-d’œuvre.",
    "Portuguese words": "Põe o chá e as opções, são milhões de ações.",
    "a table": "| Zürich | São Paulo | Malmö |\n|---|---|---|\n| 5 m² | ½ | ±3 |\n",
}
OTHERS = {
    "Russian": ("Привет, это документ о проекте.", ("cp1251", "koi8-r", "cp866", "iso8859-5")),
    "Greek": ("Αυτό είναι ένα έγγραφο.", ("cp1253",)),
    "Hebrew": ("זה מסמך בעברית", ("cp1255",)),
    "Arabic": ("هذه وثيقة باللغة العربية", ("cp1256",)),
    "Thai": ("นี่คือเอกสาร", ("cp874",)),
    "Chinese": ("中文文档，第1章。", ("gb18030",)),
    "traditional Chinese": ("中文文件，這是測試。", ("big5",)),
    "Japanese": ("これは日本語のテストです。", ("shift_jis", "euc_jp")),
    "Korean": ("한국어 문서입니다. 테스트", ("euc_kr",)),
    "Turkish": ("Değişiklik yapıldı, başka şey", ("cp1254",)),
    "Polish": ("Zażółć gęślą jaźń, to będzie dość łatwe", ("cp1250", "iso8859-2")),
    "a Polish line": ("To jest ładny dzień", ("cp1250", "iso8859-2")),
    "a Polish list": ("- Wyślij już żądanie\n- Śledzenie", ("cp1250",)),
    "a Polish name": ("Łukasz żyje", ("cp1250", "iso8859-2")),
    "a Czech line": ("Řízení a příklad kódu", ("cp1250", "iso8859-2")),
    "a Czech word": ("účel", ("cp1250", "iso8859-2")),
    "a Hungarian line": ("Kezdő lépések, fejlesztői útmutató", ("cp1250",)),
    "a Romanian word": ("ştergere", ("cp1250",)),
    "Czech": ("Všechny změny se řeší v příštím týdnu", ("cp1250", "iso8859-2")),
    "Hungarian": ("Az első őszi erdőben a tűz és a víz öröme", ("cp1250",)),
    "Romanian": ("Această ţară are mulţi oameni şi locuri", ("cp1250",)),
    "Croatian": ("Čovjek će doći kući, žena šalje", ("cp1250",)),
    "Lithuanian": ("Šis dokumentas yra apie projektą, žmonės", ("cp1257",)),
    "French of the Macintosh": ("Le résumé de l'été, déjà créé à Noël où", ("mac_roman",)),
    "French of DOS": ("Le résumé de l'été est déjà créé à Noël", ("cp850",)),
    "a frame of DOS": ("┌────┐\n│ ab │\n└────┘\n", ("cp437",)),
    "UTF-16": ("这是一个测试文档", ("utf-16-le", "utf-16-be")),
}
OTHER_CASES = [(text, encoding) for text, encodings in OTHERS.values() for encoding in encodings]


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("text", WESTERN.values(), ids=WESTERN.keys())
def test_the_languages_of_windows_1252_are_read(text: str, before: str) -> None:
    assert read_windows_1252((before + text).encode("cp1252")) == before + text


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize(("text", "encoding"), OTHER_CASES)
def test_no_other_encoding_is_taken_for_windows_1252(text: str, encoding: str, before: str) -> None:
    assert read_windows_1252((before + text).encode(encoding)) is None


def test_binary_files_are_not_windows_1252() -> None:
    assert read_windows_1252(b"\x89PNG\r\n\x1a\n\xe9") is None
    assert read_windows_1252(b"caf\xe9 \x07 bell") is None
    assert read_windows_1252(b"caf\xe9 " * 300 + b"\x07") is not None
    assert read_windows_1252(bytes(range(0xC0, 0x100))) is None
