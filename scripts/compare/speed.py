"""Training speed, measured apart from the trainings: the settings take turns on an otherwise idle machine."""

import statistics
import time
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from compare.comparison import Candidate
from compare.environment import Environment, environment
from seq2seq.config import Section
from seq2seq.data.batching import collate
from seq2seq.data.tokenized import StoredPairs
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.device import choose_device, choose_precision
from seq2seq.files import write_atomically
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.training.batches import StoredBatches
from seq2seq.training.optimizer import learning_rate
from seq2seq.training.preparation import prepare
from seq2seq.training.processes import Processes
from seq2seq.training.state import Progress, build_state
from seq2seq.training.step import train_step

WARMUP = 2
"""Steps before the clock starts: the first ones allocate memory."""


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
        """The median over the rounds of the ratio within a round, in which a machine that slows down cancels out."""
        pairs = zip(self.tokens_per_second[name], self.tokens_per_second[reference], strict=True)
        return statistics.median(speed / other for speed, other in pairs)


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
                speeds[candidate.name].append(tokens_per_second(candidate, data.tokenizer, data.train, steps))
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


def tokens_per_second(candidate: Candidate, tokenizer: Tokenizer, pairs: StoredPairs, steps: int) -> float:
    """Target tokens (</s> included) a second over `steps` optimizer steps of a new model."""
    config, training = candidate.config, candidate.config.training
    torch.manual_seed(training.seed)
    processes = Processes(training.device)
    device = processes.device
    model = Seq2Seq(config.model, tokenizer.source_size, tokenizer.target_size).to(device).train()
    state = build_state(model, training, choose_precision(training.precision, device), processes)
    batches = StoredBatches(pairs, training.batch_tokens, training.seed)
    rate = partial(learning_rate, training, total_steps=batches.per_epoch)

    def clock() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    started = clock()
    for step, chosen in zip(range(1, WARMUP + steps + 1), batches.after(Progress()), strict=False):
        if step == WARMUP + 1:
            state.progress.num_tokens, started = 0, clock()
        batch = collate(*chosen).to(device)
        train_step(state, [batch], chosen.num_target_tokens, rate(step))
    return state.progress.num_tokens / (clock() - started)
