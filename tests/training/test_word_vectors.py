import logging

import pytest
import torch
from safetensors.torch import load_file

from seq2seq.config_file import load_config
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.errors import ConfigError, DataError
from seq2seq.inference.translator import Translator
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.training.loop import train
from seq2seq.training.run_folder import open_run
from seq2seq.training.word_vectors import start_from_vectors

EMBEDDING = {"source": "source_embedding.weight", "target": "target_embedding.weight"}


@pytest.fixture
def vectors(toy):
    """A file with a vector of 16 numbers for each of the toy's words."""
    (toy / "words.vec").write_text("8 16\n" + "".join(f"{word} {numbers(word)}\n" for word in "abcdefgh"))
    return toy / "words.vec"


def numbers(word):
    return " ".join(str((ord(word) - 96) / 8 + place) for place in range(16))


def run_training(toy, name, *overrides, resume=False):
    config = load_config(toy / "config.yaml", list(overrides))
    with open_run(config, toy / name, resume):
        return train(config, toy / name, resume)


def start(toy, *overrides):
    """A new model of the toy's, with its tokenizer, and the weights that it had before the vectors."""
    config = load_config(toy / "config.yaml", list(overrides))
    run_training(toy, "for_tokenizer", "training.max_steps=1")
    tokenizer = Tokenizer.load(toy / "for_tokenizer" / "tokenizer")
    model = Seq2Seq(config.model, tokenizer.source_size, tokenizer.target_size)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    start_from_vectors(model, tokenizer, config.model.vectors)
    return model, tokenizer, before


def test_pieces_found_have_their_vectors_and_the_others_their_random_start(toy, vectors, caplog):
    caplog.set_level(logging.INFO)
    model, tokenizer, before = start(toy, f"model.vectors.source={vectors}")
    pieces = tokenizer.source_pieces(range(tokenizer.source_size))
    found = [index for index, piece in enumerate(pieces) if piece.removeprefix("▁") in list("abcdefgh")]
    assert 8 <= len(found) < len(pieces)
    for index, piece in enumerate(pieces):
        expected = before[EMBEDDING["source"]][index]
        if index in found:
            expected = torch.tensor([float(number) for number in numbers(piece[-1]).split()])
        assert torch.equal(model.source_embedding.weight[index], expected)
    assert torch.equal(model.target_embedding.weight, before[EMBEDDING["target"]])
    share = 100 * len(found) / len(pieces)
    assert f"source vectors {vectors}: {len(found)} of {len(pieces)} pieces found ({share:.1f} %)" in caplog.text


def test_a_matrix_of_both_sides_is_filled_from_both_files(toy, vectors):
    (toy / "target.vec").write_text(f"h {numbers('a')}\n")
    model, tokenizer, _ = start(
        toy, f"model.vectors.source={vectors}", f"model.vectors.target={toy}/target.vec", "model.tie_embeddings=all"
    )
    pieces = tokenizer.source_pieces(range(tokenizer.source_size))
    weight = model.output_layer.weight
    assert torch.equal(weight[pieces.index("▁h")], weight[pieces.index("▁a")])
    assert weight[pieces.index("▁b")][0] == 2 / 8


@pytest.mark.parametrize(
    ("tying", "frozen", "matrices"),
    [
        ("none", "source", {"source_embedding.weight"}),
        ("none", "target", {"target_embedding.weight"}),
        ("none", "both", {"source_embedding.weight", "target_embedding.weight"}),
        ("target_output", "target", {"target_embedding.weight"}),  # with the output layer
        ("source_target", "source", {"source_embedding.weight"}),  # with the target embedding
        ("all", "both", {"source_embedding.weight"}),
    ],
)
def test_what_is_frozen_stays_to_the_bit_and_all_else_learns(toy, vectors, caplog, tying, frozen, matrices):
    caplog.set_level(logging.INFO)
    settings = [f"model.vectors.{side}={vectors}" for side in ("source", "target")]
    settings += [f"model.vectors.frozen={frozen}", f"model.tie_embeddings={tying}", "training.optimizer=adamw",
                 "training.weight_decay=0.1"]  # fmt: skip
    run_training(toy, "one", *settings, "training.max_steps=1")
    run_training(toy, "run", *settings)
    first, last = (load_file(toy / name / "checkpoints" / "latest" / "model.safetensors") for name in ("one", "run"))
    assert {name for name in first if torch.equal(first[name], last[name])} == matrices
    model = Translator.load(toy / "run", "cpu").model
    assert {name for name, parameter in model.named_parameters() if not parameter.requires_grad} == matrices
    state = torch.load(toy / "run" / "checkpoints" / "latest" / "optimizer.pt", weights_only=True)["optimizer"]
    assert len(state["state"]) == len(first) - len(matrices)
    assert "frozen, with the random start of pieces without a vector: " in caplog.text


