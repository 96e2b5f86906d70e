"""The network: source and target ids in, logits and attention weights out."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from seq2seq.config import ModelConfig
from seq2seq.model.attention import Attention, Memory, NoAttention
from seq2seq.model.decoder import (
    BahdanauDecoder,
    Bridge,
    ConditionalDecoder,
    Decoded,
    DecoderState,
    InputFeedingDecoder,
    LuongDecoder,
)
from seq2seq.model.dropout import Dropout
from seq2seq.model.encoder import RNNEncoder
from seq2seq.model.rnn import RecurrentStack
from seq2seq.model.transformer import TransformerEncoder


class Embedding(nn.Module):
    """Looks ids up in a matrix; in training hides whole tokens (word dropout) and single features (dropout)."""

    def __init__(self, weight: nn.Parameter, dropout: float, word_dropout: float):
        super().__init__()
        self.weight = weight
        self.dropout = Dropout(dropout)
        self.word_dropout = word_dropout

    def forward(self, ids: Int[Tensor, "B L"]) -> Float[Tensor, "B L E"]:
        embeddings = nn.functional.embedding(ids, self.weight)
        if self.training and self.word_dropout > 0:
            kept = torch.rand(ids.shape, device=ids.device) >= self.word_dropout
            embeddings = embeddings * kept.unsqueeze(-1)
        return self.dropout(embeddings)


class OutputLayer(nn.Module):
    """logits = output x weight + bias; the weight may be the target embedding (Press & Wolf 2017, arXiv:1608.05859)."""

    def __init__(self, weight: nn.Parameter):
        super().__init__()
        self.weight = weight
        self.bias = nn.Parameter(torch.zeros(weight.size(0)))

    def forward(self, output: Float[Tensor, "*B O"]) -> Float[Tensor, "*B V"]:
        return nn.functional.linear(output, self.weight, self.bias)


class Seq2Seq(nn.Module):
    """Encoder-decoder with attention, built from its config and the sizes of the two vocabularies.

    Raises:
        ConfigError: The attention's score cannot work with the sizes that the config gives.
    """

    def __init__(self, config: ModelConfig, source_vocabulary_size: int, target_vocabulary_size: int):
        super().__init__()
        size, tied = config.embedding_size, config.tie_embeddings
        target_weight = _matrix(target_vocabulary_size, size)
        source_weight = target_weight if tied in ("source_target", "all") else _matrix(source_vocabulary_size, size)
        output_tied = tied in ("target_output", "all")
        output_weight = target_weight if output_tied else _matrix(target_vocabulary_size, config.output_size)
        self.source_embedding = Embedding(source_weight, config.encoder.dropout, config.word_dropout)
        self.target_embedding = Embedding(target_weight, config.decoder.dropout, config.word_dropout)
        self.encoder = build_encoder(config)
        self.decoder = build_decoder(config)
        self.output_layer = OutputLayer(output_weight)
        for side in config.vectors.frozen_sides:
            getattr(self, f"{side}_embedding").weight.requires_grad_(False)

    def forward(
        self, source: Int[Tensor, "B S"], source_mask: Bool[Tensor, "B S"], target_in: Int[Tensor, "B T"]
    ) -> tuple[Float[Tensor, "B T V"], Float[Tensor, "B N T S"]]:
        """Teacher forcing: logits of every next target token, and the attention weights."""
        output, weights = self.outputs(source, source_mask, target_in)
        return self.output_layer(output), weights

    def outputs(
        self,
        source: Int[Tensor, "B S"],
        source_mask: Bool[Tensor, "B S"],
        target_in: Int[Tensor, "B T"],
        target_mask: Bool[Tensor, "B T"] | None = None,
        checkpoint_interval: int | None = None,
    ) -> tuple[Float[Tensor, "*L O"], Float[Tensor, "B N T S"]]:
        """The same up to the output layer: what that multiplies, [B, T, O], instead of logits.

        With a `target_mask` it is [n, O], of the n positions where it is true: padding costs nothing. With a
        `checkpoint_interval` only the decoder's state after each so many steps is kept for the backward pass, which
        computes the steps between anew (Chen et al. 2016, arXiv:1604.06174): less memory for more time.
        """
        memory, state = self.encode(source, source_mask)
        if checkpoint_interval is None:
            output, _, weights = self.decode(target_in, state, memory)
        else:
            parts = []
            for steps in target_in.split(checkpoint_interval, dim=1):
                parts.append(checkpoint(self.decode, steps, state, memory, use_reentrant=False))
                state = parts[-1].state
            output = torch.cat([part.output for part in parts], dim=1)
            weights = torch.cat([part.weights for part in parts], dim=2)
        return output if target_mask is None else output[target_mask], weights

    def encode(self, source: Int[Tensor, "B S"], source_mask: Bool[Tensor, "B S"]) -> tuple[Memory, DecoderState]:
        """Read the source: what the decoder may look at, and the state that it starts from."""
        encoded = self.encoder(self.source_embedding(source), source_mask)
        memory = self.decoder.attention.remember(encoded.states, source_mask, encoded.summary)
        return memory, self.decoder.first_state(encoded)

    def decode(self, target_in: Int[Tensor, "B T"], state: DecoderState, memory: Memory) -> Decoded:
        """Run as many decoder steps as `target_in` has tokens."""
        return self.decoder(self.target_embedding(target_in), state, memory)


def build_encoder(config: ModelConfig) -> RNNEncoder | TransformerEncoder:
    settings = config.encoder
    common = {"hidden_size": settings.hidden_size, "num_layers": settings.num_layers, "dropout": settings.dropout}
    if settings.cell == "transformer":
        heads, feedforward = settings.num_heads or 4, settings.feedforward_size or 4 * settings.hidden_size
        return TransformerEncoder(config.embedding_size, num_heads=heads, feedforward_size=feedforward, **common)
    return RNNEncoder(
        config.embedding_size,
        settings.cell,
        bidirectional=settings.bidirectional,
        layer_norm=config.layer_norm,
        **common,
    )


def build_decoder(config: ModelConfig) -> BahdanauDecoder | InputFeedingDecoder | LuongDecoder:
    settings = config.decoder
    attention = (
        NoAttention(config.state_size)
        if config.attention.score == "none"
        else Attention(
            settings.hidden_size,
            config.state_size,
            **config.attention.model_dump(exclude={"size"}),
            size=config.attention_size,
        )
    )
    bridge = Bridge(
        kind=settings.bridge,
        cell=settings.cell,
        num_summaries=1 if config.encoder.cell == "transformer" else config.encoder.num_layers,
        state_size=config.state_size,
        num_layers=settings.num_layers,
        hidden_size=settings.hidden_size,
    )
    common = {"output_size": config.output_size, "dropout": settings.dropout, "layer_norm": config.layer_norm}
    sizes = (settings.hidden_size, settings.num_layers)
    if settings.style == "luong" and not settings.input_feeding:
        return LuongDecoder(bridge, attention, settings.cell, *sizes, config.embedding_size, **common)
    decoder = STEPWISE[settings.style]
    stack = RecurrentStack(settings.cell, *sizes, settings.dropout)
    return decoder(bridge, attention, stack, embedding_size=config.embedding_size, **common)


STEPWISE = {"bahdanau": BahdanauDecoder, "conditional": ConditionalDecoder, "luong": InputFeedingDecoder}
"""The decoders that go step by step."""


def _matrix(num_rows: int, size: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(num_rows, size).normal_() / math.sqrt(size))
