"""Training that starts from a trained model (`training.start_from`)."""

import logging

from seq2seq.config import Config
from seq2seq.errors import ConfigError
from seq2seq.sharing.model_files import ModelFiles, read_model
from seq2seq.sharing.model_folder import read_config
from seq2seq.training.run_folder import differences

log = logging.getLogger(__name__)

FREE = ("tokenizer.learn_from", "tokenizer.sampling_alpha", "model.vectors.frozen")
"""Settings of the tokenizer and the model that may differ from those of the model that training starts from; and the
dropouts. Word vectors are in its weights: their files are not read again."""


def read_start(config: Config) -> ModelFiles | None:
    """The model that training starts from; None where it starts from random weights.

    Raises:
        ConfigError, DataError: There is no such model, or it has other settings, which the message names.
    """
    name = config.training.start_from
    if name is None:
        return None
    if refused := model_differences(read_config(name), config):
        raise ConfigError(f"{name}: training cannot start from it with other settings: {'; '.join(refused.values())}")
    log.info("starting from the weights and the vocabulary of %s", name)
    return read_model(name)


def model_differences(old: Config, new: Config) -> dict[str, str]:
    """Those `differences` that make the weights of one not fit the other, or mean something else."""
    return {
        key: line
        for key, line in differences(old, new).items()
        if key.startswith(("tokenizer.", "model.")) and key not in FREE and not key.endswith("dropout")
    }
