"""One measurement of training in a process of its own: CONFIG SETTING FOLDER STEPS [KEY=VALUE ...]."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.contest import PEAK, peak_memory
from benchmark.train import KEY, setting_config
from measuring.training_speed import tokens_per_second
from seq2seq.data.tokenized import StoredPairs
from seq2seq.training.preparation import prepare
from seq2seq.training.processes import Processes


def main(arguments: Sequence[str]) -> None:
    base, setting, folder, steps, *overrides = arguments
    config = setting_config(base, setting, overrides)
    data = prepare(config, Path(folder), Processes(config.training.device))
    assert isinstance(data.train, StoredPairs)
    speed = tokens_per_second(config, data.tokenizer, data.train, int(steps))
    print(json.dumps({KEY: speed, PEAK: peak_memory()}))


if __name__ == "__main__":
    main(sys.argv[1:])
