"""Beam search over a batch of sentences; a beam of one is greedy search."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq.data.tokenizer import BOS, EOS
from seq2seq.errors import UserError
from seq2seq.model.seq2seq import Seq2Seq

NOT_NUMBERS = "the model gives no token a probability: its weights or its attention yield NaN"


class Hypothesis(NamedTuple):
    ids: list[int]
    """Target ids, closed by EOS."""
    log_prob: float
    """Sum of the log-probabilities of its tokens, EOS included."""
    score: float
    """log_prob / number of tokens ** length_penalty, by which hypotheses are ranked."""
    weights: Float[Tensor, "N T S"]
    """Attention weights of each of its tokens over the source; N is 0 without attention."""


@torch.inference_mode()
def beam_search(
    model: Seq2Seq,
    source: Int[Tensor, "B S"],
    source_mask: Bool[Tensor, "B S"],
    beam_size: int,
    length_penalty: float = 1.0,
    max_length_ratio: float = 2.0,
    never_generated: Sequence[int] = (),
) -> list[Hypothesis]:
    """The best hypothesis for each source sentence.

    Beams are batch rows. A hypothesis ends with EOS, when it is among a sentence's `beam_size` best continuations; a
    sentence with `beam_size` ended hypotheses leaves the batch. At max_length_ratio x source tokens + 10 tokens only
    EOS may follow, so every search ends and every score is that of a complete sentence.

    Raises:
        UserError: The model's probabilities are not numbers.
    """
    device, num_sentences = source.device, source.size(0)
    memory, state = model.encode(source, source_mask)
    rows = torch.arange(num_sentences, device=device).repeat_interleave(beam_size)
    memory, state = memory.reorder(rows), state.reorder(rows)
    limits = [int(length * max_length_ratio) + 10 for length in source_mask.sum(dim=1).tolist()]
    tokens = torch.full((len(rows), 1), BOS, device=device)  # [B*K, t]
    weights: Tensor | None = None  # attention weights so far
    totals = torch.full((num_sentences, beam_size), -torch.inf, device=device)
    totals[:, 0] = 0.0  # all beams start alike: let one of them live
    forbidden = torch.tensor(list(never_generated), dtype=torch.long, device=device)
    sentences = list(range(num_sentences))  # which sentence each row group belongs to
    ended: list[list[Hypothesis]] = [[] for _ in sentences]

    while sentences:
        length = tokens.size(1)  # of the hypotheses after this step, EOS included
        output, state, step_weights = model.decode(tokens[:, -1:], state, memory)
        log_probs = torch.log_softmax(model.output_layer(output[:, 0]).float(), dim=-1)  # [B*K, V]
        log_probs.index_fill_(1, forbidden, -torch.inf)
        for group, name in enumerate(sentences):
            if length == limits[name]:
                rows_at_limit = log_probs[group * beam_size : (group + 1) * beam_size]
                rows_at_limit[:, :EOS], rows_at_limit[:, EOS + 1 :] = -torch.inf, -torch.inf

        # A sentence's best 2K continuations are among the best 2K of each of its beams.
        values, tops = log_probs.topk(min(2 * beam_size, log_probs.size(1)), dim=1)  # [B*K, 2K]
        continued = totals.unsqueeze(2) + values.unflatten(0, (-1, beam_size))  # [B, K, 2K]
        best, flat = continued.flatten(1).topk(min(2 * beam_size, beam_size * values.size(1)), dim=1)  # [B, 2K]
        offsets = torch.arange(len(sentences), device=device).unsqueeze(1) * beam_size
        parents = flat // values.size(1) + offsets  # as rows of the batch
        chosen = tops.view(len(sentences), -1).gather(1, flat)
        weights = step_weights if weights is None else torch.cat([weights, step_weights], dim=2)  # [B*K, N, t, S]

        ends = (chosen == EOS) & (best > -torch.inf)
        for group, rank in ends[:, :beam_size].nonzero().tolist():
            row, total = int(parents[group, rank]), float(best[group, rank])
            ids = [*tokens[row, 1:].tolist(), EOS]
            hypothesis = Hypothesis(ids, total, total / length**length_penalty, weights[row].clone())
            ended[sentences[group]].append(hypothesis)

        order = torch.where(chosen == EOS, 1, 0).argsort(dim=1, stable=True)[:, :beam_size]  # best that go on, in order
        totals = best.gather(1, order).masked_fill((chosen == EOS).gather(1, order), -torch.inf)
        rows, chosen = parents.gather(1, order), chosen.gather(1, order)
        alive = (totals[:, 0] > -torch.inf).tolist()
        going = [group for group, name in enumerate(sentences) if alive[group] and len(ended[name]) < beam_size]
        if len(going) < len(sentences):
            keep = torch.tensor(going, dtype=torch.long, device=device)
            totals, rows, chosen = totals[keep], rows[keep], chosen[keep]
            sentences = [sentences[group] for group in going]
            memory = memory.reorder(rows[:, :1].expand(-1, beam_size).flatten())
        rows = rows.flatten()
        state = state.reorder(rows)
        weights = weights.index_select(0, rows)
        tokens = torch.cat([tokens.index_select(0, rows), chosen.flatten().unsqueeze(1)], dim=1)

    if not all(ended):
        raise UserError(NOT_NUMBERS)
    return [max(hypotheses, key=lambda hypothesis: hypothesis.score) for hypotheses in ended]
