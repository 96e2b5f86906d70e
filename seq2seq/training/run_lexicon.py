"""The lexical table of a run, learned after the fact from what the run was trained on."""

from pathlib import Path
from typing import NamedTuple

from seq2seq.config_file import load_config
from seq2seq.data.lexicon import learn_lexicon
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.sharing.model_folder import CONFIG, DATA, LEXICON, TOKENIZERS, require_self_contained
from seq2seq.training.preparation import read_training_pairs
from seq2seq.training.run_folder import disk_errors_named


class Learned(NamedTuple):
    path: Path
    num_pairs: int


def learn_run_lexicon(run: Path) -> Learned:
    """Leave the table in the run folder. It is learned from as many pairs as the vocabulary, `tokenizer.learn_from`,
    evenly spaced; in streaming from those of the first buffer.

    Raises:
        ConfigError: It is no run folder, a link leads out of it, or text or tokenizer are not what the run began with.
        DataError: The training text or the tokenizer cannot be read.
        UserError: The table, or the tokenized text, cannot be written.
    """
    if not (run / CONFIG).is_file():
        raise ConfigError(f"{run}: not a run folder: it has no {CONFIG}, which `seq2seq train` leaves there")
    require_self_contained(run, (CONFIG, DATA, *TOKENIZERS))
    config = load_config(run / CONFIG)
    tokenizer = Tokenizer.load(run / "tokenizer")
    pairs = read_training_pairs(config, run, tokenizer)
    num_pairs = min(config.tokenizer.learn_from, len(pairs))
    with disk_errors_named(run):
        learn_lexicon(pairs, tokenizer, num_pairs).save(run / LEXICON)
    return Learned(run / LEXICON, num_pairs)
