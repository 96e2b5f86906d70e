"""Whatever is in the files of a model or a checkpoint: it is what was saved, or is refused by name."""

import copy
import gzip
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seq2seq.config_file import load_config
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.data.vectors import read_vectors, require_width
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.sharing.model_files import named_weights, read_model
from seq2seq.sharing.model_folder import read_counts
from seq2seq.sharing.scores import read_scores
from seq2seq.training.averaging import average_runs
from seq2seq.training.checkpoint import load_checkpoint
from seq2seq.training.curves import read_metrics
from seq2seq.training.preparation import check_unchanged
from seq2seq.training.processes import Processes
from seq2seq.training.records import drop_records_after
from seq2seq.training.state import Progress, TrainingState, build_state

TIMES = settings().max_examples // 100  # 1 in the quick suite, more in `make fuzz`

Damage = list[tuple[str, float, int]]
KINDS = ["flip", "cut", "drop", "insert", "zero", "digit"]
damages = st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=3)


def damage(content: bytes, faults: Damage) -> bytes:
    """Flip bits at a place, cut the file there, drop or insert some bytes, make them zero, or another digit."""
    for kind, where, value in faults:
        place = int(where * len(content))
        before, after = content[:place], content[place:]
        if kind == "cut":
            content = before
        elif kind == "insert":
            content = before + bytes([value] * (1 + value % 9)) + after
        elif kind == "drop":
            content = before + after[1 + value :]
        elif kind == "zero":
            content = before + bytes(len(after[:value])) + after[value:]
        elif kind == "digit":
            digits = [i for i in range(place, min(len(content), place + 200)) if content[i : i + 1].isdigit()]
            if digits:
                content = content[: digits[0]] + b"%d" % (value % 10) + content[digits[0] + 1 :]
        elif after:
            content = before + bytes([after[0] ^ (value or 1)]) + after[1:]
    return content