def test_frozen_rows_are_those_of_the_file(toy, vectors):
    run_training(toy, "run", f"model.vectors.target={vectors}", "model.vectors.frozen=target")
    tokenizer = Tokenizer.load(toy / "run" / "tokenizer")
    weight = load_file(toy / "run" / "model.safetensors")[EMBEDDING["target"]]
    index = tokenizer.target_pieces(range(tokenizer.target_size)).index("▁c")
    assert weight[index].tolist() == [3 / 8 + place for place in range(16)]


def test_unfrozen_vectors_learn(toy, vectors):
    run_training(toy, "run", f"model.vectors.source={vectors}")
    tokenizer = Tokenizer.load(toy / "run" / "tokenizer")
    weight = load_file(toy / "run" / "model.safetensors")[EMBEDDING["source"]]
    index = tokenizer.source_pieces(range(tokenizer.source_size)).index("▁c")
    moved = weight[index] - torch.tensor([3 / 8 + place for place in range(16)])
    assert 0 < moved.abs().max() < 0.5


def test_file_is_needed_neither_to_resume_nor_to_translate(toy, vectors):
    settings = [f"model.vectors.{side}={vectors}" for side in ("source", "target")] + ["model.vectors.frozen=source"]
    run_training(toy, "whole", *settings, "training.max_steps=16")
    run_training(toy, "broken", *settings, "training.max_steps=8")
    vectors.unlink()
    run_training(toy, "broken", *settings, "training.max_steps=16", resume=True)
    last = "checkpoints/latest/model.safetensors"
    whole, broken = (load_file(toy / name / last) for name in ("whole", "broken"))
    assert all(torch.equal(whole[name], broken[name]) for name in whole)
    assert len(Translator.load(toy / "broken", "cpu").translate(["a b"])) == 1


def test_resume_refuses_other_vectors(toy, vectors):
    run_training(toy, "run", f"model.vectors.source={vectors}")
    with pytest.raises(ConfigError, match=r"cannot resume .*: model.vectors.source: '.*' then, None now"):
        run_training(toy, "run", resume=True)
    settings = [f"model.vectors.source={vectors}", "model.vectors.frozen=source"]
    with pytest.raises(ConfigError, match=r"model.vectors.frozen: 'none' then, 'source' now"):
        run_training(toy, "run", *settings, resume=True)


def test_other_width_stops_before_the_corpus_is_read(toy, vectors):
    overrides = ["model.embedding_size=18", f"model.vectors.target={vectors}", "data.train.source=missing.in"]
    with pytest.raises(ConfigError, match=r"words.vec: its vectors have 16 numbers, but model.embedding_size is 18"):
        run_training(toy, "run", *overrides)
    assert not (toy / "run" / "tokenizer").exists()


def test_missing_file_and_wrong_language_stop_before_training(toy):
    with pytest.raises(DataError, match=r"missing.vec: cannot read the file: No such file"):
        run_training(toy, "run", f"model.vectors.source={toy}/missing.vec")
    (toy / "wrong.vec").write_text(f"chien {numbers('a')}\n")
    with pytest.raises(DataError, match=r"wrong.vec: has a vector for none of the vocabulary's \d+ pieces"):
        run_training(toy, "run", f"model.vectors.source={toy}/wrong.vec")
    assert not (toy / "run" / "metrics.jsonl").exists()
    assert run_training(toy, "run").step == 12
