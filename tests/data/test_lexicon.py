"""The table of likely translations: learned as IBM model 1 says, and what a shortlist made of it holds."""

import itertools
import random
import time
from collections import defaultdict

import numpy as np
import pyarrow
import pytest
import torch
from safetensors.torch import save_file

from seq2seq.config import TokenizerConfig
from seq2seq.data import model_one
from seq2seq.data.corpus import Corpus
from seq2seq.data.lexicon import Lexicon, learn_lexicon
from seq2seq.data.model_one import NULL, learn_alignments, normalized, ranked
from seq2seq.data.tokenized import StoredPairs
from seq2seq.data.tokenizer import EOS, PAD, Tokenizer
from seq2seq.errors import ConfigError

SOURCE_SIZE, TARGET_SIZE = 11, 13


def stored(sources, targets):
    return StoredPairs(pyarrow.table({"source": sources, "target": targets}))


def random_pairs():
    generator = random.Random(1)
    sides = [[generator.choices(range(4, size), k=generator.randint(1, 7)) for _ in range(50)]
             for size in (SOURCE_SIZE, TARGET_SIZE)]  # fmt: skip
    return sides


def plain_model_one(sources, targets, num_iterations):
    """Token by token."""
    probabilities = defaultdict(lambda: 1.0)
    for _ in range(num_iterations):
        counts, totals = defaultdict(float), defaultdict(float)
        for source, target in zip(sources, targets, strict=True):
            for f in target:
                together = sum(probabilities[e, f] for e in [*source, NULL])
                for e in [*source, NULL]:
                    counts[e, f] += probabilities[e, f] / together
                    totals[e] += probabilities[e, f] / together
        probabilities = defaultdict(float, {(e, f): count / totals[e] for (e, f), count in counts.items()})
    return dict(probabilities)


def as_dict(table):
    probabilities = normalized(table, TARGET_SIZE)
    return {divmod(int(key), TARGET_SIZE): p for key, p in zip(table.keys, probabilities, strict=True)}


@pytest.mark.parametrize("links_at_once", [1, 100, 10**6])
@pytest.mark.parametrize("num_iterations", [1, 2, 5])
def test_equals_the_loops_of_the_paper_however_much_is_held(monkeypatch, num_iterations, links_at_once):
    monkeypatch.setattr(model_one, "LINKS_AT_ONCE", links_at_once)
    sources, targets = random_pairs()
    table = learn_alignments(stored(sources, targets), TARGET_SIZE, num_iterations)
    assert as_dict(table) == pytest.approx(plain_model_one(sources, targets, num_iterations))
    assert table.values.sum() == pytest.approx(sum(map(len, targets)))  # each token is shared out whole


def test_finds_what_stands_together():
    """das Haus, das Buch, ein Buch: the house, the book, a book. The textbook's example."""
    sources, targets = [[4, 5], [4, 6], [7, 6]], [[8, 9], [8, 10], [11, 10]]
    probabilities = as_dict(learn_alignments(stored(sources, targets), TARGET_SIZE, 30))
    best = {e: max((p, f) for (one, f), p in probabilities.items() if one == e)[1] for e in (4, 5, 6, 7)}
    assert best == {4: 8, 5: 9, 6: 10, 7: 11}


def test_a_table_that_grows_too_large_is_cut_to_the_strongest(monkeypatch):
    monkeypatch.setattr(model_one, "LARGEST_TABLE", 20)
    monkeypatch.setattr(model_one, "MOST_TRANSLATIONS", 3)
    monkeypatch.setattr(model_one, "LINKS_AT_ONCE", 100)
    sources, targets = random_pairs()
    sources, targets = [[4, *source] for source in sources], [[5, *target] for target in targets]
    table = learn_alignments(stored(sources, targets), TARGET_SIZE, 3)
    source, target, rank = ranked(table, TARGET_SIZE)
    assert len(source) < (SOURCE_SIZE - 3) * (TARGET_SIZE - 4)
    assert sum(p for (e, _), p in as_dict(table).items() if e == 4) == pytest.approx(1.0)
    assert 5 in target[(source == 4) & (rank < 3)]


TEXTS = Corpus(
    [" ".join(words) for words in itertools.product(["one", "two", "six"], ["dogs", "cats", "7"])] * 2,
    [" ".join(words) for words in itertools.product(["un", "deux", "six"], ["chiens", "chats", "7"])] * 2,
)


@pytest.fixture(scope="module", params=[True, False], ids=["joint", "apart"])
def tokenizer(request):
    return Tokenizer.train(TokenizerConfig(vocabulary_size=310, joint=request.param), TEXTS)


@pytest.fixture(scope="module")
def pairs(tokenizer):
    return stored(tokenizer.encode_source(TEXTS.source), tokenizer.encode_target(TEXTS.target))


@pytest.fixture
def lexicon(pairs, tokenizer):
    return learn_lexicon(pairs, tokenizer, 100, num_translations=5, num_frequent=2)


