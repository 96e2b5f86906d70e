"""Runs and models: folders, weights, checkpoints and what else a training leaves."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from seq2seq.cli import main
from seq2seq.config_file import load_config
from seq2seq.training.run_folder import open_run

RESUME = "train config.yaml --run run --resume training.max_steps=6"


def flip(path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << 5
    path.write_bytes(content)


def edit_weights(path, change) -> None:
    weights = load_file(path)
    change(weights)
    save_file(weights, path)


def edit_config(run, old: str, new: str) -> None:
    text = (run / "config.yaml").read_text()
    assert old in text
    (run / "config.yaml").write_text(text.replace(old, new, 1))


def test_fault_25_weights_that_are_not_numbers(run, answer):
    for path in (run / "model.safetensors", run / "checkpoints" / "latest" / "model.safetensors"):
        edit_weights(path, lambda weights: weights["output_layer.bias"].fill_(torch.nan))
    message = "model.safetensors: output_layer.bias holds NaN or infinity: take weights from before that happened"
    answer("translate run a", message)
    answer(
        RESUME, "step_4: damaged checkpoint: ", message, "another is step_2: make `latest` point to it (ln -sfn step_2"
    )
    (run / "checkpoints" / "latest").unlink()
    (run / "checkpoints" / "latest").symlink_to("step_2")
    assert main(RESUME.split()) == 0
    assert main(["translate", "run", "a"]) in (0, 2)  # 2 where neither of the new validations was better


@pytest.mark.parametrize("kept", [1, 2])
def test_fault_32_a_single_wrong_bit(run, check_error, kept):
    """In the numbers, which nothing but a hash of them can tell; before, they were translated with."""
    others = "there is no other: train in another folder" if kept == 1 else "another is step_2"
    if kept == 1:
        shutil.rmtree(run / "checkpoints" / "step_2")
    message = "model.safetensors: damaged: its numbers are not those that were written, by their SHA-256"
    for path, command in [("model.safetensors", ["translate", "run", "a"]),
                          ("checkpoints/latest/model.safetensors", RESUME.split())]:  # fmt: skip
        flip(run / path, -50)
        line = check_error(command, message)
        flip(run / path, -50)
    assert others in line
    flip(run / "checkpoints" / "latest" / "optimizer.pt", (run / "checkpoints/latest/optimizer.pt").stat().st_size // 2)
    assert others in check_error(RESUME.split(), "optimizer.pt is not as it was written, by the checksum of its part")


def test_fault_32_files_cut_short_or_edited(run, answer):
    weights = run / "model.safetensors"
    content = weights.read_bytes()
    for damaged in (b"", content[: len(content) // 2]):
        weights.write_bytes(damaged)
        answer("translate run a", "run/model.safetensors: damaged, or not a safetensors file")
    weights.unlink()
    answer("translate run a", "run/model.safetensors: no weights yet; they appear after the run's first validation")
    answer("inspect run", "run/model.safetensors: no weights yet")
    weights.write_bytes(content)
    latest = run / "checkpoints" / "latest"
    optimizer, progress = (latest / "optimizer.pt").read_bytes(), (latest / "progress.json").read_text()
    for damaged in (b"", optimizer[: len(optimizer) // 2]):
        (latest / "optimizer.pt").write_bytes(damaged)
        answer(RESUME, "step_4: damaged checkpoint: optimizer.pt is not what training writes, or is cut short")
    (latest / "optimizer.pt").write_bytes(optimizer)
    for old, new, message in [
        ("\n}", ",\n}", "progress.json: JSONDecodeError: Expecting property name enclosed in double quotes"),
        ('"step": 4', '"step": "four"', "progress.json: step is 'four'"),
        ('"epoch"', '"epoque"', "progress.json: KeyError: 'epoch'"),
    ]:
        (latest / "progress.json").write_text(progress.replace(old, new))
        answer(RESUME, "step_4: damaged checkpoint: ", message, "; another is step_2: make `latest` point to it")
    (latest / "progress.json").write_text(progress)
    shutil.rmtree(latest.resolve())
    answer(RESUME, "run: checkpoints/latest points to step_4, which is gone: make it point to another")
    (run / "tokenizer" / "joint.model").write_bytes(b"")
    answer("translate run a", "run/tokenizer/joint.model: not a sentencepiece model, or damaged: it is empty")


def test_fault_34_config_of_a_model_with_mistakes(run, answer):
    original = (run / "config.yaml").read_text()
    for old, new, message in [
        ("embedding_size: 6", "embeding_size: 6", "unknown key model.embeding_size; did you mean embedding_size?"),
        ("embedding_size: 6", "embedding_size: [6]", "model.embedding_size is [6]: input should be a valid integer"),
        ("  source_language: in\n", "", "data.source_language is required"),
        ("embedding_size: 6", "embedding_size: 1000000000", "they ask for a model of more than twice as many"),
    ]:
        edit_config(run, old, new)
        answer("translate run a", "run/", message)
        (run / "config.yaml").write_text(original)


def test_fault_35_weights_that_do_not_fit(run, answer):
    content = (run / "model.safetensors").read_bytes()
    for change, message in [
        (lambda weights: weights.pop("output_layer.bias"), "it lacks output_layer.bias"),
        (lambda weights: weights.update(critic=torch.zeros(3)), "it has critic besides"),
        (
            lambda weights: weights.update({"output_layer.bias": torch.zeros(2)}),
            "output_layer.bias is (2,) float32 and",
        ),
    ]:
        edit_weights(run / "model.safetensors", change)
        answer("translate run a", "run/model.safetensors: does not fit the run's config and tokenizer: ", message)
        (run / "model.safetensors").write_bytes(content)
    edit_config(run, "hidden_size: 7", "hidden_size: 9")
    answer("translate run a", "run/model.safetensors: does not fit the run's config and tokenizer: ")


def test_fault_36_resumed_with_something_else(run, corpus, answer):
    for setting, message in [
        ("training.seed=2", "run: cannot resume with other settings: training.seed: 1 then, 2 now"),
        (
            "model.encoder.cell=lstm",
            "run: cannot resume with other settings: model.encoder.cell: 'gru' then, 'lstm' now",
        ),
        ("tokenizer.type=bpe", "run: cannot resume with other settings: tokenizer.type: 'unigram' then, 'bpe' now"),
        ("training.batch_tokens=200", "this run takes 100 tokens a step, but training.batch_tokens=200"),
    ]:
        answer(f"{RESUME} {setting}", message)
    text = (corpus / "train.in").read_text()
    (corpus / "train.in").write_text(text.replace("a", "b", 1))
    answer(
        RESUME, "run: the training text is not what this run began with (SHA-256 ", "put it back, or train in another"
    )


def test_fault_38_two_trainings_in_one_folder(corpus, answer):
    with open_run(load_config("config.yaml"), corpus / "new", False):
        answer("train config.yaml --run new", "new: another training is running there")


def test_fault_54_folders_that_hold_something_else(run, corpus, answer):
    (corpus / "notes").mkdir()
    (corpus / "notes" / "config.yaml").write_text("# mine\n")
    answer("train config.yaml --run notes", "notes: not empty; name another folder")
    answer("train config.yaml --run run", "run: not empty; it holds a run with a checkpoint (step_4): continue the run")
    answer(
        "train config.yaml --run new --resume", "new: nothing to resume (it holds no checkpoint); leave out --resume"
    )
    answer("translate notes/config.yaml a", "notes/config.yaml: is a file: name the folder that holds a model")
    answer("translate nothing a", "nothing: not a run folder")
    answer("attention run a --compare nothing", "nothing: not a run folder")
    (corpus / "empty").mkdir()
    answer("evaluate empty", "empty: not a run folder: it has no config.yaml, which `seq2seq train` leaves there")
    answer(
        "average run --last 3 --output mean",
        "run: has 2 of the 3 last checkpoints asked for; training.keep_checkpoints",
    )
    answer(
        "average run --output mean", "run: one model is its own mean: name several runs, or give --best N or --last N"
    )
    answer("average notes --last 1 --output run", "run: exists; name another folder")
    answer("export run --output notes", "notes: exists; name another folder")
    assert (corpus / "notes" / "config.yaml").read_text() == "# mine\n"


def test_fault_55_copies_beside_the_checkpoints(run):
    """A user's safety copies are neither in the way nor removed."""
    for copy in ("step_4.copy", "step_backup"):
        shutil.copytree(run / "checkpoints" / "step_4", run / "checkpoints" / copy)
    assert main(RESUME.split()) == 0
    assert main("average run --last 2 --output mean".split()) == 0
    names = {path.name for path in (run / "checkpoints").iterdir()}
    assert names == {"step_4", "step_6", "latest", "step_4.copy", "step_backup"}


def test_fault_56_records_that_are_none(run):
    """An editor's leavings in metrics.jsonl, which --resume went down on."""
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines()
    path.write_bytes("\n".join([*lines, "", "{}", "[]", "3", "null", '{"step": "x"}', '{"step']).encode() + b"\xff\n")
    assert main(RESUME.split()) == 0
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record["step"] for record in records] == [2, 4, 6]


def test_fault_58_another_tokenizer_of_the_same_size(run, corpus, answer):
    """Its pieces are others, and the model's output would be nonsense that nothing else gives away."""
    for name in ("train.in", "train.out"):
        text = (corpus / name).read_text()
        (corpus / name).write_text(text.translate(str.maketrans("abcdefgh", "stuvwxyz")))
    assert main(["train", "config.yaml", "--run", "other"]) == 0
    sizes = [load_file(folder / "model.safetensors")["output_layer.bias"].shape for folder in (run, corpus / "other")]
    assert sizes[0] == sizes[1]
    shutil.copy(corpus / "other" / "tokenizer" / "joint.model", run / "tokenizer" / "joint.model")
    answer("translate run a", "run/tokenizer: not the one that the model learned with, by the SHA-256 in data.json")
