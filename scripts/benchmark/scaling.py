"""How the speed of training changes with batch, sentence length, vocabulary and hidden size; on random ids."""

import statistics
import time
from pathlib import Path

import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from benchmark.breakdown import LENGTH, VOCABULARY, random_batch
from benchmark.train import setting_config
from measuring.environment import Environment, environment
from measuring.training_speed import new_state
from seq2seq.config import Section
from seq2seq.files import write_atomically
from seq2seq.training.step import train_step
from seq2seq.visualization.pictures import write_picture

AXES = {
    "batch_tokens": ("tokens a batch", [256, 512, 1024, 2048, 4096, 8192]),
    "length": ("pieces a sentence", [5, 10, 20, 40, 80]),
    "vocabulary": ("pieces of the vocabulary", [2000, 4000, 8000, 16000, 32000]),
    "hidden_size": ("decoder's hidden size", [128, 256, 512, 1024]),
}
"""What is varied, its name in the picture, and its values; the others are as in the comparison."""
BATCH_TOKENS, HIDDEN_SIZE = 2048, 512
STEPS = 3


class Point(Section):
    value: int
    tokens_per_second: float


class Scaling(Section):
    """What scaling.json holds."""

    environment: Environment
    threads: int
    setting: str
    overrides: list[str]
    points: dict[str, list[Point]]
    """By axis."""


def measure_scaling(results: Path, base: str, setting: str, overrides: list[str], threads: int) -> Scaling:
    """Measure in this process, with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    points: dict[str, list[Point]] = {axis: [] for axis in AXES}
    try:
        with tqdm(total=sum(len(values) for _, values in AXES.values()), desc="scaling", disable=None) as bar:
            for axis, (_, values) in AXES.items():
                for value in values:
                    speed = training_speed(base, setting, overrides, **{axis: value})
                    points[axis].append(Point(value=value, tokens_per_second=speed))
                    bar.update()
    finally:
        torch.set_num_threads(before)
    found = Scaling(environment=environment(), threads=threads, setting=setting, overrides=overrides, points=points)
    results.mkdir(parents=True, exist_ok=True)
    write_atomically(results / "scaling.json", found.model_dump_json(indent=2) + "\n")
    return found


def training_speed(
    base: str,
    setting: str,
    overrides: list[str],
    batch_tokens: int = BATCH_TOKENS,
    length: int = LENGTH + 1,
    vocabulary: int = VOCABULARY,
    hidden_size: int = HIDDEN_SIZE,
) -> float:
    """Target tokens a second, the median of a few steps on one batch; a length counts </s>, a hidden size is that of
    the decoder, of its output and of both directions of the encoder together."""
    sizes = [
        f"model.encoder.hidden_size={hidden_size // 2}",
        f"model.decoder.hidden_size={hidden_size}",
        f"model.decoder.output_size={hidden_size}",
    ]
    config = setting_config(base, setting, ["training.device=cpu", *overrides, *sizes])
    state = new_state(config, vocabulary, vocabulary)
    batch = random_batch(max(1, batch_tokens // length), length - 1, vocabulary)
    num_tokens, seconds = int(batch.target_mask.sum()), []
    for _ in range(1 + STEPS):  # the first allocates memory
        started = time.perf_counter()
        train_step(state, [batch], num_tokens, config.training.learning_rate)
        seconds.append(time.perf_counter() - started)
    return num_tokens / statistics.median(seconds[1:])


def draw(scaling: Scaling, path: Path) -> None:
    """Four small plots in one picture."""
    figure = Figure(figsize=(10, 2.8), dpi=150, layout="constrained")
    for axes, (axis, points) in zip(figure.subplots(1, len(AXES)), scaling.points.items(), strict=True):
        values = [point.value for point in points]
        axes.plot(values, [point.tokens_per_second for point in points], marker="o", markersize=4)
        axes.set_xscale("log", base=2)
        axes.set_xticks(values, [f"{value // 1000}k" if value >= 2000 else str(value) for value in values])
        axes.minorticks_off()
        axes.set(xlabel=AXES[axis][0], ylim=0)
        axes.grid(color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("target tokens a second")
    write_picture(figure, path)
