"""One model, or several that share a vocabulary, as one: what they have read, and what they expect next."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq.model.attention import Memory
from seq2seq.model.decoder import DecoderState
from seq2seq.model.seq2seq import Seq2Seq


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


def read(models: Sequence[Seq2Seq], source: Int[Tensor, "B S"], source_mask: Bool[Tensor, "B S"]) -> Reading:
    memories, states = zip(*(model.encode(source, source_mask) for model in models), strict=True)
    return Reading(memories, states)


def step(models: Sequence[Seq2Seq], tokens: Int[Tensor, " R"], reading: Reading) -> Step:
    """Read one more target token in each row."""
    log_probs, weights, states = [], [], []
    for model, memory, state in zip(models, *reading, strict=True):
        decoded = model.decode(tokens.unsqueeze(1), state, memory)
        log_probs.append(torch.log_softmax(model.output_layer(decoded.output[:, 0]).float(), dim=-1))
        weights.append(decoded.weights[:, :, 0])
        states.append(decoded.state)
    return Step(mean_probability(log_probs), mean_weights(weights), Reading(reading.memories, tuple(states)))


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
