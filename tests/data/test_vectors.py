import gzip
import math

import pytest
import torch

from seq2seq.data.vectors import read_vectors, require_width
from seq2seq.errors import ConfigError, DataError

PIECES = ["<pad>", "</s>", "▁dog", "▁Cat", "ing", "▁", "▁é", "."]
HEADER, WORDS = "3 2\n", "dog 1 2\ning -3e-1 .5\nxyz 7 8\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "vectors.vec"


def read(path, content, pieces=PIECES, size=2):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    ids, rows = read_vectors(path, pieces, size)
    assert rows.dtype == torch.float32
    return {pieces[index]: row for index, row in zip(ids, rows.tolist(), strict=True)}


@pytest.mark.parametrize("header", [HEADER, "", "\ufeff", "\ufeff" + HEADER])
@pytest.mark.parametrize("ends", ["\n", " \n", "\r\n"], ids=["GloVe", "word2vec", "Windows"])
def test_reads_word2vec_glove_and_fasttext(path, header, ends):
    found = read(path, (header + WORDS).replace("\n", ends))
    assert found == {"▁dog": [1.0, 2.0], "ing": [pytest.approx(-0.3), 0.5]}


@pytest.mark.parametrize("name", ["vectors.vec.gz", "vectors.txt"])
def test_reads_gzip_by_its_content(tmp_path, name):
    assert read(tmp_path / name, gzip.compress((HEADER + WORDS).encode()))["▁dog"] == [1.0, 2.0]


@pytest.mark.parametrize("separated", ["dog\t1\t2", "dog  1  2", "dog 1\t2"])
def test_other_white_space_separates_too(path, separated):
    assert read(path, f"the 5 6\n{separated}\n\n") == {"▁dog": [1.0, 2.0]}


@pytest.mark.parametrize("lines", [["▁Cat 1 2", "Cat 3 4", "cat 5 6"], ["Cat 1 2", "cat 5 6"], ["cat 1 2", "CAT 5 6"]])
def test_as_written_beats_the_word_beats_lower_case(path, lines):
    for order in (lines, lines[::-1]):
        assert read(path, "\n".join(order)) == {"▁Cat": [1.0, 2.0]}


def test_one_word_serves_several_pieces(path):
    assert read(path, "dog 1 2", ["dog", "▁dog", "▁Dog", "▁DOG", "Dog"]) == {
        piece: [1.0, 2.0] for piece in ("dog", "▁dog", "▁Dog", "▁DOG")
    }


def test_symbols_match_as_written_and_a_lone_word_start_nothing(path):
    assert read(path, "</s> 1 2\n. 3 4\n 5 6\n") == {"</s>": [1.0, 2.0], ".": [3.0, 4.0]}


def test_first_of_a_repeated_word_counts(path):
    assert read(path, "dog 1 2\ndog 3 4") == {"▁dog": [1.0, 2.0]}


@pytest.mark.parametrize("position", [0, 1])
def test_words_with_spaces_as_in_glove(path, position):
    lines = ["dog 1 2", "é 3 4"]
    lines.insert(position, ". . . 5 6")
    assert read(path, "\n".join(lines)) == {"▁dog": [1.0, 2.0], "▁é": [3.0, 4.0]}


def test_words_that_are_not_utf8_or_hold_odd_spaces(path):
    content = b"\xff\xfe\xc3 5 6\nd\xc2\xa0og 7 8\n\xe2\x80\xa8 1 1\n1999 9 9\ndog 1 2\n"
    assert read(path, content) == {"▁dog": [1.0, 2.0]}


def test_wide_file_and_other_width(path):
    row = " ".join(str(number / 16) for number in range(300))
    assert read(path, f"dog {row}", size=300) == {"▁dog": [number / 16 for number in range(300)]}
    with pytest.raises(ConfigError, match=r"vectors.vec: its vectors have 300 numbers, but model.embedding_size is 16"):
        require_width(path, 16)
    require_width(path, 300)


@pytest.mark.parametrize("content", ["5 3\ndog 1 2 3\n", "dog 1 2 3\n", "1999 1 2 3\n", ". . 1 2 3\n"])
def test_width_is_known_from_the_first_line(path, content):
    path.write_text(content)
    require_width(path, 3)
    with pytest.raises(ConfigError, match=r"its vectors have 3 numbers, but model.embedding_size is 2"):
        require_width(path, 2)
    with pytest.raises(ConfigError, match=r"its vectors have 3 numbers, but model.embedding_size is 2"):
        read_vectors(path, PIECES, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("dog 1 2\nxyz 1\n", "vectors.vec: line 2 has 1 numbers; expected 2"),
        ("dog 1 2\n\nxyz 1 2 3\n", "vectors.vec: line 3 has 3 numbers; expected 2"),
        ("2 2\ndog 1 2\nxyz\n", "vectors.vec: line 3 has 0 numbers; expected 2"),
        ("dog 1 2\n. . . 1\n", "vectors.vec: line 2 has 1 numbers; expected 2"),
        ("xyz 1 2\ndog 1 two\n", "vectors.vec: line 2: 'two' is not a number"),
        ("dog 1 x\n", "vectors.vec: line 1: 'x' is not a number"),
        (b"xyz 1 2\ndog 1 \xff\n", "vectors.vec: line 2: '\ufffd' is not a number"),
        ("xyz 1 2\ndog nan 2\n", "vectors.vec: line 2: nan is not a finite float32 number"),
        ("xyz 1 2\ndog 2 -inf\n", "vectors.vec: line 2: -inf is not a finite float32 number"),
        ("xyz 1 2\ndog 1e39 2\n", "vectors.vec: line 2: 1e39 is not a finite float32 number"),
        ("", "vectors.vec is empty"),
        ("\n\n", "vectors.vec is empty"),
        ("Once upon a time\n", "vectors.vec: line 1: expected a word and the numbers of its vector"),
        (b"2 2\ndog \0\0\0\0\0\0\0\0\n", "vectors.vec: line 2: NUL byte; expected vectors as text, not in word2vec's"),
        (b"PK\x03\x04...", "vectors.vec: a zip archive; unpack it"),
        (b"\x1f\x8b\x08damaged", "vectors.vec: damaged gzip file"),
        (gzip.compress(b"dog 1 2\n" * 999, mtime=0)[:-9], "vectors.vec: damaged gzip file"),
        ("chien 1 2\nchat 3 4\n", "vectors.vec: has a vector for none of the vocabulary's 8 pieces; is it of another"),
    ],
)
def test_what_cannot_be_read_is_named(path, content, message):
    with pytest.raises(DataError, match=message):
        read(path, content)


@pytest.mark.parametrize("content", ["dog 1 nan", "dog 1 2\nxyz nan 3", f"xyz {math.inf} 1\ndog 1 2"])
def test_only_the_numbers_of_wanted_words_are_looked_at(path, content):
    if content.startswith("dog 1 nan"):
        with pytest.raises(DataError, match="nan is not a finite"):
            read(path, content)
    else:
        assert read(path, content) == {"▁dog": [1.0, 2.0]}


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match=r"no.vec: cannot read the file: No such file or directory"):
        require_width(tmp_path / "no.vec", 2)
    with pytest.raises(DataError, match="cannot read the file: Is a directory"):
        require_width(tmp_path, 2)
