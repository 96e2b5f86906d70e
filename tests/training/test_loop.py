import json

import pytest
import torch
from safetensors.torch import load_file

from seq2seq.config_file import load_config
from seq2seq.errors import ConfigError, DataError, TrainingDiverged
from seq2seq.inference.translator import Translator
from seq2seq.training.loop import count_steps, train
from seq2seq.training.records import drop_records_after
from seq2seq.training.run_folder import differences, open_run
from seq2seq.training.state import Progress
from seq2seq.training.step import train_step


def run_training(toy, name, *overrides, resume=False):
    config = load_config(toy / "config.yaml", list(overrides))
    with open_run(config, toy / name, resume):
        return train(config, toy / name, resume)


def records(run):
    """What metrics.jsonl says, less what depends on the clock."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "tokens_per_second")} for line in lines]


def test_run_folder_is_complete(toy):
    progress = run_training(toy, "run")
    run = toy / "run"
    assert progress.step == 12
    assert {path.name for path in run.iterdir()} == {
        "config.yaml", "train.log", "tokenizer", "data.json", "model.safetensors", "metrics.jsonl",
        "learning_curves.png", "checkpoints",
    }  # fmt: skip
    assert (run / "checkpoints" / "latest").readlink().name == "step_12"
    assert [path.name for path in (run / "checkpoints").glob("step_*")] == ["step_12"]
    validations = [record for record in records(run) if record["kind"] == "validation"]
    assert [record["step"] for record in validations] == [6, 12]
    assert validations[1]["loss"] < validations[0]["loss"]
    for record in validations:
        assert record["perplexity"] == pytest.approx(2.718281828 ** record["loss"])
        assert 0 <= record["bleu"] <= 100
        assert 0 <= record["chrf"] <= 100


def test_same_seed_same_weights_other_seed_other_weights(toy):
    for name, seed in [("one", 1), ("same", 1), ("other", 2)]:
        run_training(toy, name, f"training.seed={seed}")
    weights = [load_file(toy / name / "model.safetensors") for name in ("one", "same", "other")]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert not torch.equal(
        weights[0]["encoder.forward_layers.0.weight_ih_l0"], weights[2]["encoder.forward_layers.0.weight_ih_l0"]
    )


def test_early_stopping_keeps_the_best(toy):
    settings = ["training.learning_rate=0.03", "training.validate_every=20", "training.clip_grad_norm=null"]
    progress = run_training(toy, "run", *settings, "training.patience=2", "training.max_steps=2000")
    validations = [record for record in records(toy / "run") if record["kind"] == "validation"]
    best = max(validations, key=lambda record: (record["bleu"], -record["loss"]))
    assert progress.step == best["step"] + 40 < 2000  # two validations without a better one
    assert progress.best.bleu == best["bleu"]
    run_training(toy, "until_best", *settings, f"training.max_steps={best['step']}")
    kept = load_file(toy / "run" / "model.safetensors")
    expected = load_file(toy / "until_best" / "checkpoints" / "latest" / "model.safetensors")
    assert all(torch.equal(kept[key], expected[key]) for key in expected)


def test_learns_to_reverse_and_attends_backwards(toy):
    run_training(
        toy, "run", "training.max_steps=700", "training.validate_every=350", "training.learning_rate=0.005",
        "training.schedule=linear", "model.encoder.dropout=0.0", "model.decoder.dropout=0.0",
        "model.embedding_size=32", "model.encoder.hidden_size=32", "model.decoder.hidden_size=64",
    )  # fmt: skip
    translator = Translator.load(toy / "run", "cpu")
    sources = (toy / "test.in").read_text().splitlines()
    results = translator.translate(sources)
    right = sum(result.text == source[::-1] for source, result in zip(sources, results, strict=True))
    assert right >= 0.95 * len(sources)
    result = max(results, key=lambda result: len(result.tokens))
    attended = result.weights[0, :-1].argmax(dim=-1).tolist()  # of every token but EOS
    assert attended == sorted(attended, reverse=True)


def test_bfloat16_learns(toy):
    run_training(toy, "run", "training.precision=bfloat16", "training.max_steps=40", "training.validate_every=10")
    losses = [record["loss"] for record in records(toy / "run") if record["kind"] == "validation"]
    assert losses[-1] < losses[0] - 0.1


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("bridge", ["zeros", "mean", "projection"])
@pytest.mark.parametrize(
    "decoder", [{"style": "bahdanau"}, {"style": "luong"}, {"style": "luong", "input_feeding": False}]
)
def test_bfloat16_step_in_every_architecture(new_state, batches, decoder, cell, bridge):
    model = {"encoder": {"cell": cell}, "decoder": {**decoder, "cell": cell, "bridge": bridge}}
    state, batch = new_state(model, precision="bfloat16"), batches[0]
    norm = train_step(state, [batch], 8, 1e-3)
    model = state.model
    assert 0 < state.progress.loss_sum < 100
    assert norm > 0
    with torch.autocast("cpu", torch.bfloat16):
        _, state = model.encode(batch.source, batch.source_mask)
    assert all(part.dtype == torch.float32 for part in state.hidden)


def test_float16_on_a_cpu_is_refused(toy):
    with pytest.raises(ConfigError, match=r"training.precision is 'float16', which a CPU does not speed up"):
        run_training(toy, "run", "training.precision=float16", "training.device=cpu")


def test_step_is_the_mean_gradient_over_tokens(new_state, batches):
    state, batch = new_state(clip_grad_norm=None), batches[0]
    logits, _ = state.model(batch.source, batch.source_mask, batch.target_in)
    real = batch.target_mask
    expected_loss = torch.nn.functional.cross_entropy(logits[real], batch.target_out[real], reduction="sum")
    expected = torch.autograd.grad(expected_loss / 8, list(state.model.parameters()))
    norm = train_step(state, [batch], 8, 1e-3)
    assert state.progress.num_tokens == 8  # two target sentences of 2 and 4 tokens, each with its EOS
    assert state.progress.loss_sum == pytest.approx(float(expected_loss.detach()))
    assert norm == pytest.approx(float(torch.stack([gradient.norm() for gradient in expected]).norm()))
    for parameter, gradient in zip(state.model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_gradient_is_clipped_to_the_norm(new_state, batches):
    state, batch = new_state(clip_grad_norm=0.01), batches[0]
    assert train_step(state, [batch], 8, 1e-3) > 0.01
    clipped = torch.stack([parameter.grad.norm() for parameter in state.model.parameters()]).norm()
    assert float(clipped) == pytest.approx(0.01, rel=1e-3)


def snapshot(state):
    return [parameter.detach().clone() for parameter in state.model.parameters()]


def test_non_finite_loss_stops_before_the_weights_change(new_state, batches):
    state, batch = new_state(), batches[0]
    with torch.no_grad():
        state.model.output_layer.bias[5] = torch.inf
    before = snapshot(state)
    state.progress.step = 6
    message = (
        r"step 7: the loss is nan .* learning rate 0.001, on a batch of 2 pairs of up to 4 source and 5 target tokens; "
        r"not finite first in the weights output_layer.bias; .* lower training.learning_rate"
    )
    with pytest.raises(TrainingDiverged, match=message):
        train_step(state, [batch], 8, 1e-3)
    assert all(torch.equal(old, new) for old, new in zip(before, state.model.parameters(), strict=True))


def test_non_finite_gradient_is_named_and_may_be_left_out(new_state, batches):
    state, batch = new_state(skip_nonfinite_steps=2), batches[0]
    state.model.output_layer.bias.register_hook(lambda gradient: gradient * torch.inf)
    before = snapshot(state)
    for _ in range(2):
        train_step(state, [batch], 8, 1e-3)
    assert (state.progress.step, state.progress.skipped_steps, state.progress.num_tokens) == (2, 2, 0)
    message = r"step 3: the loss is \d.*first in the gradient of output_layer.bias; 2 updates were left out before"
    with pytest.raises(TrainingDiverged, match=message):
        train_step(state, [batch], 8, 1e-3)
    assert all(torch.equal(old, new) for old, new in zip(before, state.model.parameters(), strict=True))


def test_a_scaler_halves_its_scale_and_gives_up_at_one(new_state, batches):
    """As in float16 on a GPU: a gradient too large at scale 8 is tried again at 4, 2 and 1, where it is at fault."""
    state, batch = new_state(), batches[0]
    state.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    state.model.output_layer.bias.register_hook(lambda gradient: gradient * torch.inf)
    for scale in (4.0, 2.0, 1.0):
        train_step(state, [batch], 8, 1e-3)
        assert state.scaler.get_scale() == scale
    assert state.progress.skipped_steps == 0
    with pytest.raises(TrainingDiverged, match=r"step 4: .* gradient of output_layer.bias"):
        train_step(state, [batch], 8, 1e-3)


def test_a_start_that_failed_can_be_made_again(toy):
    with pytest.raises(DataError, match=r"missing\.in"):
        run_training(toy, "run", f"data.train.source={toy}/missing.in")
    assert run_training(toy, "run").step == 12


def test_two_trainings_in_one_folder_are_refused(toy):
    config = load_config(toy / "config.yaml")
    with open_run(config, toy / "run", False), pytest.raises(ConfigError, match="run: another training is running"):
        run_training(toy, "run")


def test_a_folder_with_the_users_config_is_left_alone(toy):
    (toy / "mine").mkdir()
    (toy / "mine" / "config.yaml").write_text("# my notes\n")
    with pytest.raises(ConfigError, match="mine: not empty"):
        run_training(toy, "mine")
    assert (toy / "mine" / "config.yaml").read_text() == "# my notes\n"


def test_a_folder_of_other_things_is_left_alone(toy):
    (toy / "notes").mkdir()
    (toy / "notes" / "todo.txt").write_text("mine")
    with pytest.raises(ConfigError, match="notes: not empty; name another folder"):
        run_training(toy, "notes")
    assert (toy / "notes" / "todo.txt").read_text() == "mine"


def test_language_that_cannot_be_scored_stops_before_training(toy):
    with pytest.raises(ConfigError, match=r"data.target_language is 'ja', .* pip install 'sacrebleu\[ja\]'"):
        run_training(toy, "run", "data.target_language=ja")


def test_keeps_as_many_checkpoints_as_asked(toy):
    run_training(toy, "run", "training.keep_checkpoints=2", "training.max_steps=16")
    assert sorted(path.name for path in (toy / "run" / "checkpoints").glob("step_*")) == ["step_12", "step_16"]


def test_unusable_corpus_stops_before_training(toy):
    (toy / "train.out").write_text("one\n")
    with pytest.raises(DataError, match="500"):
        run_training(toy, "run")


def test_model_that_cannot_be_built_leaves_no_run_folder(toy):
    config = load_config(toy / "config.yaml", ["model.attention.score=dot", "model.attention.projection=key",
                                               "model.attention.size=7"])  # fmt: skip
    with pytest.raises(ConfigError, match="Dot compares vectors of one size, but a query has 32 and a key 7"):
        open_run(config, toy / "run", False).__enter__()
    assert not (toy / "run").exists()


def test_run_folder_that_is_a_file(toy):
    (toy / "file").write_text("")
    with pytest.raises(ConfigError, match="file: cannot make or write the run folder: File exists"):
        run_training(toy, "file")


def test_differences_name_dotted_keys(toy):
    old, new = (load_config(toy / "config.yaml", [f"training.seed={seed}"]) for seed in (1, 2))
    assert differences(old, new) == {"training.seed": "training.seed: 1 then, 2 now"}
    assert differences(old, old) == {}


def test_count_steps_is_the_nearer_end():
    assert count_steps(3, None, 10) == 30
    assert count_steps(None, 7, 10) == 7
    assert count_steps(3, 7, 10) == 7
    assert count_steps(3, 700, 10) == 30


def test_records_past_the_checkpoint_are_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    drop_records_after(path, Progress(step=2))
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_record_of_a_validation_that_is_to_be_repeated_is_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [f'{{"kind": "{kind}", "step": {step}}}\n' for step in (1, 2) for kind in ("training", "validation")]
    path.write_text("".join(lines))
    drop_records_after(path, Progress(step=2, validation_due=True))
    assert path.read_text() == "".join(lines[:3])
