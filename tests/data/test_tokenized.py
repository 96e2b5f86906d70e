import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow
import pytest

from seq2seq.config import TokenizerConfig
from seq2seq.data.corpus import Corpus
from seq2seq.data.tokenized import Fingerprint, Pairs, StoredPairs, _locked, tokenize_once
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.errors import DataError, UserError

Text = list[tuple[str, str]]


def make_text(number: int, seed: int = 0) -> Text:
    generator = random.Random(seed)
    words = [" ".join(generator.choices("abcdefgh", k=generator.randint(0, 9))) for _ in range(number)]
    return [(line, line[::-1]) for line in words]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    pairs = make_text(300)
    return Tokenizer.train(TokenizerConfig(vocabulary_size=290), Corpus(*map(list, zip(*pairs, strict=True))))


def take(text: Text) -> Fingerprint:
    found = Fingerprint()
    assert list(found.over(text)) == text
    return found


def store(text: Text, tokenizer: Tokenizer, folder: Path, num_workers: int | None = None, read=None) -> StoredPairs:
    found = take(text)
    return tokenize_once(read or (lambda: iter(text)), tokenizer, found.sha256, found.num_pairs, folder, num_workers)


def never():
    raise AssertionError("read again")


def tokenized(text: Text, tokenizer: Tokenizer) -> Pairs:
    return Pairs(tokenizer.encode_source([s for s, _ in text]), tokenizer.encode_target([t for _, t in text]))


@pytest.mark.parametrize("num_workers", [None, 2])
def test_stored_pairs_are_those_tokenized_in_memory(tmp_path: Path, tokenizer: Tokenizer, num_workers: int | None):
    text = make_text(2311)
    pairs, expected = store(text, tokenizer, tmp_path, num_workers), tokenized(text, tokenizer)
    assert len(pairs) == 2311
    assert tuple(lengths.tolist() for lengths in pairs.lengths) == expected.lengths
    indices = np.random.default_rng(0).permutation(2311)
    assert pairs.select(indices) == expected.select(indices)
    kept = pairs.keep(np.array([7, 2310, 3]))
    assert tuple(lengths.tolist() for lengths in kept.lengths) == expected.select([7, 2310, 3]).lengths
    assert kept.keep(np.array([2, 0])).select(np.array([1, 0])) == expected.select([7, 3])


def test_tokenized_once_whatever_the_time_stamp_says(tmp_path: Path, tokenizer: Tokenizer, caplog):
    text = make_text(50)
    first = store(text, tokenizer, tmp_path)
    with caplog.at_level("INFO"):
        again = store(text, tokenizer, tmp_path, read=never)
    assert "has been tokenized before" in caplog.text
    assert again.select(np.arange(50)) == first.select(np.arange(50))
    changed = [*text[:-1], (text[-1][0], text[-1][1] + "a")]
    assert store(changed, tokenizer, tmp_path).select(np.array([49])) == tokenized(changed[-1:], tokenizer)
    swapped = [(target, source) for source, target in text]
    assert store(swapped, tokenizer, tmp_path).select(np.arange(50)) == tokenized(swapped, tokenizer)


def test_another_vocabulary_is_another_corpus(tmp_path: Path, tokenizer: Tokenizer):
    text = make_text(50)
    other = Tokenizer.train(TokenizerConfig(vocabulary_size=270), Corpus(*map(list, zip(*text, strict=True))))
    assert other.fingerprint != tokenizer.fingerprint
    store(text, tokenizer, tmp_path)
    assert store(text, other, tmp_path).select(np.arange(50)) == tokenized(text, other)


def test_nothing_half_made_stays(tmp_path: Path, tokenizer: Tokenizer):
    text = make_text(50)

    def broken():
        yield from text[:30]
        raise DataError("x.en: line 31: gone")

    with pytest.raises(DataError, match=r"^x\.en: line 31: gone$"):
        store(text, tokenizer, tmp_path, read=broken)
    with pytest.raises(DataError, match=r"the training text changed while it was read; start again"):
        store(text, tokenizer, tmp_path, read=lambda: iter(text[1:]))
    assert {path.suffix for path in tmp_path.iterdir()} == {".lock"}
    (leftover,) = [path.with_name(f"{path.stem}.work.tmp") for path in tmp_path.iterdir()]
    for _ in range(2):  # before and after the corpus is whole
        (leftover / "text").mkdir(parents=True)  # as a kill leaves it
        store(text, tokenizer, tmp_path)
        assert not leftover.exists()


