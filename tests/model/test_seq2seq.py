"""Contracts of the whole network over every decoder, cell, bridge and attention."""

import itertools

import pytest
import torch

from seq2seq.config import ModelConfig
from seq2seq.data.batching import collate
from seq2seq.model.attention import SCORES
from seq2seq.model.decoder import DecoderState
from seq2seq.model.seq2seq import Seq2Seq

SOURCE_SIZE, TARGET_SIZE = 23, 29
STYLES = {
    "bahdanau": {"style": "bahdanau"},
    "input_feeding": {"style": "luong", "input_feeding": True},
    "luong": {"style": "luong", "input_feeding": False},
}


def make(style="bahdanau", cell="gru", score="additive", bridge="projection", layers=1, **settings):
    config = ModelConfig.model_validate(
        {
            "embedding_size": 6,
            "encoder": {"cell": cell, "hidden_size": 5, "num_layers": layers},
            "decoder": {**STYLES[style], "cell": cell, "hidden_size": 10, "num_layers": layers, "bridge": bridge},
            "attention": {"score": score, "size": 14},
            **settings,
        }
    )
    return Seq2Seq(config, SOURCE_SIZE, (settings.get("tie_embeddings") and SOURCE_SIZE) or TARGET_SIZE)


def make_batch():
    return collate([[4, 5, 6, 7, 8], [9, 10], [11]], [[4, 5], [6, 7, 8, 9], [10, 11, 12]])


ALL = list(itertools.product(STYLES, ["gru", "lstm"], ["none", *SCORES]))


@pytest.mark.parametrize(("style", "cell", "score"), ALL)
def test_unroll_equals_repeated_steps(style, cell, score):
    model, batch = make(style, cell, score, layers=2), make_batch()
    memory, state = model.encode(batch.source, batch.source_mask)
    unrolled = model.decode(batch.target_in, state, memory)
    for step in range(batch.target_in.size(1)):
        output, state, weights = model.decode(batch.target_in[:, step : step + 1], state, memory)
        torch.testing.assert_close(output, unrolled.output[:, step : step + 1])
        torch.testing.assert_close(weights, unrolled.weights[:, :, step : step + 1])
    for mine, theirs in zip(state.hidden, unrolled.state.hidden, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(("style", "cell", "score"), ALL)
def test_batch_equals_one_by_one(style, cell, score):
    model, batch = make(style, cell, score), make_batch()
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


@pytest.mark.parametrize(("style", "cell", "score"), ALL)
@pytest.mark.parametrize("bridge", ["projection", "mean"])
def test_every_parameter_gets_a_gradient(style, cell, score, bridge):
    model, batch = make(style, cell, score, bridge=bridge, layers=2, layer_norm=True), make_batch()
    logits, _ = model(batch.source, batch.source_mask, batch.target_in, batch.target_mask)
    torch.nn.functional.cross_entropy(logits, batch.target_out[batch.target_mask]).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_target_mask_selects_the_real_positions():
    model, batch = make(), make_batch()
    everything, _ = model(batch.source, batch.source_mask, batch.target_in)
    selected, _ = model(batch.source, batch.source_mask, batch.target_in, batch.target_mask)
    torch.testing.assert_close(selected, everything[batch.target_mask])


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
            expected = encoded.last
        elif bridge == "mean":
            expected = encoded.mean.unsqueeze(1).expand(3, 2, 10)
        else:
            features = torch.tanh(model.decoder.bridge.projection(encoded.last.flatten(1)))
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
    logits, _ = model(batch.source, batch.source_mask, batch.target_in, batch.target_mask)
    torch.nn.functional.cross_entropy(logits, batch.target_out[batch.target_mask]).backward()
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
    state = DecoderState((torch.arange(6.0).view(3, 1, 2),), torch.arange(3.0).view(3, 1))
    reordered = state.reorder(torch.tensor([2, 0, 2, 1]))
    assert reordered.hidden[0][:, 0, 0].tolist() == [4.0, 0.0, 4.0, 2.0]
    assert reordered.feed[:, 0].tolist() == [2.0, 0.0, 2.0, 1.0]


@pytest.mark.parametrize("style", STYLES)
def test_overfits_one_batch(style):
    model, batch = make(style, embedding_size=32, tie_embeddings="none"), make_batch()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(120):
        logits, _ = model(batch.source, batch.source_mask, batch.target_in, batch.target_mask)
        loss = torch.nn.functional.cross_entropy(logits, batch.target_out[batch.target_mask])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.01
