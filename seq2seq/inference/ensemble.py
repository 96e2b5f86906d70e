"""One model, or several that share a vocabulary, as one: what they have read, and what they expect next."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2seq.data.tokenizer import BOS
from seq2seq.inference.packing import PackedLinear, QuantizedLinear
from seq2seq.model.attention import Memory
from seq2seq.model.decoder import Decoded, DecoderState
from seq2seq.model.seq2seq import Seq2Seq


class Shortlisted:
    """A model as if it had no other target ids than some, which are numbered anew, in their order."""

    def __init__(self, model: Seq2Seq, ids: Int[Tensor, " n"]):
        self._model, self._ids = model, ids
        layer: Any = model.output_layer
        weight, bias = layer.weight[ids], layer.bias[ids]
        self.encode = model.encode
        self.output_layer = (
            layer.like(weight, bias)
            if isinstance(layer, PackedLinear | QuantizedLinear)
            else partial(nn.functional.linear, weight=weight, bias=bias)
        )

    def decode(self, target_in: Int[Tensor, "B T"], state: DecoderState, memory: Memory) -> Decoded:
        return self._model.decode(self._ids[target_in], state, memory)


class Reading(NamedTuple):
    """Where each model stands in each row's sentence."""

    memories: tuple[Memory, ...]
    states: tuple[DecoderState, ...]

    def reorder(self, index: Int[Tensor, " R"], same_sentences: bool = False) -> "Reading":
        """Take these rows, in this order. Where each is of the sentence that was there before, memories stay."""
        memories = self.memories if same_sentences else tuple(memory.reorder(index) for memory in self.memories)
        return Reading(memories, tuple(state.reorder(index) for state in self.states))


class Step(NamedTuple):
    log_probs: Float[Tensor, "R V"]
    """Of every next token."""
    weights: Float[Tensor, "R N S"]
    reading: Reading


def read(
    models: Sequence[Seq2Seq | Shortlisted], source: Int[Tensor, "B S"], source_mask: Bool[Tensor, "B S"]
) -> Reading:
    memories, states = zip(*(model.encode(source, source_mask) for model in models), strict=True)
    return Reading(memories, states)


def step(models: Sequence[Seq2Seq | Shortlisted], tokens: Int[Tensor, " R"], reading: Reading) -> Step:
    """Read one more target token in each row."""
    log_probs, weights, states = [], [], []
    for model, memory, state in zip(models, *reading, strict=True):
        decoded = model.decode(tokens.unsqueeze(1), state, memory)
        log_probs.append(_log_softmax(model.output_layer(decoded.output[:, 0])))
        weights.append(decoded.weights[:, :, 0])
        states.append(decoded.state)
    return Step(mean_probability(log_probs), mean_weights(weights), Reading(reading.memories, tuple(states)))


def force(
    models: Sequence[Seq2Seq], source: Int[Tensor, "B S"], source_mask: Bool[Tensor, "B S"], target: Int[Tensor, "B T"]
) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B N T S"]]:
    """Log-probabilities of given target tokens, and the attention weights."""
    target_in = torch.cat([torch.full_like(target[:, :1], BOS), target[:, :-1]], dim=1)
    log_probs, weights = [], []
    for model in models:
        logits, of_model = model(source, source_mask, target_in)
        log_probs.append(_log_softmax(logits).gather(2, target.unsqueeze(2)).squeeze(2))
        weights.append(of_model)
    return mean_probability(log_probs), mean_weights(weights)


def _log_softmax(logits: Float[Tensor, "*B V"]) -> Float[Tensor, "*B V"]:
    """In float32. On a CPU it takes the place of the float32 logits: new memory would take longer to write to."""
    logits = logits.float()
    return torch.log_softmax(logits, dim=-1, out=None if logits.is_cuda else logits)


def mean_probability(log_probs: Sequence[Float[Tensor, "*B"]]) -> Float[Tensor, "*B"]:
    """The logarithm of the mean of the models' probabilities."""
    if len(log_probs) == 1:
        return log_probs[0]
    return torch.logsumexp(torch.stack(list(log_probs)), dim=0) - math.log(len(log_probs))


def mean_weights(weights: Sequence[Float[Tensor, "B _ *L"]]) -> Float[Tensor, "B N *L"]:
    """A single model's attention weights head by head; of several models one head, the mean of those with attention."""
    if len(weights) == 1:
        return weights[0]
    with_attention = [heads.mean(dim=1, keepdim=True) for heads in weights if heads.size(1) > 0]
    return torch.stack(with_attention).mean(dim=0) if with_attention else weights[0]
