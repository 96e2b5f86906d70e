"""Training speed, measured apart from the trainings: the settings take turns on an otherwise idle machine."""

import statistics
from pathlib import Path

import torch
from tqdm import tqdm

from compare.comparison import Candidate
from measuring.environment import Environment, environment
from measuring.ratios import median_ratio
from measuring.training_speed import tokens_per_second
from seq2seq.config import Section
from seq2seq.data.tokenized import StoredPairs
from seq2seq.device import choose_device, choose_precision
from seq2seq.files import write_atomically
from seq2seq.training.preparation import prepare
from seq2seq.training.processes import Processes


class Speed(Section):
    """What timing.json holds: target tokens a second, for each setting one number a round."""

    environment: Environment
    threads: int
    precision: str
    steps: int
    rounds: int
    digests: dict[str, str]
    tokens_per_second: dict[str, list[float]]

    def median(self, name: str) -> float:
        return statistics.median(self.tokens_per_second[name])

    def ratio(self, name: str, reference: str) -> float:
        return median_ratio(self.tokens_per_second[name], self.tokens_per_second[reference])


def read_speed(folder: Path) -> Speed | None:
    path = folder / "timing.json"
    return Speed.model_validate_json(path.read_bytes()) if path.exists() else None


def is_measured(speed: Speed | None, candidates: list[Candidate], rounds: int, steps: int) -> bool:
    digests = {candidate.name: candidate.digest for candidate in candidates}
    return speed is not None and (speed.rounds, speed.steps, speed.digests) == (rounds, steps, digests)


def measure_speed(candidates: list[Candidate], rounds: int, steps: int, folder: Path) -> None:
    """Measure all and write timing.json.

    In each round each setting trains a new model on the same batches of the corpus, its first ones;
    every second round in the reverse order.
    """
    config = candidates[0].config
    data = prepare(config, folder / "timing", Processes(config.training.device))
    assert isinstance(data.train, StoredPairs)
    speeds: dict[str, list[float]] = {candidate.name: [] for candidate in candidates}
    with tqdm(total=rounds * len(candidates), desc="measuring speed", disable=None) as bar:
        for number in range(rounds):
            for candidate in candidates if number % 2 == 0 else reversed(candidates):
                bar.set_postfix_str(candidate.name)
                speed = tokens_per_second(candidate.config, data.tokenizer, data.train, steps)
                speeds[candidate.name].append(speed)
                bar.update()
    training = candidates[0].config.training
    speed = Speed(
        environment=environment(),
        threads=torch.get_num_threads(),
        precision=str(choose_precision(training.precision, choose_device(training.device))).removeprefix("torch."),
        steps=steps,
        rounds=rounds,
        digests={candidate.name: candidate.digest for candidate in candidates},
        tokens_per_second=speeds,
    )
    write_atomically(folder / "timing.json", speed.model_dump_json(indent=2) + "\n")
