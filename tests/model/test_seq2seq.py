"""Contracts of the whole network over every decoder, cell, bridge and attention."""

import itertools

import pytest
import torch

from seq2seq.config import ModelConfig
from seq2seq.data.batching import collate
from seq2seq.model.attention import AttentionState
from seq2seq.model.decoder import DecoderState
from seq2seq.model.dropout import Dropout
from seq2seq.model.normalizers import NORMALIZERS
from seq2seq.model.scores import SCORES
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.model.windows import WINDOWS

SOURCE_SIZE, TARGET_SIZE = 23, 29
STYLES = {
    "bahdanau": {"style": "bahdanau"},
    "conditional": {"style": "conditional"},
    "input_feeding": {"style": "luong", "input_feeding": True},
    "luong": {"style": "luong", "input_feeding": False},
}


def make(style="bahdanau", cell="gru", attention=None, bridge="projection", layers=1, encoder=None, **settings):
    config = ModelConfig.model_validate(
        {
            "embedding_size": 6,
            "encoder": encoder or {"cell": cell, "hidden_size": 5, "num_layers": layers},
            "decoder": {**STYLES[style], "cell": cell, "hidden_size": 10, "num_layers": layers, "bridge": bridge},
            "attention": {"size": 14, "window_size": 1} | (attention or {}),
            **settings,
        }
    )
    return Seq2Seq(config, SOURCE_SIZE, (settings.get("tie_embeddings") and SOURCE_SIZE) or TARGET_SIZE)


def make_batch():
    return collate([[4, 5, 6, 7, 8], [9, 10], [11]], [[4, 5], [6, 7, 8, 9], [10, 11, 12]])


def networks():
    """Every decoder, cell and attention that makes sense together; quick are those that differ from additive, global,
    softmax attention in one part, under a GRU."""
    none = {"score": "none"}
    attentions = [none] + [
        {"score": score, "normalizer": normalizer, "window": window, "coverage": coverage} | heads
        for score, normalizer, window, coverage, heads in itertools.product(
            SCORES, NORMALIZERS, WINDOWS, [False, True], [{}, {"num_heads": 2, "projection": "query_key_value"}]
        )
    ]
    plain = {"score": "additive", "normalizer": "softmax", "window": "none", "coverage": False}
    for style, cell, attention in itertools.product(STYLES, ["gru", "lstm"], attentions):
        if style == "luong" and attention.get("coverage"):
            continue  # refused: all steps attend at once
        others = [key for key, value in attention.items() if plain.get(key) != value and key != "projection"]
        is_quick = attention is none or not others or (len(others) == 1 and cell == "gru")
        marks = [] if is_quick else [pytest.mark.slow]
        name = "-".join(str(attention[key]) for key in others) or "plain"
        yield pytest.param(style, cell, attention, id=f"{style}-{cell}-{name}", marks=marks)


ALL = list(networks())