def test_a_shortlist_has_translations_frequent_pieces_those_spelled_alike_and_the_end(lexicon, tokenizer):
    (source,) = tokenizer.encode_source(["two dogs"])
    ids = lexicon.shortlist(torch.tensor([source]))
    assert ids.tolist() == sorted(set(ids.tolist()))
    assert EOS in ids
    assert PAD not in ids
    assert set(lexicon.frequent.tolist()) <= set(ids.tolist())
    (target,) = tokenizer.encode_target(["deux chiens"])
    assert set(target) <= set(ids.tolist())
    assert len(ids) <= 1 + 2 + 6 * len(source)
    (copied,) = tokenizer.encode_source(["Z"])  # spelled by a byte, which stands in no text
    byte = tokenizer.target_pieces(range(tokenizer.target_size)).index("<0x5A>")
    assert byte in lexicon.shortlist(torch.tensor(copied))


def test_a_batch_needs_what_its_sentences_need_and_padding_nothing(lexicon, tokenizer):
    rows = [[*ids, EOS] for ids in tokenizer.encode_source(["one dogs", "6 cats"])]
    size = max(map(len, rows)) + 1
    batch = torch.tensor([row + [PAD] * (size - len(row)) for row in rows])
    each = [set(lexicon.shortlist(torch.tensor(row)).tolist()) for row in rows]
    assert set(lexicon.shortlist(batch).tolist()) == each[0] | each[1]


def test_learns_from_so_many_pairs(pairs, tokenizer):
    few, many = (learn_lexicon(pairs, tokenizer, number) for number in (2, 100))
    assert (few.translations != EOS).sum() < (many.translations != EOS).sum()
    assert len(few.frequent) < len(many.frequent)
    assert torch.equal(many.translations, learn_lexicon(pairs, tokenizer, len(pairs)).translations)


def test_is_kept(lexicon, tokenizer, tmp_path):
    path = tmp_path / "lexicon.safetensors"
    lexicon.save(path)
    again = Lexicon.load(path, tokenizer.source_size, tokenizer.target_size)
    source = torch.tensor(tokenizer.encode_source(["six cats"]))
    assert torch.equal(again.shortlist(source), lexicon.shortlist(source))
    for sizes in ((tokenizer.source_size + 1, tokenizer.target_size), (tokenizer.source_size, 7)):
        with pytest.raises(
            ConfigError, match=rf"lexicon.safetensors: made for other vocabularies; .* {sizes[0]} source"
        ):
            Lexicon.load(path, *sizes)


def test_a_single_wrong_bit_is_found(lexicon, tokenizer, tmp_path):
    path = tmp_path / "lexicon.safetensors"
    lexicon.save(path)
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"lexicon.safetensors: damaged: its numbers are not those that were written"):
        Lexicon.load(path, tokenizer.source_size, tokenizer.target_size)


def test_missing_and_damaged_tables_are_named(tmp_path):
    path = tmp_path / "lexicon.safetensors"
    with pytest.raises(ConfigError, match=r"lexicon.safetensors: the lexical table is missing"):
        Lexicon.load(path, 5, 7)
    path.write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"lexicon.safetensors: damaged, or not a safetensors file"):
        Lexicon.load(path, 5, 7)
    save_file({"frequent": torch.zeros(3)}, path)
    with pytest.raises(ConfigError, match=r"lexicon.safetensors: not a lexical table: expected integers"):
        Lexicon.load(path, 5, 7)


@pytest.mark.slow
def test_how_much_of_multi30k_a_shortlist_covers(multi30k):
    """Target pieces of validation in the shortlist of their batch, by batches of like length: share, and list size."""
    corpora = [
        Corpus(*((multi30k / f"{split}.{side}").read_text(encoding="utf-8").splitlines() for side in ("en", "de")))
        for split in ("train", "val")
    ]
    tokenizer = Tokenizer.train(TokenizerConfig(), corpora[0])
    train, validation = (stored(tokenizer.encode_source(c.source), tokenizer.encode_target(c.target)) for c in corpora)
    began = time.process_time()
    whole = learn_lexicon(train, tokenizer, len(train))
    assert time.process_time() - began < 20
    by_length = validation.select(np.argsort(validation.lengths[0], kind="stable"))

    def measure(num_translations, batch_size):
        lexicon = Lexicon(whole.translations[:, : num_translations + 1], whole.frequent)
        covered, sizes = [], []
        for start in range(0, len(validation), batch_size):
            rows = range(start, min(start + batch_size, len(validation)))
            shortlist = lexicon.shortlist(torch.tensor([i for row in rows for i in by_length.sources[row]]))
            sizes.append(len(shortlist))
            covered += np.isin([i for row in rows for i in by_length.targets[row]], shortlist.numpy()).tolist()
        return np.mean(covered), np.mean(sizes)

    found = {(k, size): measure(k, size) for k in (20, 50, 100) for size in (1, 64)}
    print({key: (round(float(share), 4), round(float(length))) for key, (share, length) in found.items()})
    least = {(20, 1): 0.92, (50, 1): 0.95, (100, 1): 0.965, (20, 64): 0.975, (50, 64): 0.985, (100, 64): 0.99}
    assert all(found[key][0] > share for key, share in least.items())
