"""What differs on a GPU: devices, number formats, random states, CUDA graphs."""

import pytest
import torch

from seq2seq import cuda_graphs
from seq2seq.config_file import load_config
from seq2seq.errors import ConfigError
from seq2seq.inference.translator import Translator
from seq2seq.model.scores import SCORES, Dot
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.training.graphs import Shape, empty_batch, fill
from seq2seq.training.loop import train
from seq2seq.training.run_folder import open_run
from seq2seq.training.step import train_step

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
ON_GPU = ("training.device=cuda",)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("style", ["bahdanau", "luong"])
def test_trains_resumes_and_translates(toy, precision, cell, style):
    settings = [f"training.precision={precision}", *ON_GPU, f"model.decoder.style={style}"]
    settings += [f"model.encoder.cell={cell}", f"model.decoder.cell={cell}"]
    for resume, steps in [(False, 12), (True, 16)]:
        config = load_config(toy / "config.yaml", [*settings, f"training.max_steps={steps}"])
        with open_run(config, toy / "run", resume):
            assert train(config, toy / "run", resume).step == steps
    on_gpu, on_cpu = (Translator.load(toy / "run", device).translate(["a b c"])[0] for device in ("cuda", "cpu"))
    assert on_gpu.score == pytest.approx(on_cpu.score, abs=1e-3)


def test_encoder_stays_out_of_float16_under_autocast(toy):
    config = load_config(toy / "config.yaml")
    model = Seq2Seq(config.model, 11, 13).cuda()
    source = torch.tensor([[4, 5, 3]], device="cuda")
    with torch.autocast("cuda", torch.bfloat16):
        encoded = model.encoder(model.source_embedding(source), source > 0)
    assert encoded.states.dtype == torch.float32


def gradients(state):
    return [parameter.grad.clone() for parameter in state.model.parameters()]


@pytest.fixture
def batches(batches):
    return [batch.to(torch.device("cuda")) for batch in batches]


@pytest.mark.parametrize(
    "model",
    [
        {"decoder": {"style": style}, "attention": attention}
        for style in ("bahdanau", "conditional", "luong")
        for attention in (
            {"score": "additive"},
            {"score": "bilinear", "normalizer": "sparsemax"},
            {"score": "concat", "normalizer": "entmax15"},
            {"score": "cosine", "projection": "query_key"},
            {"window": "local_m"},
            {"window": "local_p", "coverage": True},
            {"score": "scaled_dot", "projection": "query_key_value", "num_heads": 4},
        )
    ]
    + [
        {"decoder": {"style": "luong", "input_feeding": False, "num_layers": 2}, "encoder": {"num_layers": 2}},
        {"decoder": {"style": "luong", "cell": "lstm", "input_feeding": False}, "encoder": {"cell": "lstm"}},
        {"encoder": {"cell": "transformer", "num_heads": 4}},
        {"attention": {"score": "none"}},
    ],
)
def test_graphs_give_the_gradients_of_single_launches(new_state, batches, model):
    model = model | {side: {"dropout": 0.0} | model.get(side, {}) for side in ("encoder", "decoder")}
    states = [new_state(model, "cuda", cuda_graphs=recorded, label_smoothing=0.1) for recorded in (True, False)]
    assert [state.graphs is None for state in states] == [False, True]
    for batch in (*batches, *batches):
        norms = [train_step(state, [batch], int(batch.target_mask.sum()), 1e-6) for state in states]
        assert norms[0] == pytest.approx(norms[1], rel=1e-2)
        for one, other in zip(*map(gradients, states), strict=True):
            assert float((one - other).norm()) < 1e-2 * float(other.norm()) + 1e-5  # TF32 in cuDNN
    assert states[0].progress.loss_sum == pytest.approx(states[1].progress.loss_sum, rel=1e-3)


def test_batches_of_a_step_add_up_though_graphs_come_and_go(new_state, batches, monkeypatch):
    monkeypatch.setattr(cuda_graphs, "MAX_GRAPHS", 1)
    model = {side: {"dropout": 0.0} for side in ("encoder", "decoder")}
    states = [new_state(model, "cuda", cuda_graphs=recorded) for recorded in (True, False)]
    num_tokens = sum(int(batch.target_mask.sum()) for batch in batches)
    for _ in range(2):
        norms = [train_step(state, batches, num_tokens, 1e-6) for state in states]
        assert norms[0] == pytest.approx(norms[1], rel=2e-2)
        for one, other in zip(*map(gradients, states), strict=True):
            assert float((one - other).norm()) < 2e-2 * float(other.norm()) + 1e-4


def test_a_replay_draws_the_dropout_that_a_pass_would_and_each_draws_anew(new_state, batches):
    dropout = {side: {"dropout": 0.3} for side in ("encoder", "decoder")}
    state, batch = new_state(dropout, "cuda"), batches[0]
    graphed = state.graphs
    graphed(batch, 8)  # records
    results = []
    shape = Shape.for_batch(batch)
    _, recorded = graphed.graphs.find(shape, pytest.fail)
    for replayed in (True, False, True):
        torch.manual_seed(3)
        for _ in range(2):
            state.optimizer.zero_grad(set_to_none=False)
            if replayed:
                loss = float(graphed(batch, 8))
            else:
                wide = empty_batch(shape, batch)
                fill(wide, batch)
                loss = float(graphed.run(wide, recorded.num_tokens))
            results.append((loss, *(float(gradient.norm()) for gradient in gradients(state))))
    replays, passes, again = results[:2], results[2:4], results[4:]
    assert replays == again
    assert replays[0] == pytest.approx(passes[0], rel=1e-4)
    assert replays[1] == pytest.approx(passes[1], rel=1e-4)
    assert replays[0][0] != replays[1][0]


LAYERS = ("style=luong", "input_feeding=false", "num_layers=2", "dropout=0.2")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", [(), [f"model.decoder.{setting}" for setting in LAYERS]])
def test_resumes_bit_for_bit(training, model, precision):
    settings = (*ON_GPU, *model, f"training.precision={precision}", "training.ema_decay=0.9")
    training("whole", *settings, "training.checkpoint_every=6", "training.max_steps=18")
    training("parts", *settings, "training.checkpoint_every=6", "training.max_steps=6")
    training("parts", *settings, "training.checkpoint_every=6", "training.max_steps=18", resume=True)
    training.assert_same("whole", "parts")


def test_hard_attention_draws_within_a_graph(new_state, batches):
    state = new_state({"attention": {"normalizer": "hard"}}, "cuda")
    assert train_step(state, batches[:1], 8, 0.0) != train_step(state, batches[:1], 8, 0.0)


class Asking(Dot):
    def forward(self, query, keys):
        scores = super().forward(query, keys)
        return scores * (1.0 if scores.sum().item() > 0 else 2.0)


def test_a_part_that_asks_the_device_is_refused_and_works_without_graphs(new_state, batches, monkeypatch):
    monkeypatch.setitem(SCORES, "asking", Asking)
    model = {"attention": {"score": "asking", "projection": "none"}}
    with pytest.raises(ConfigError, match=r"cannot be recorded as a CUDA graph: .*; set training.cuda_graphs=false"):
        train_step(new_state(model, "cuda"), batches[:1], 8, 1e-3)
    assert train_step(new_state(model, "cuda", cuda_graphs=False), batches[:1], 8, 1e-3) > 0