@pytest.mark.parametrize(("style", "cell", "attention"), ALL)
def test_unroll_equals_repeated_steps(style, cell, attention):
    model, batch = make(style, cell, attention, layers=2).eval(), make_batch()
    memory, state = model.encode(batch.source, batch.source_mask)
    unrolled = model.decode(batch.target_in, state, memory)
    for step in range(batch.target_in.size(1)):
        output, state, weights = model.decode(batch.target_in[:, step : step + 1], state, memory)
        torch.testing.assert_close(output, unrolled.output[:, step : step + 1])
        torch.testing.assert_close(weights, unrolled.weights[:, :, step : step + 1])
    for mine, theirs in zip(state.hidden, unrolled.state.hidden, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(("style", "cell", "attention"), ALL)
def test_batch_equals_one_by_one(style, cell, attention):
    model, batch = make(style, cell, attention).eval(), make_batch()
    logits, weights = model(batch.source, batch.source_mask, batch.target_in)
    assert logits.shape == (3, batch.target_in.size(1), TARGET_SIZE)
    for row in range(3):
        source_length, target_length = int(batch.source_mask[row].sum()), int(batch.target_mask[row].sum())
        alone, alone_weights = model(
            batch.source[row : row + 1, :source_length],
            batch.source_mask[row : row + 1, :source_length],
            batch.target_in[row : row + 1, :target_length],
        )
        torch.testing.assert_close(alone[0], logits[row, :target_length])
        torch.testing.assert_close(alone_weights[0], weights[row, :, :target_length, :source_length])


@pytest.mark.parametrize(("style", "cell", "attention"), ALL)
@pytest.mark.parametrize("bridge", ["projection", "mean"])
def test_every_parameter_gets_a_gradient(style, cell, attention, bridge):
    model, batch = make(style, cell, attention, bridge=bridge, layers=2, layer_norm=True), make_batch()
    check_gradients(model, batch)


def check_gradients(model, batch):
    logits, _ = model(batch.source, batch.source_mask, batch.target_in)
    torch.nn.functional.cross_entropy(logits[batch.target_mask], batch.target_out[batch.target_mask]).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("bridge", ["projection", "mean", "zeros"])
@pytest.mark.parametrize("attention", ["additive", "none"])
def test_transformer_encoder_under_every_decoder(style, bridge, attention):
    encoder = {"cell": "transformer", "hidden_size": 10, "num_layers": 2, "num_heads": 2, "feedforward_size": 7}
    model, batch = make(style, "lstm", {"score": attention}, bridge, 2, encoder=encoder), make_batch()
    check_gradients(model, batch)
    model.eval()
    logits, _ = model(batch.source, batch.source_mask, batch.target_in)
    for row in range(3):
        length, target_length = int(batch.source_mask[row].sum()), int(batch.target_mask[row].sum())
        alone, _ = model(
            batch.source[row : row + 1, :length],
            batch.source_mask[row : row + 1, :length],
            batch.target_in[row : row + 1, :target_length],
        )
        torch.testing.assert_close(alone[0], logits[row, :target_length])


def test_target_mask_selects_the_real_positions():
    model, batch = make(), make_batch()
    everything, _ = model(batch.source, batch.source_mask, batch.target_in)
    selected, _ = model.outputs(batch.source, batch.source_mask, batch.target_in, batch.target_mask)
    torch.testing.assert_close(model.output_layer(selected), everything[batch.target_mask])


def run_backward(model, batch, interval):
    """Logits and gradients, and how many numbers the forward pass kept for the backward pass."""
    kept = 0

    def count(tensor):
        nonlocal kept
        kept += tensor.numel()
        return tensor

    torch.manual_seed(1)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        given = (batch.source, batch.source_mask, batch.target_in, batch.target_mask)
        output, weights = model.outputs(*given, interval)
        logits = model.output_layer(output)
    model.zero_grad()
    (logits.square().sum() + weights.square().sum()).backward()
    return logits, {name: parameter.grad for name, parameter in model.named_parameters()}, kept


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("attention", [{}, {"coverage": True}, {"window": "local_m"}])
def test_gradient_checkpoints_change_nothing(style, attention):
    if style == "luong" and attention:
        pytest.skip("all steps attend at once")
    model, batch = make(style, cell="lstm", attention=attention, layers=2), make_batch()
    expected = run_backward(model, batch, None)
    for interval in (1, 2, 4, 99):
        logits, gradients, _ = run_backward(model, batch, interval)
        torch.testing.assert_close(logits, expected[0])
        torch.testing.assert_close(gradients, expected[1])


@pytest.mark.parametrize("style", STYLES)
def test_gradient_checkpoints_draw_the_same_dropout_again(style, monkeypatch):
    model, batch = make(style, layers=2, word_dropout=0.5), make_batch()
    for module in model.modules():
        if isinstance(module, Dropout):
            module.p = 0.5
    _, gradients, _ = run_backward(model, batch, 2)
    monkeypatch.setattr("seq2seq.model.seq2seq.checkpoint", lambda function, *values, **options: function(*values))
    torch.testing.assert_close(gradients, run_backward(model, batch, 2)[1])


@pytest.mark.parametrize("style", STYLES)
def test_gradient_checkpoints_save_memory(style):
    model, batch = make(style), collate([list(range(4, 14))] * 3, [list(range(4, 28))] * 3)
    assert run_backward(model, batch, 5)[2] < 0.6 * run_backward(model, batch, None)[2]


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("bridge", ["zeros", "last", "mean", "projection"])
def test_bridge(bridge, cell):
    model, batch = make("bahdanau", cell, bridge=bridge, layers=2), make_batch()
    encoded = model.encoder(model.source_embedding(batch.source), batch.source_mask)
    hidden = model.decoder.first_state(encoded).hidden
    assert len(hidden) == {"gru": 1, "lstm": 2}[cell]
    for part, state in enumerate(hidden):
        if bridge == "zeros":
            expected = torch.zeros(3, 2, 10)
        elif bridge == "last":
            expected = encoded.layer_summaries
        elif bridge == "mean":
            expected = encoded.mean.unsqueeze(1).expand(3, 2, 10)
        else:
            features = torch.tanh(model.decoder.bridge.projection(encoded.layer_summaries.flatten(1)))
            expected = features[:, part * 20 : (part + 1) * 20].view(3, 2, 10)
        torch.testing.assert_close(state, expected)


@pytest.mark.parametrize(
    ("tying", "pairs"),
    [
        ("none", set()),
        ("source_target", {"source=target"}),
        ("target_output", {"target=output"}),
        ("all", {"source=target", "target=output"}),
    ],
)
def test_tying_shares_the_matrix(tying, pairs):
    model = make(tie_embeddings=tying) if tying != "none" else make()
    source, target, output = model.source_embedding.weight, model.target_embedding.weight, model.output_layer.weight
    assert {"source=target"} & pairs == ({"source=target"} if source is target else set())
    assert {"target=output"} & pairs == ({"target=output"} if target is output else set())
    assert len({id(source), id(target), id(output)}) == 3 - len(pairs)


def test_tied_matrix_learns_from_both_its_uses():
    model, batch = make(tie_embeddings="target_output"), make_batch()
    logits, _ = model(batch.source, batch.source_mask, batch.target_in)
    torch.nn.functional.cross_entropy(logits[batch.target_mask], batch.target_out[batch.target_mask]).backward()
    gradient = model.target_embedding.weight.grad
    assert gradient[20].abs().sum() > 0  # 20 is no target token here: its gradient comes from the output layer


def test_word_dropout_hides_whole_tokens_in_training_only():
    model = make(word_dropout=0.5)
    embedding, ids = model.source_embedding, torch.full((1, 1000), 7)
    hidden = (embedding(ids) == 0).all(dim=-1)
    assert 400 < hidden.sum() < 600
    kept = embedding(ids)
    kept = kept[(kept != 0).any(dim=-1)]
    torch.testing.assert_close(kept, embedding.weight[7].expand_as(kept))
    assert not (embedding.eval()(ids) == 0).any()


def test_state_reorder_takes_rows():
    past = AttentionState(torch.tensor([3, 4, 5]), torch.arange(6.0).view(3, 1, 2))
    state = DecoderState((torch.arange(6.0).view(3, 1, 2),), torch.arange(3.0).view(3, 1), past)
    reordered = state.reorder(torch.tensor([2, 0, 2, 1]))
    assert reordered.hidden[0][:, 0, 0].tolist() == [4.0, 0.0, 4.0, 2.0]
    assert reordered.feed[:, 0].tolist() == [2.0, 0.0, 2.0, 1.0]
    assert reordered.attention.step.tolist() == [5, 3, 5, 4]
    assert reordered.attention.coverage[:, 0, 0].tolist() == [4.0, 0.0, 4.0, 2.0]


def gru(weights, inputs, hidden):
    """h' = z h + (1 - z) tanh(W x + r (U h)), from the rows of reset, update and candidate in W x and in U, b."""
    recurrent = weights["recurrent.weight"] @ hidden + weights["recurrent.bias"]
    (w_r, w_z, w_n), (u_r, u_z, u_n) = inputs.chunk(3), recurrent.chunk(3)
    update = torch.sigmoid(w_z + u_z)
    return update * hidden + (1 - update) * torch.tanh(w_n + torch.sigmoid(w_r + u_r) * u_n)


def test_conditional_gru_is_that_of_the_paper():
    """Sennrich et al. 2017, arXiv:1703.04357, section 2: s' = GRU1(y, s), c = attention(s'), s = GRU2(c, s')."""
    model, batch = make("conditional").eval(), make_batch()
    memory, state = model.encode(batch.source, batch.source_mask)
    decoder = model.decoder
    first, second = dict(decoder.first_cell.named_parameters()), dict(decoder.stack.cells[0].named_parameters())
    hidden, past = list(state.hidden[0][:, 0]), state.attention
    for ids in batch.target_in.unbind(1):
        decoded = model.decode(ids.unsqueeze(1), state, memory)
        embedded = model.target_embedding.weight[ids]
        between = [gru(first, decoder.embedding_gates(y), s) for y, s in zip(embedded, hidden, strict=True)]
        context, _, past = decoder.attention(torch.stack(between).unsqueeze(1), memory, past)
        found = zip(decoder.context_gates(context[:, 0]), between, strict=True)
        hidden = [gru(second, inputs, s) for inputs, s in found]
        output = decoder.readout(torch.stack(hidden), context[:, 0], embedded)
        torch.testing.assert_close(decoded.output[:, 0], output)
        state = decoded.state


@pytest.mark.parametrize("style", STYLES)
def test_overfits_one_batch(style):
    model, batch = make(style, embedding_size=32, tie_embeddings="none"), make_batch()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(120):
        logits, _ = model(batch.source, batch.source_mask, batch.target_in)
        loss = torch.nn.functional.cross_entropy(logits[batch.target_mask], batch.target_out[batch.target_mask])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.01
