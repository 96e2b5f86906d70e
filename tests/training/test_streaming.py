"""Training on a corpus that is read anew in each epoch, and never stored."""

import copy
import itertools
import json
from collections import Counter

import pyarrow
import pyarrow.parquet
import pytest

from seq2seq.config import CorpusConfig, DataConfig
from seq2seq.data.corpus import read_corpus
from seq2seq.data.segmentation import SubwordSampler
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.errors import ConfigError, DataError
from seq2seq.training.batches import StreamedBatches
from seq2seq.training.processes import Processes
from seq2seq.training.state import Progress
from seq2seq.training.streaming import PairStream

SETTINGS = ["data.streaming=true", "data.shuffle_buffer=170", "training.max_epochs=null", "training.max_steps=24",
            "training.checkpoint_every=1", "training.validate_every=12"]  # fmt: skip
"""The toy corpus has 500 pairs: three buffers an epoch, the last one of 160, of five steps each."""


@pytest.fixture
def data(toy):
    def config(**settings):
        corpus = CorpusConfig(source=f"{toy}/train.in", target=f"{toy}/train.out")
        return DataConfig(source_language="in", target_language="out", train=corpus, validation=corpus,
                          streaming=True, shuffle_buffer=170, **settings)  # fmt: skip

    return config


@pytest.fixture
def stream(training, data):
    """The toy corpus as a stream, and its pairs as the tokenizer cuts them."""
    training("tokenizer", "training.max_steps=1")
    tokenizer = Tokenizer.load(training.toy / "tokenizer" / "tokenizer")

    def stream(pairs=None, **settings):
        corpus = list(zip(*read_corpus(data().train, data(), "train"), strict=True)) if pairs is None else pairs
        ids = list(zip(tokenizer.encode_source([s for s, _ in corpus]),
                       tokenizer.encode_target([t for _, t in corpus]), strict=True))  # fmt: skip
        return PairStream(lambda: iter(corpus), tokenizer, data(**settings), Processes("cpu")), ids

    return stream


def multiset(pairs):
    return Counter((tuple(source), tuple(target)) for source, target in pairs)


def one_epoch(batches):
    """Batches as lists of pairs, buffer by buffer, up to the second epoch."""
    progress, buffers = Progress(), {}
    for batch in batches.after(progress):
        if progress.epoch == 1:
            return buffers
        buffers.setdefault(progress.rows_before, []).append(list(zip(*batch, strict=True)))
    raise AssertionError


def test_each_buffer_gives_each_of_its_pairs_once_in_batches_of_like_length(stream):
    source, ids = stream()
    buffers = one_epoch(StreamedBatches(source, batch_tokens=300, seed=1))
    assert list(buffers) == [0, 170, 340]
    for start, batches in buffers.items():
        assert multiset(itertools.chain(*batches)) == multiset(ids[start : start + 170])
        for batch in batches:
            assert len(batch) * max(len(side) + 1 for pair in batch for side in pair) <= 300


def test_order_depends_on_seed_epoch_and_buffer(stream):
    source, _ = stream()

    def order(seed):
        return list(itertools.islice(StreamedBatches(source, 300, seed).after(Progress()), 60))

    assert order(1) == order(1)
    assert order(1) != order(2)
    first = [sum(map(len, batch.sources)) for batch in order(1)]
    assert first[:9] != first[9:18]  # another buffer; its lengths differ little
    assert first[:27] != first[27:54]


def test_sampled_segmentations_are_the_same_from_any_place_on(stream):
    """Of the same pairs; each buffer's anew in each epoch."""
    source, ids = stream()
    tokenizer = source._tokenizer
    batches = StreamedBatches(source, 300, 1, SubwordSampler(tokenizer, alpha=0.2, max_length=100))
    progress, places, whole = Progress(), [], []
    coming = batches.after(progress)
    for _ in range(40):
        places.append(copy.copy(progress))
        whole.append(next(coming))
    assert {(place.epoch, place.rows_before) for place in places} > {(0, 0), (0, 170), (0, 340), (1, 0)}
    for number, place in enumerate(places):
        assert next(batches.after(copy.copy(place))) == whole[number]
    first, again = (
        Counter(
            tokenizer.decode(target)
            for place, batch in zip(places[1:], whole, strict=False)
            if (place.epoch, place.rows_before) == (epoch, 0)
            for target in batch.targets
        )
        for epoch in (0, 1)
    )
    assert first == again == Counter(tokenizer.decode(target) for _, target in ids[:170])
    assert whole[0] not in whole[1:]


def test_pairs_that_cannot_be_used_are_left_out_and_counted(stream, caplog):
    source, _ = stream([("a b", "b a"), ("", "c"), ("a " * 50, "b"), ("d e", "e d")], max_length=20)
    with caplog.at_level("INFO"):
        (batch,) = one_epoch(StreamedBatches(source, 300, 1))[0]
    assert len(batch) == 2
    assert "4 read, 2 kept; dropped: 1 with an empty side, 1 over data.max_length=20 tokens, 0 over" in caplog.text
    source, _ = stream([("", "c")])
    with pytest.raises(DataError, match="no usable pairs in the training corpus: of 1, 1 have an empty side"):
        next(StreamedBatches(source, 300, 1).after(Progress()))


def test_resumed_in_each_place_equals_unbroken(training, killed_before):
    """Twice within a buffer, at the end of one and of an epoch."""
    training("whole", *SETTINGS)
    for step in (2, 4, 6, 16, 17, 23):
        with killed_before(step):
            training("broken", *SETTINGS, resume=step > 2)
    training("broken", *SETTINGS, resume=True)
    training.assert_same("whole", "broken")
    assert not (training.toy / ".cache").exists()
    progress = json.loads((training.toy / "whole" / "checkpoints" / "latest" / "progress.json").read_text())
    assert (progress["epoch"], progress["rows_before"]) == (1, 170)
    assert set(json.loads((training.toy / "whole" / "data.json").read_text())) == {"validation", "tokenizer"}


def test_text_that_was_read_and_has_changed_is_refused(training, toy):
    training("run", *SETTINGS, "training.max_steps=8")
    text = (toy / "train.in").read_text()
    (toy / "train.in").write_text(text.replace("a", "b", 1))
    message = "the training text is not what this run began with: its first 170 pairs, which the run has read in this"
    with pytest.raises(ConfigError, match=message):
        training("run", *SETTINGS, resume=True)
    (toy / "train.in").write_text(text)
    with pytest.raises(ConfigError, match=r"data.shuffle_buffer: 170 then, 90 now"):
        training("run", *SETTINGS, "data.shuffle_buffer=90", resume=True)
    assert training("run", *SETTINGS, resume=True).step == 24


def test_learns_from_a_hub_dataset_that_is_not_stored(training, toy):
    rows = [{"in": f"{a} {b}", "out": f"{b} {a}"} for a, b in itertools.product("abcdefgh", repeat=2)]
    (toy / "hub").mkdir()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([{"translation": row} for row in rows]),
                                toy / "hub" / "train.parquet")  # fmt: skip
    place = f"data.train={{hub: {toy}/hub}}"
    assert training("run", *SETTINGS, place, "training.max_steps=4").step == 4


def test_streaming_needs_a_number_of_steps(training):
    for settings in (["training.max_epochs=3"], ["training.max_epochs=3", "training.max_steps=null"]):
        with pytest.raises(ConfigError, match=r"data.streaming=true needs training.max_epochs=null and a number for"):
            training("run", *SETTINGS, *settings)
