"""Whatever is in a text: the tokenizer keeps it, and a line stays a line."""

import gzip
import io
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.cli.lines import Notes, read_chunks
from seq2seq.config import TokenizerConfig
from seq2seq.data.corpus import Corpus, read_aligned
from seq2seq.data.lines import read_lines
from seq2seq.data.tokenizer import BOS, CONTROL, EOS, PAD, UNK, Tokenizer
from seq2seq.errors import DataError

TIMES = settings().max_examples // 100  # 1 in the quick suite, more in `make fuzz`
TEXTS = Corpus(["the cat sees the dog .", "a dog sees a cat ."] * 5, ["le chat voit le chien .", "à Bâle ."] * 5)


def train(**changes: str | bool) -> Tokenizer:
    return Tokenizer.train(TokenizerConfig.model_validate({"vocabulary_size": 300, **changes}), TEXTS)


KINDS = {
    "identity": train(normalization="identity"),
    "nfkc": train(normalization="nfkc"),
    "nmt_nfkc": train(),
    "bpe": train(type="bpe", joint=False),
}
anything = st.text(st.characters(codec="utf-8"), max_size=40)
LIKELY = "the cat sees à Bâle . ▁<>/sp0xA²日😀\x00\x1b\x85\r\n\t\u200b\u00a0\u2028\u0301\u1161\uac00\ufb01"
likely = st.text(st.sampled_from(LIKELY), max_size=20)


@settings(max_examples=30 * TIMES)
@given(anything | likely)
def test_any_text_survives_but_for_white_space(text: str):
    """And control characters. Sentencepiece's own space, ▁, is one."""
    tokenizer = KINDS["identity"]
    (ids,) = tokenizer.encode_target([text])
    assert tokenizer.decode(ids) == " ".join(CONTROL.sub("", text).replace("▁", " ").split())


@settings(max_examples=30 * TIMES)
@given(st.sampled_from(sorted(KINDS)), anything | likely)
def test_what_was_normalized_once_stays(kind: str, text: str):
    tokenizer = KINDS[kind]
    (ids,) = tokenizer.encode_target([text])
    assert not {PAD, UNK, BOS, EOS} & set(ids)
    once = tokenizer.decode(ids)
    assert len(once.splitlines()) <= 1
    (again,) = tokenizer.encode_target([once])
    # sentencepiece expands a ligature and leaves an accent that follows it uncomposed, which the next time composes
    assert unicodedata.normalize("NFC", tokenizer.decode(again)) == unicodedata.normalize("NFC", once)


@settings(max_examples=20 * TIMES)
@given(st.lists(st.integers(0, KINDS["nmt_nfkc"].target_size - 1), max_size=12))
def test_any_ids_are_one_line(ids: list[int]):
    text = KINDS["nmt_nfkc"].decode(ids)
    assert "\n" not in text
    assert "\r" not in text
    text.encode("utf-8")


PIECES = [b"a", b" ", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xc3", b"\xa4", b"\xef\xbb\xbf", b"\xff\xfe",
    b"\x1f\x8b",       "\u2028\x85\x0c\x1c".encode()]  # fmt: skip
any_bytes = st.binary(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "file"


def lines_of(content: bytes) -> list[bytes]:
    """By the rule that a line ends at \\n, of which \\r\\n is a spelling."""
    lines = content.split(b"\n")
    lines = [line.removesuffix(b"\r") for line in (lines if lines[-1] else lines[:-1])]
    return [line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line for number, line in enumerate(lines)]


@settings(max_examples=30 * TIMES)
@given(any_bytes, st.booleans())
def test_any_bytes_are_lines_or_refused(attempt, path: Path, content: bytes, packed: bool):
    path.write_bytes(gzip.compress(content) if packed else content)
    lines = attempt(lambda: list(read_lines(path)), str(path))
    assert lines is None or [line.encode() for line in lines] == lines_of(content)


clean = st.text(st.characters(codec="utf-8", exclude_characters="\n\0"), max_size=20)


@settings(max_examples=20 * TIMES)
@given(st.lists(clean, min_size=1), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
def test_any_lines_come_back(path: Path, lines: list[str], end: str, marked: bool, packed: bool):
    content = ("\ufeff" * marked + "".join(f"{line}{end}" for line in lines)).encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    expected = lines if end == "\r\n" else [line.removesuffix("\r") for line in lines]
    if not marked:
        expected = [expected[0].removeprefix("\ufeff"), *expected[1:]]
    assert list(read_lines(path)) == expected


@settings(max_examples=15 * TIMES)
@given(st.lists(clean, min_size=1, max_size=9), st.lists(clean, min_size=1, max_size=9))
def test_pairs_are_all_or_refused_with_both_counts(path: Path, sources: list[str], targets: list[str]):
    files = path.with_suffix(".en"), path.with_suffix(".de")
    for file, lines in zip(files, (sources, targets), strict=True):
        file.write_bytes("".join(f"{line}\r\n" for line in ["\ufeff" + lines[0], *lines[1:]]).encode())
    if len(sources) == len(targets):
        assert list(read_aligned(*files)) == list(zip(sources, targets, strict=True))
    else:
        message = f"has {len(sources)} lines, but {files[1]} has {len(targets)}; "
        with pytest.raises(DataError, match=message):
            list(read_aligned(*files))


class Pieces(io.BytesIO):
    """Gives its content in pieces of given sizes, as a pipe does."""

    def __init__(self, content: bytes, sizes: list[int]):
        super().__init__(content)
        self._sizes = iter(sizes)

    def read1(self, size: int | None = -1) -> bytes:
        return super().read1(next(self._sizes, -1))


@settings(max_examples=30 * TIMES)
@given(any_bytes, st.lists(st.integers(1, 9), max_size=9))
def test_standard_input_has_as_many_lines_however_it_comes(attempt, content: bytes, sizes: list[int]):
    def read(stream: io.BytesIO) -> list[str] | None:
        return attempt(lambda: [line for chunk in read_chunks(stream, Notes("test")) for line in chunk], "test is ")

    lines = read(Pieces(content, sizes))
    assert lines == read(io.BytesIO(content))
    if content.startswith((b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff")):
        assert lines is None
    else:
        assert lines == [line.decode("utf-8", "replace") for line in lines_of(content)]
