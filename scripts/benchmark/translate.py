"""The speed and the memory of translating a test set with a trained run."""

from collections.abc import Sequence
from pathlib import Path

from benchmark.contest import Contest, hold, own, peer
from seq2seq.config import Config
from seq2seq.config_file import load_config
from seq2seq.data.corpus import read_corpus
from seq2seq.errors import ConfigError
from seq2seq.inference.options import search_options
from seq2seq.sharing.model_folder import LEXICON

KEY = "sentences_per_second"
PIECES_KEY = "pieces_per_second"
SENTENCES = 64
"""A batch has about so many: its budget is that of so many of mean length."""


def test_sources(config: Config, path: Path) -> list[str]:
    """Raises: ConfigError: The config names no test set. DataError: It cannot be read."""
    if config.data.test is None:
        raise ConfigError(f"{path}: data.test names no test set; give data.test.source and data.test.target")
    return list(read_corpus(config.data.test, config.data, "test").source)


def measure_translation(
    results: Path,
    run: Path,
    overrides: list[str],
    beams: Sequence[int],
    precisions: Sequence[str],
    shortlist: bool,
    threshold: float | None,
    rounds: int,
    threads: int,
    peers: Sequence[str],
    peer_key: str,
) -> dict[int, Contest]:
    """One contest a beam size: ours in each precision, as it is and with what makes it faster, and the peers.

    Raises:
        ConfigError: There is no run, it has no lexicon for a shortlist, or the threshold is out of range.
    """
    path = run / "config.yaml"
    config = load_config(path, overrides)
    test_sources(config, path)  # mistakes show before any work
    search_options(config.search, {"beam_threshold": threshold})
    if shortlist and not (run / LEXICON).exists():
        raise ConfigError(f"{run}: a shortlist needs {LEXICON}; first: seq2seq lexicon {run}")
    contests = {}
    for beam in beams:
        thresholds = [None] if threshold is None or beam == 1 else [None, threshold]
        ours = [
            own(
                f"ours, {precision}{', shortlist' * listed}{'' if most is None else f', threshold {most:g}'}",
                KEY,
                "one_translation",
                str(run),
                str(beam),
                precision,
                "yes" if listed else "no",
                "none" if most is None else str(most),
                *overrides,
            )
            for most in thresholds
            for listed in (False, True)[: 1 + shortlist]
            for precision in precisions
        ]
        others = [peer(text, peer_key, {"beam": str(beam), "threads": str(threads)}) for text in peers]
        contests[beam] = hold(results / f"translate-beam-{beam}.json", KEY, ours, others, rounds, threads, overrides)
    return contests
