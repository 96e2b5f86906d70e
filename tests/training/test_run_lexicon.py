"""`seq2seq lexicon`, and the table's way through the life of a run."""

import pytest
import torch

from seq2seq.cli import main
from seq2seq.config_file import load_config
from seq2seq.data.lexicon import Lexicon
from seq2seq.data.tokenizer import EOS, Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.training.preparation import prepare
from seq2seq.training.processes import Processes
from seq2seq.training.run_folder import open_run
from seq2seq.training.run_lexicon import learn_run_lexicon

NAME = "lexicon.safetensors"


@pytest.fixture
def begin(toy):
    """Makes a run folder on the toy corpus that is ready to be trained."""

    def begin(*overrides):
        config, run = load_config(toy / "config.yaml", list(overrides)), toy / "run"
        with open_run(config, run, resume=False):
            prepare(config, run, Processes("cpu"))
        return run

    return begin


def test_learns_from_the_text_of_the_run_and_from_no_more_than_the_vocabulary(begin, toy, capsys):
    run = begin("tokenizer.learn_from=100")
    capsys.readouterr()
    assert main(["lexicon", str(run)]) == 0
    assert capsys.readouterr().out == (
        f"{run / NAME} is learned from 100 pairs. Next: seq2seq translate {run} --shortlist\n"
    )
    tokenizer = Tokenizer.load(run / "tokenizer")
    lexicon = Lexicon.load(run / NAME, tokenizer.source_size, tokenizer.target_size)
    (letter,) = tokenizer.encode_source(["c"])  # in this corpus each letter is translated by itself
    assert {EOS, *tokenizer.encode_target(["c"])[0]} <= set(lexicon.shortlist(torch.tensor(letter)).tolist())

    (toy / "train.in").write_text("a b\n" * 500)
    with pytest.raises(ConfigError, match="run: the training text is not what this run began with"):
        learn_run_lexicon(run)


def test_streaming_learns_from_the_first_buffer_that_has_usable_pairs(begin, toy):
    for side in ("in", "out"):
        text = (toy / f"train.{side}").read_text()
        (toy / f"train.{side}").write_text("a b c d e f\n" * 7 + text)
    settings = ["data.streaming=true", "data.shuffle_buffer=7", "training.max_epochs=null"]
    assert 1 <= learn_run_lexicon(begin(*settings, "data.max_length=5")).num_pairs <= 7


def test_stays_when_a_run_goes_on_and_goes_when_it_begins_anew(begin, toy):
    """Anew it learns another vocabulary, too."""
    run, config = begin(), load_config(toy / "config.yaml")
    learn_run_lexicon(run)
    (run / "checkpoints" / "step_1").mkdir()
    (run / "checkpoints" / "latest").symlink_to("step_1")
    with open_run(config, run, resume=True):
        assert (run / NAME).exists()
    (run / "checkpoints" / "latest").unlink()
    with open_run(config, run, resume=False):
        assert not (run / NAME).exists()


def test_needs_a_run(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing: not a run folder: it has no config.yaml"):
        learn_run_lexicon(tmp_path / "nothing")
