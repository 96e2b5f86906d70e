"""One measurement of translation in a process of its own: RUN BEAM PRECISION SHORTLIST THRESHOLD [KEY=VALUE ...].

SHORTLIST is yes or no, THRESHOLD a number or none."""

import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.contest import PEAK, peak_memory
from benchmark.translate import KEY, PIECES_KEY, SENTENCES, test_sources
from seq2seq.config_file import load_config
from seq2seq.inference.translator import Translator


def main(arguments: Sequence[str]) -> None:
    run, beam, precision, shortlist, threshold, *overrides = arguments
    path, beam_size = Path(run) / "config.yaml", int(beam)
    sources = test_sources(load_config(path, overrides), path)
    translator = Translator.load(run)
    num_tokens = sum(len(ids) + 1 for ids in translator.tokenizer.encode_source(sources))
    options: Any = {
        "precision": precision,
        "shortlist": shortlist == "yes",
        "beam_threshold": None if threshold == "none" else float(threshold),
        "batch_tokens": beam_size * math.ceil(SENTENCES * num_tokens / len(sources)),
    }
    translator.translate(sources[:SENTENCES], beam_size, **options)  # the first batch allocates memory
    started = time.perf_counter()
    results = translator.translate(sources, beam_size, **options)
    seconds = time.perf_counter() - started
    num_pieces = sum(len(result.tokens) for result in results)
    figures = {KEY: len(results) / seconds, PIECES_KEY: num_pieces / seconds, PEAK: peak_memory()}
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
