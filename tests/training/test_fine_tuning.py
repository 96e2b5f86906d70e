import logging
import shutil

import pytest
import torch
from safetensors.torch import load_file

from seq2seq.data.tokenizer import Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.inference.translator import Translator

TRAINED = ["training.max_steps=60", "training.validate_every=60"]
OTHER_TEXT = ["data.train.source={toy}/validation.in", "data.train.target={toy}/validation.out"]


@pytest.fixture
def trained(training, toy):
    """A model, and the overrides that start from it, on another text."""
    training("trained", *TRAINED)
    return [f"training.start_from={toy}/trained", *(override.format(toy=toy) for override in OTHER_TEXT)]


def weights(folder, name="model.safetensors"):
    return load_file(folder / name)


def test_starts_from_the_weights_and_the_vocabulary(training, toy, trained, caplog):
    caplog.set_level(logging.INFO)
    training("tuned", *trained, "training.max_steps=1", "training.learning_rate=1e-9", "training.seed=2")
    before, after = weights(toy / "trained"), weights(toy / "tuned")
    assert before.keys() == after.keys()
    for name in before:
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=1e-8)
    tokenizers = [Tokenizer.load(toy / run / "tokenizer").fingerprint for run in ("trained", "tuned")]
    assert tokenizers[0] == tokenizers[1]
    assert f"starting from the weights and the vocabulary of {toy}/trained" in caplog.text


def test_learns_the_other_text_better_than_from_nothing(training, toy, trained):
    settings = [*trained, "training.max_steps=30", "training.validate_every=30"]
    tuned = training("tuned", *settings)
    new = training("new", *settings[1:])
    assert tuned.best.loss < 0.9 * new.best.loss
    before, after = weights(toy / "trained"), weights(toy / "tuned")
    assert not any(torch.equal(after[name], before[name]) for name in before)


def test_moving_average_starts_from_the_weights_too(training, toy, trained):
    training("tuned", *trained, "training.max_steps=1", "training.learning_rate=1e-9", "training.ema_decay=0.999")
    before, after = weights(toy / "trained"), weights(toy / "tuned" / "checkpoints" / "latest", "averaged.safetensors")
    assert all(torch.allclose(after[name], before[name], rtol=0, atol=1e-8) for name in before)


def test_model_is_not_needed_to_resume(training, toy, trained, killed_before):
    training("whole", *trained)
    with killed_before(step=7):
        training("broken", *trained)
    shutil.rmtree(toy / "trained")
    training("broken", *trained, resume=True)
    training.assert_same("whole", "broken")
    assert len(Translator.load(toy / "broken", "cpu").translate(["a b"])) == 1


def test_resume_refuses_another_start(training, toy, trained):
    training("tuned", *trained)
    with pytest.raises(ConfigError, match=r"cannot resume .*: training.start_from: '.*/trained' then, None now"):
        training("tuned", *trained[1:], resume=True)


def test_dropout_and_what_only_learning_needs_may_differ(training, trained):
    free = ["model.encoder.dropout=0.0", "model.decoder.dropout=0.3", "model.word_dropout=0.1",
            "tokenizer.sampling_alpha=0.5", "tokenizer.learn_from=20"]  # fmt: skip
    assert training("tuned", *trained, *free).step == 12


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.embedding_size=18", "model.embedding_size: 16 then, 18 now"),
        ("model.attention.score=dot", "model.attention.score: 'additive' then, 'dot' now"),
        ("tokenizer.joint=false", "tokenizer.joint: True then, False now"),
        ("tokenizer.vocabulary_size=291", "tokenizer.vocabulary_size: 290 then, 291 now"),
    ],
)
def test_other_settings_are_refused_before_the_corpus_is_read(training, toy, trained, override, message):
    with pytest.raises(ConfigError, match=rf"^{toy}/trained: training cannot start from it .*: {message}$"):
        training("tuned", *trained, override, "data.train.source=missing.in")


def test_no_such_model(training, toy):
    (toy / "empty").mkdir()
    with pytest.raises(ConfigError, match=rf"^{toy}/empty: not a run folder: it has no config.yaml"):
        training("tuned", f"training.start_from={toy}/empty")


@pytest.fixture
def vectors(toy):
    (toy / "words.vec").write_text("1 16\n" + "a" + " 1" * 16 + "\n")
    return f"model.vectors.source={toy}/words.vec"


def test_word_vectors_are_in_the_weights_and_their_file_is_not_read_again(training, toy, vectors):
    training("trained", *TRAINED, vectors, "model.vectors.frozen=source")
    (toy / "words.vec").unlink()
    start = f"training.start_from={toy}/trained"
    training("tuned", start, vectors, "model.vectors.frozen=source")
    training("unfrozen", start, vectors)
    name = "source_embedding.weight"
    before, frozen, unfrozen = (weights(toy / run)[name] for run in ("trained", "tuned", "unfrozen"))
    assert torch.equal(frozen, before)
    assert not torch.equal(unfrozen, before)


def test_other_word_vectors_are_refused(training, toy, trained, vectors):
    with pytest.raises(ConfigError, match=r"model\.vectors\.source: None then, '.*/words\.vec' now$"):
        training("tuned", *trained, vectors)