def test_damage_is_named(tmp_path: Path, tokenizer: Tokenizer):
    text = make_text(50)
    store(text, tokenizer, tmp_path)
    (data,) = tmp_path.glob("*/data-*.arrow")
    content = data.read_bytes()
    data.write_bytes(content[:100])
    with pytest.raises(UserError, match=rf"^{data.parent}: damaged \(.*\); delete the folder, and it is made anew"):
        store(text, tokenizer, tmp_path)
    data.unlink()
    with pytest.raises(UserError, match=r": damaged \(.*\); delete the folder, and it is made anew"):
        store(text, tokenizer, tmp_path)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (pyarrow.array([[1]] * 49, pyarrow.list_(pyarrow.int32())), "49 pairs instead of 50"),
        (
            pyarrow.array([[1]] * 50, pyarrow.list_(pyarrow.int64())),
            "its columns are source: list<item: int64>, target:",
        ),
        (pyarrow.array([[None]] * 50, pyarrow.list_(pyarrow.int32())), "an id is null"),
        (
            pyarrow.ListArray.from_arrays(
                pyarrow.array([0, 70, *range(2, 51)], pyarrow.int32()), pyarrow.array([1] * 50, pyarrow.int32())
            ),
            "[Oo]ffset",
        ),
    ],
    ids=["too few", "other numbers", "no numbers", "lists that end before they begin"],
)
def test_a_table_of_other_content_is_named(tmp_path: Path, tokenizer: Tokenizer, source: pyarrow.Array, reason: str):
    text = make_text(50)
    store(text, tokenizer, tmp_path)
    (data,) = tmp_path.glob("*/data-*.arrow")
    table = pyarrow.table({"source": source, "target": source})
    with pyarrow.ipc.new_stream(data, table.schema) as file:
        file.write_table(table)
    with pytest.raises(UserError, match=rf": damaged \(.*{reason}.*\); delete the folder, and it is made anew"):
        store(text, tokenizer, tmp_path)


@pytest.mark.parametrize("chunk_sizes", [[0], [3], [0, 2, 0, 1], [1, 1, 1]])
def test_pairs_come_from_any_chunk(chunk_sizes: list[int]):
    lists = iter([[1, 2], [], [3]])
    chunks = [
        pyarrow.table({side: pyarrow.array(rows, pyarrow.list_(pyarrow.int32())) for side in ("source", "target")})
        for rows in ([next(lists) for _ in range(size)] for size in chunk_sizes)
    ]
    pairs = StoredPairs(pyarrow.concat_tables(chunks))
    assert pairs.lengths[0].tolist() == [2, 0, 1][: len(pairs)]
    assert pairs.select(np.arange(len(pairs))[::-1]).sources == [[1, 2], [], [3]][: len(pairs)][::-1]
    sliced = StoredPairs(pyarrow.concat_tables(chunks).slice(1))
    assert sliced.lengths[1].tolist() == [0, 1][: len(sliced)]
    assert sliced.select(np.arange(len(sliced))).targets == [[], [3]][: len(sliced)]


def test_what_is_tokenized_is_found_without_datasets(tmp_path: Path, tokenizer: Tokenizer):
    text = make_text(50)
    pairs = store(text, tokenizer, tmp_path)
    tokenizer.save(tmp_path / "tokenizer")
    code = f"""
import sys
from pathlib import Path
from seq2seq.data.tokenized import tokenize_once
from seq2seq.data.tokenizer import Tokenizer
folder = Path({str(tmp_path)!r})
pairs = tokenize_once(None, Tokenizer.load(folder / "tokenizer"), {take(text).sha256!r}, 50, folder, None)
assert not {{"datasets", "pandas"}} & set(sys.modules)
print([list(map(int, side)) for side in pairs.lengths], pairs.select([49]).sources[0])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    lengths = [side.tolist() for side in pairs.lengths]
    assert found == f"{lengths} {tokenized(text, tokenizer).sources[49]}\n"


def test_folder_that_cannot_be_written_is_named(tmp_path: Path, tokenizer: Tokenizer):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file: cannot write the tokenized corpus: .*; data.cache may name another"):
        store(make_text(5), tokenizer, tmp_path / "file")


def test_full_disk_is_one_line(tmp_path: Path, tokenizer: Tokenizer, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("datasets.Dataset.save_to_disk", full)
    with pytest.raises(UserError, match="cannot write the tokenized corpus: No space left on device"):
        store(make_text(5), tokenizer, tmp_path)


def test_one_tokenizes_and_the_others_wait(tmp_path: Path, tokenizer: Tokenizer, caplog):
    text, results = make_text(50), []
    store(text, tokenizer, tmp_path)
    (stored,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    with caplog.at_level("INFO"):
        with _locked(tmp_path, stored.name):
            waiting = threading.Thread(target=lambda: results.append(store(text, tokenizer, tmp_path, read=never)))
            waiting.start()
            waiting.join(0.5)
            assert waiting.is_alive()
        waiting.join()
    assert "waiting for another training that tokenizes the same text" in caplog.text
    assert len(results[0]) == 50


def test_fingerprint_is_of_the_text_so_far():
    text = make_text(9)
    found = Fingerprint()
    passing = found.over(text)
    for _ in range(4):
        next(passing)
    assert (found.num_pairs, found.sha256) == (4, take(text[:4]).sha256)
    assert take(text).sha256 != take(text[:8]).sha256
    assert take([("a", "b c")]).sha256 != take([("a b", "c")]).sha256
