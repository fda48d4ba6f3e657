"""Texts in the encodings that files of games and motions have, declared or not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaginax.data import encodings

TEXTS = {
    "gb18030": ["柯洁", "李世石", "古力", "聂卫平九段", "白中盘胜", "镕炫旻野狐围棋"],
    "big5hkscs": ["許功蓋也", "周俊勳", "林海峰", "黑中盤勝", "張栩"],
    "cp932": ["左足", "井山裕太", "ソ表", "はなこ", "本因坊戦"],
    "euc_jp": ["はなこさん", "本因坊のたいきょく"],
    "cp949": ["이세돌", "박정환", "흑 불계승"],
    "cp1252": ["José", "Müller", "François Élan", "Ölçüm", "Åke Ström"],
    "utf-8": ["柯洁", "許", "이세돌", "é", "はなこ", "Ω"],
}


@pytest.mark.parametrize("encoding, text", [(one, text) for one, texts in TEXTS.items() for text in texts])
def test_undeclared(encoding, text):
    for form in (f"[{text}]", f"B[ee]C[{text}];W[cc]\n{text}\n"):
        assert encodings.decode(form.encode(encoding)) == form


@pytest.mark.parametrize(
    "declared, encoding",
    [
        ("Big5", "cp950"),
        ("x-sjis", "cp932"),
        ("Shift_JIS", "shift_jis"),
        ("GB2312", "gbk"),
        ("KS_C_5601-1987", "euc_kr"),
        ("EUC-JP", "euc_jp"),
        ("ISO-2022-JP", "iso2022_jp"),
        ("HZ-GB-2312", "hz"),
        ("windows-1251", "cp1251"),
        (" utf8 ", "utf-8"),
    ],
)
def test_declared(declared, encoding):
    text = {"euc_kr": "가수", "hz": "古力", "cp1251": "Шикшин"}.get(encoding, "古力山川")
    assert encodings.decode(text.encode(encoding), declared) == text


def test_marked_and_of_seven_bits():
    for encoding in ("utf-16", "utf-8-sig", "iso2022_jp"):
        assert encodings.decode("C[表[ソ]".encode(encoding)) == "C[表[ソ]"


@pytest.mark.parametrize(
    "name", ["", "Klingon", "utf-16", "utf-7", "rot13", "hex", "idna", "punycode", "undefined", "a\0"]
)
def test_names_that_cannot_be_are_ignored(name):
    assert encodings.decode("C[許]".encode(), name) == "C[許]"


@given(st.binary(max_size=40), st.sampled_from(["", "Big5", "UTF-8", "GBK", "HZ", "ISO-2022-JP"]))
def test_any_bytes_are_some_text(data, declared):
    assert isinstance(encodings.decode(data, declared), str)
