"""The Transformer encoder: the same attention as the decoders', with the source as queries, keys and values."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.model.attention import Attention
from seq2seq.model.dropout import Dropout
from seq2seq.model.encoder import Encoded, masked_mean


class TransformerLayer(nn.Module):
    """x + self-attention(norm(x)), then x + feed-forward(norm(x)).

    Vaswani et al. 2017, arXiv:1706.03762, section 3.1, normalized before each part instead of after (Xiong et al. 2020,
    arXiv:2002.04745), which trains without a warm-up.
    """

    def __init__(self, size: int, num_heads: int, feedforward_size: int, dropout: float):
        super().__init__()
        self.attention_norm = nn.LayerNorm(size)
        self.attention = Attention(
            size, size, score="scaled_dot", projection="query_key_value", size=size, num_heads=num_heads
        )
        self.feedforward_norm = nn.LayerNorm(size)
        self.feedforward = nn.Sequential(
            nn.Linear(size, feedforward_size), nn.ReLU(), Dropout(dropout), nn.Linear(feedforward_size, size)
        )
        self.dropout = Dropout(dropout)

    def forward(
        self, states: Float[Tensor, "B S M"], mask: Bool[Tensor, "B S"]
    ) -> tuple[Float[Tensor, "B S M"], Float[Tensor, "B N S S"]]:
        normed = self.attention_norm(states)
        memory = self.attention.remember(normed, mask)
        context, weights, _ = self.attention(normed, memory, self.attention.first_state(mask))
        states = states + self.dropout(context)
        return states + self.dropout(self.feedforward(self.feedforward_norm(states))), weights


class TransformerEncoder(nn.Module):
    """Positional encoding and a stack of layers, Vaswani et al. 2017. Under a recurrent decoder it is the hybrid of
    Chen et al. 2018, arXiv:1804.09849, section 5."""

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int, num_heads: int, feedforward_size: int, dropout: float
    ):
        super().__init__()
        self.input = nn.Identity() if input_size == hidden_size else nn.Linear(input_size, hidden_size)
        self.layers = nn.ModuleList(
            TransformerLayer(hidden_size, num_heads, feedforward_size, dropout) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(hidden_size)
        self.dropout = Dropout(dropout)

    def forward(self, embeddings: Float[Tensor, "B S E"], mask: Bool[Tensor, "B S"]) -> Encoded:
        states = self.input(embeddings * math.sqrt(embeddings.size(2)))  # section 3.4: as large as the positions
        states = states + positional_encoding(states.size(1), states.size(2), states.device)
        weights = []
        for layer in self.layers:
            states, layer_weights = layer(states, mask)
            weights.append(layer_weights)
        states = self.norm(states)
        summary = masked_mean(states, mask)
        return Encoded(
            self.dropout(states), summary.unsqueeze(1), self.dropout(summary), mask, torch.stack(weights, dim=1)
        )


def positional_encoding(num_positions: int, size: int, device: torch.device) -> Float[Tensor, "S M"]:
    """Position p as sin(p / 10000 ** (2i / M)) in feature 2i, and cos in feature 2i + 1; section 3.5."""
    features = torch.arange(0, size, 2, device=device)
    angles = torch.arange(num_positions, device=device).unsqueeze(1) * torch.exp(-math.log(10000.0) * features / size)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :size]
