import unicodedata

import pytest

from seq2seq.config import TokenizerConfig
from seq2seq.data.corpus import Corpus
from seq2seq.data.tokenizer import BOS, EOS, PAD, UNK, Tokenizer
from seq2seq.errors import DataError

TEXTS = Corpus(
    ["the cat sees the dog .", "a dog sees a cat .", "the small cat sleeps ."] * 5,
    ["le chat voit le chien .", "un chien voit un chat .", "le petit chat dort à Bâle ."] * 5,
)


def train(**settings):
    return Tokenizer.train(TokenizerConfig.model_validate({"vocabulary_size": 300, **settings}), TEXTS)


TOKENIZER = train()


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_round_trip_and_reload(tmp_path, joint, kind):
    tokenizer = train(type=kind, joint=joint)
    tokenizer.save(tmp_path / "tokenizer")
    again = Tokenizer.load(tmp_path / "tokenizer")
    assert again.joint == joint
    ids = tokenizer.encode_target(TEXTS.target)
    assert again.encode_target(TEXTS.target) == ids
    assert [again.decode(row) for row in ids] == TEXTS.target
    assert again.encode_source(TEXTS.source) == tokenizer.encode_source(TEXTS.source)
    assert (tokenizer.encode_source(["dog"]) == tokenizer.encode_target(["dog"])) or not joint


def test_control_symbols_in_a_text_are_plain_text():
    (ids,) = TOKENIZER.encode_source(["<s> </s> <pad> <0x0A>"])
    assert not {PAD, UNK, BOS, EOS} & set(ids)
    assert TOKENIZER.decode(ids) == "<s> </s> <pad> <0x0A>"


def test_emoji_decodes_to_itself_not_to_byte_names():
    (ids,) = TOKENIZER.encode_target(["chat 😀"])
    assert TOKENIZER.decode(ids) == "chat 😀"


def test_bytes_that_end_lines_or_steer_terminals_are_never_generated():
    pieces = TOKENIZER.target_pieces(TOKENIZER.never_generated)
    controls = {f"<0x{ord(char):02X}>" for char in map(chr, range(128)) if unicodedata.category(char) == "Cc"}
    assert {"<0x0A>", "<0x0D>", "<0x1B>"} < controls
    assert {*controls, "<pad>", "<unk>", "<s>"} == set(pieces)
    assert EOS not in TOKENIZER.never_generated


def test_vocabulary_shrinks_to_what_the_text_supports():
    assert train(vocabulary_size=8000).target_size < 8000


def test_training_twice_gives_the_same_pieces():
    assert train().target_pieces(range(300 - 20)) == TOKENIZER.target_pieces(range(300 - 20))


def test_vocabulary_smaller_than_the_alphabet_is_an_error():
    with pytest.raises(
        DataError, match=r"tokenizer.vocabulary_size=20 is too small: the training text's characters take 2\d\d pieces"
    ):
        train(vocabulary_size=20)


def test_missing_and_damaged_models_are_named(tmp_path):
    with pytest.raises(DataError, match=r"source.model: the tokenizer's model is missing"):
        Tokenizer.load(tmp_path)
    (tmp_path / "joint.model").write_bytes(b"not a model")
    with pytest.raises(DataError, match=r"joint.model: not a sentencepiece model"):
        Tokenizer.load(tmp_path)
    TOKENIZER.save(tmp_path / "damaged")
    path = tmp_path / "damaged" / "joint.model"
    path.write_bytes(path.read_bytes().replace(b"<0x11>", b"\xbc0x11>"))  # sentencepiece quotes it: no UTF-8
    with pytest.raises(DataError, match=r"joint.model: not a sentencepiece model"):
        Tokenizer.load(tmp_path / "damaged")