MODEL_FILES = ["model.safetensors", "tokenizer/joint.model", "config.yaml"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def damaged(whole: bytes, faults: Damage | bytes) -> bytes:
    """Other bytes altogether, or the same with a few faults."""
    return faults if isinstance(faults, bytes) else damage(whole, faults)


@settings(max_examples=25 * TIMES)
@given(st.sampled_from(MODEL_FILES), damages | st.binary(max_size=60))
@example("model.safetensors", [("flip", 0.5, 1), ("digit", 0.0, 0)])  # the second made "sha256" another name: loaded
def test_model(attempt, any_model: Path, folder: Path, name: str, faults: Damage | bytes):
    if not (folder / "model").exists():
        shutil.copytree(any_model, folder / "model")
    path, whole = folder / "model" / name, (any_model / name).read_bytes()
    path.write_bytes(damaged(whole, faults))
    try:
        loaded = attempt(lambda: read_model(folder / "model"), str(folder), "model.")
    finally:
        path.write_bytes(whole)
    if loaded is None:
        return
    if name == "model.safetensors":
        expected = named_weights(read_model(any_model).model)
        assert all(torch.equal(weight, expected[key]) for key, weight in named_weights(loaded.model).items())
    elif name != "config.yaml":  # another value may be as good a setting
        loaded.tokenizer.decode(loaded.tokenizer.encode_target(["the cat 😀\u2028\0"])[0])


@pytest.fixture(scope="module")
def state(short_run: Path) -> TrainingState:
    config = load_config(short_run / "config.yaml")
    tokenizer = Tokenizer.load(short_run / "tokenizer")
    model = Seq2Seq(config.model, tokenizer.source_size, tokenizer.target_size)
    return build_state(model, config.training, torch.float32, Processes("cpu"))


def restored(state: TrainingState) -> list[Any]:
    """What a checkpoint restores, less the progress."""
    weights = {name: weight.clone() for name, weight in named_weights(state.model).items()}
    return [weights, copy.deepcopy(state.optimizer.state_dict()), torch.get_rng_state()]


@settings(max_examples=25 * TIMES)
@given(st.sampled_from(["model.safetensors", "optimizer.pt", "progress.json"]), damages | st.binary(max_size=60))
def test_checkpoint(attempt, short_run: Path, state: TrainingState, folder: Path, name: str, faults: Damage | bytes):
    checkpoints = folder / "checkpoints"
    if not checkpoints.exists():
        shutil.copytree(short_run / "checkpoints", checkpoints, symlinks=True)
    path, whole = checkpoints / "latest" / name, (short_run / "checkpoints" / "latest" / name).read_bytes()
    path.write_bytes(damaged(whole, faults))
    state.progress = Progress()
    attempt(lambda: load_checkpoint(checkpoints, state), "step_4: damaged checkpoint")
    path.write_bytes(whole)
    if state.progress == Progress():
        return
    found, progress = restored(state), state.progress
    state.progress = Progress()
    load_checkpoint(checkpoints, state)
    torch.testing.assert_close(found, restored(state), rtol=0, atol=0)
    if name == "progress.json":  # a number may be another, but it is one
        kinds = [{key: type(value) for key, value in vars(one).items()} for one in (progress, state.progress)]
        assert kinds[0] == kinds[1]
    else:
        assert progress == state.progress


VECTORS = [
    b"cat", b"dog", b" ", b"\n", b"0.5", b"1", b"-2e3", b"nan", b"1e99", b"3 2", b"\xff", b"\0", b"\t", b"\r\n", b"1_0",
    b"9" * 5000, b"1 " + b"9" * 5000, b"\xef\xbb\xbf", b"\xe2\x96\x81", b"PK\x03\x04", b"\xc2\xa0",
]  # fmt: skip
vectors = st.lists(st.sampled_from(VECTORS), max_size=16).map(b"".join) | st.binary(max_size=60)


@settings(max_examples=30 * TIMES)
@given(vectors, st.booleans())
@example(b"1 " + b"9" * 5000, False)  # a header with more digits than int() takes: a ValueError
@example(b"cat 1 " + b"9" * 10**5 + b"x", False)  # a pattern that took time in the square of the length
def test_vectors(attempt, folder: Path, content: bytes, packed: bool):
    path = folder / "vectors"
    path.write_bytes(gzip.compress(content) if packed else content)
    attempt(lambda: require_width(path, 2), str(path))
    attempt(lambda: read_vectors(path, ["cat", "▁dog", "▁"], 2), str(path))


RECORDS = [
    b'{"kind": "training", "step": 3, "loss": 1.0}',
    b'{"kind": "validation", "step": 4, "loss": 2, "bleu": 1, "chrf": 2}',
    b'{"kind": "validation", "step": [], "loss": [], "bleu": {}, "chrf": null}',
    b'{"kind": {}, "step": null}', b'{"step": "x"}', b'{"read": 1}', b'{"bleu": 3}',
    b"\n", b"{}", b"[]", b"null", b"NaN", b"\xff", b"\0", b"[" * 9000, b"9" * 5000,
]  # fmt: skip
records = st.lists(st.sampled_from(RECORDS), max_size=9).map(b"".join) | st.binary(max_size=60)


@settings(max_examples=12 * TIMES)
@given(records)
@example(b"")  # no record of the step of the best weights: a KeyError
@example(b'{"kind": "training", "step": 3, "loss": 1.0}')  # as data.json: a TypeError
@example(b"[]\n" + RECORDS[0])  # a traceback of `average`
@example(b"[" * 9000)  # a RecursionError
@example(b"\xff")  # a UnicodeDecodeError on resuming
@example(b'{"step": "x"}\n' * 2)  # the same with a TypeError
def test_records(attempt, any_model: Path, short_run: Path, folder: Path, content: bytes):
    run = folder / "run"
    if not run.exists():
        shutil.copytree(short_run, run, symlinks=True)
        (run / "best").mkdir()
        for step in (3, 4):
            shutil.copy(any_model / "model.safetensors", run / "best" / f"step_{step}.safetensors")
    config = load_config(run / "config.yaml")
    metrics, counts, scores = (run / name for name in ("metrics.jsonl", "data.json", "scores.json"))
    for path in (metrics, counts, scores):
        path.write_bytes(content)
    attempt(lambda: read_counts(run), str(counts))
    attempt(lambda: read_scores(run, config), str(scores))
    attempt(lambda: check_unchanged(run, {"train": {"sha256": "0", "read": 1}}), str(run))
    scores.unlink()
    attempt(lambda: read_scores(run, config), str(metrics))
    if attempt(lambda: average_runs([run], folder / "mean", best=1), str(metrics)):
        shutil.rmtree(folder / "mean")
    attempt(lambda: read_metrics(metrics), str(metrics))
    drop_records_after(metrics, Progress(step=4))
