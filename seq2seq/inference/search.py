"""Beam search over a batch of sentences; a beam of one is greedy search."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq.data.tokenizer import BOS, EOS
from seq2seq.model.seq2seq import Seq2Seq


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
    """
    device, num_sentences = source.device, source.size(0)
    memory, state = model.encode(source, source_mask)
    rows = torch.arange(num_sentences, device=device).repeat_interleave(beam_size)
    memory, state = memory.reorder(rows), state.reorder(rows)
    max_lengths = (source_mask.sum(dim=1) * max_length_ratio).long() + 10  # [B]
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
        log_probs = log_probs.unflatten(0, (-1, beam_size)).index_fill(2, forbidden, -torch.inf)
        eos_log_probs = log_probs[:, :, EOS].clone()
        log_probs[max_lengths == length] = -torch.inf
        log_probs[:, :, EOS] = eos_log_probs

        continued = (totals.unsqueeze(2) + log_probs).flatten(1)  # [B, K*V]
        best, flat = continued.topk(min(2 * beam_size, continued.size(1)), dim=1)
        parents, chosen = flat // log_probs.size(2), flat % log_probs.size(2)
        offsets = torch.arange(len(sentences), device=device).unsqueeze(1) * beam_size
        parents = parents + offsets  # as rows of the batch
        weights = step_weights if weights is None else torch.cat([weights, step_weights], dim=2)  # [B*K, N, t, S]

        ends = (chosen == EOS) & (best > -torch.inf)
        for group, rank in ends[:, :beam_size].nonzero().tolist():
            row, total = int(parents[group, rank]), float(best[group, rank])
            ids = [*tokens[row, 1:].tolist(), EOS]
            ended[sentences[group]].append(Hypothesis(ids, total, total / length**length_penalty, weights[row]))

        order = torch.where(chosen == EOS, 1, 0).argsort(dim=1, stable=True)[:, :beam_size]  # best that go on, in order
        totals = best.gather(1, order).masked_fill((chosen == EOS).gather(1, order), -torch.inf)
        rows, chosen = parents.gather(1, order), chosen.gather(1, order)
        alive = (totals[:, 0] > -torch.inf).tolist()
        going = [group for group, name in enumerate(sentences) if alive[group] and len(ended[name]) < beam_size]
        if len(going) < len(sentences):
            keep = torch.tensor(going, dtype=torch.long, device=device)
            totals, rows, chosen, max_lengths = totals[keep], rows[keep], chosen[keep], max_lengths[keep]
            sentences = [sentences[group] for group in going]
            memory = memory.reorder(rows[:, :1].expand(-1, beam_size).flatten())
        rows = rows.flatten()
        state = state.reorder(rows)
        weights = weights.index_select(0, rows)
        tokens = torch.cat([tokens.index_select(0, rows), chosen.flatten().unsqueeze(1)], dim=1)

    return [max(hypotheses, key=lambda hypothesis: hypothesis.score) for hypotheses in ended]
