"""One step of a search: which hypotheses of a batch go on, and with which tokens.

R rows have a hypothesis each, of B sentences with K places for hypotheses; S is the longest source.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq.data.tokenizer import BOS, EOS
from seq2seq.inference.constraints import Bounds, Constraints
from seq2seq.inference.ensemble import Reading, Shortlisted, step
from seq2seq.inference.options import SearchOptions
from seq2seq.inference.ranking import best_reachable, coverage_penalty, normalize
from seq2seq.inference.sampling import Sampler
from seq2seq.model.seq2seq import Seq2Seq

GROUP_SIZES = {"cpu": 8, "cuda": 32}
"""Of the numbers whose maximum is found before their order; fewer take longer, and so do more."""


class Ended(NamedTuple):
    """The n best hypotheses that have ended in each sentence, best first; -inf where there are not so many yet."""

    numbers: Float[Tensor, "4 B n"]
    """In one tensor, as they are sorted together: scores, totals, lengths, and the rows that they ended in."""

    @classmethod
    def of(cls, scores: Tensor, totals: Tensor, lengths: Tensor, rows: Tensor) -> "Ended":
        return cls(torch.stack([scores, totals, lengths, rows.to(scores.dtype)]))

    @property
    def scores(self) -> Float[Tensor, "B n"]:
        return self.numbers[0]

    @property
    def totals(self) -> Float[Tensor, "B n"]:
        return self.numbers[1]

    def merge(self, others: "Ended") -> "Ended":
        both = torch.cat([self.numbers, others.numbers], dim=2)
        order = both[0].argsort(dim=1, descending=True, stable=True)[:, : self.numbers.size(2)]
        return Ended(both.gather(2, order.expand(4, -1, -1)))


class Beam(NamedTuple):
    """What one step hands to the next."""

    places: Int[Tensor, " R"]
    """Of all places [B*K], those that have a row."""
    tokens: Int[Tensor, " R"]
    totals: Float[Tensor, " R"]
    """Of log-probabilities; -inf in a row without a hypothesis."""
    reading: Reading
    num_free: Int[Tensor, " B"]
    """Places in which none has ended."""
    ended: Ended
    bounds: Bounds
    source_mask: Bool[Tensor, "B S"]
    coverage: Float[Tensor, "R S"] | None
    """Attention so far; None where it does not count."""
    history: Int[Tensor, "R _"] | None
    """BOS and the tokens so far; None where no rule asks for them."""


class Grown(NamedTuple):
    """What a step found for all places, the best of each sentence first."""

    tokens: Int[Tensor, "B K"]
    totals: Float[Tensor, "B K"]
    """-inf where none goes on."""
    parents: Int[Tensor, "B K"]
    """The rows that they continue."""
    fillable: Bool[Tensor, "B K"]
    """Whether a hypothesis may still take the place, in this step or a later one."""
    reading: Reading
    """Of the rows that were continued."""
    num_free: Int[Tensor, " B"]
    ended: Ended
    coverage: Float[Tensor, "R S"] | None
    weights: Float[Tensor, "R N S"]
    """Of the attention that led to all this."""


def first_beam(
    reading: Reading,
    source_mask: Bool[Tensor, "B S"],
    options: SearchOptions,
    constraints: Constraints,
) -> Beam:
    """One empty hypothesis in each sentence."""
    num_sentences, device = source_mask.size(0), source_mask.device
    places = torch.arange(num_sentences, device=device) * options.beam_size
    tokens = torch.full_like(places, BOS)
    nothing = torch.full((num_sentences, options.n_best), -torch.inf, dtype=torch.float64, device=device)
    return Beam(
        places=places,
        tokens=tokens,
        totals=torch.zeros(num_sentences, dtype=torch.float64, device=device),
        reading=reading,
        num_free=torch.full_like(places, options.beam_size),
        ended=Ended.of(nothing, nothing, torch.ones_like(nothing), torch.zeros_like(nothing)),
        bounds=constraints.bounds,
        source_mask=source_mask,
        coverage=torch.zeros_like(source_mask, dtype=torch.float32) if options.coverage_penalty > 0 else None,
        history=tokens.unsqueeze(1) if constraints.need_tokens else None,
    )


def grow(
    models: Sequence[Seq2Seq | Shortlisted],
    beam: Beam,
    length: int | Float[Tensor, ""],
    options: SearchOptions,
    constraints: Constraints,
    sampler: Sampler | None,
) -> Grown:
    """Read the rows' tokens, and find the best continuations.

    Args:
        length: Of the hypotheses once they have the next token; a tensor in a step that is recorded.
        sampler: Draws the tokens; None takes the likeliest.
    """
    beam_size, num_sentences, device = options.beam_size, len(beam.num_free), beam.tokens.device
    first_place = torch.arange(num_sentences, device=device).unsqueeze(1) * beam_size  # [B, 1]
    rank = torch.arange(beam_size, device=device)
    sentences = beam.places // beam_size

    log_probs, weights, reading = step(models, beam.tokens, beam.reading)
    log_probs = constraints.apply(log_probs, beam.bounds, sentences, length, beam.history)
    choices = (
        _likeliest(log_probs, beam_size) if sampler is None else sampler.draw(log_probs, sentences.tolist())
    )  # [R, C]: a sentence's best K continuations are among the best K of each of its rows
    continued = beam.totals.unsqueeze(1) + log_probs.gather(1, choices)
    grid = continued.new_full((num_sentences * beam_size, choices.size(1)), -torch.inf)
    grid = grid.index_copy_(0, beam.places, continued).view(num_sentences, -1)  # [B, K*C]
    best, flat = grid.topk(min(beam_size, grid.size(1)), dim=1)  # [B, K]
    row_of_place = torch.zeros_like(grid[:, :beam_size].flatten(), dtype=torch.long)
    row_of_place[beam.places] = torch.arange(len(beam.places), device=device)
    parents = row_of_place[flat // choices.size(1) + first_place]  # [B, K]
    parents = torch.where(best > -torch.inf, parents, row_of_place[first_place])  # a row of the same sentence
    chosen = choices[parents, flat % choices.size(1)]

    valid = (best > -torch.inf) & (rank < beam.num_free.unsqueeze(1))
    ends = valid & (chosen == EOS)
    scores, coverage = normalize(best, length, options), beam.coverage
    if coverage is not None:
        coverage = coverage + weights.mean(dim=1)
        scores = scores + coverage_penalty(coverage, beam.source_mask[sentences], options)[parents]
    lengths = torch.zeros_like(best) + length
    ended = beam.ended.merge(Ended.of(scores.masked_fill(~ends, -torch.inf), best, lengths, parents))
    num_free = beam.num_free - ends.sum(dim=1)

    live = valid & ~ends
    order = (~live).to(torch.uint8).argsort(dim=1, stable=True)  # those that go on first, best first
    going = best.masked_fill(~live, -torch.inf).gather(1, order)
    if options.beam_threshold is not None:
        highest = torch.maximum(going[:, 0], ended.totals.max(dim=1).values)
        going = going.masked_fill(going < (highest - options.beam_threshold).unsqueeze(1), -torch.inf)
    worst_kept = ended.scores[:, -1]
    runs = best_reachable(going[:, 0], beam.bounds.most, options) > worst_kept  # false too where none goes on
    return Grown(
        tokens=chosen.gather(1, order),
        totals=going.masked_fill(~runs.unsqueeze(1), -torch.inf),
        parents=parents.gather(1, order),
        fillable=runs.unsqueeze(1) & (rank < num_free.unsqueeze(1)),
        reading=reading,
        num_free=num_free,
        ended=ended,
        coverage=coverage,
        weights=weights,
    )


def keep(beam: Beam, grown: Grown, places: Int[Tensor, " R"]) -> tuple[Beam, Int[Tensor, " R"]]:
    """The beam that grew, with rows for these places; and which of its rows they continue."""
    rows, tokens = grown.parents.flatten()[places], grown.tokens.flatten()[places]
    kept = beam._replace(
        places=places,
        tokens=tokens,
        totals=grown.totals.flatten()[places],
        reading=grown.reading.reorder(rows, same_sentences=places is beam.places),
        num_free=grown.num_free,
        ended=grown.ended,
        coverage=None if grown.coverage is None else grown.coverage[rows],
        history=None if beam.history is None else torch.cat([beam.history[rows], tokens.unsqueeze(1)], dim=1),
    )
    return kept, rows


def _likeliest(log_probs: Float[Tensor, "R V"], count: int) -> Int[Tensor, "R C"]:
    """Of each row, best first.

    The maxima of groups are found several times as fast as an order among all numbers: the best n are among the n
    groups with the greatest maxima. The groups are columns, each of every `width`-th number.
    """
    size, device = GROUP_SIZES[log_probs.device.type], log_probs.device
    width = log_probs.size(1) // size
    if width < count or (log_probs.is_cuda and count == 1):  # a GPU finds the greatest of all as fast
        return _best(log_probs, count)
    grouped = size * width
    groups = _best(log_probs[:, :grouped].unflatten(1, (size, width)).amax(dim=1), count)  # [R, C]
    members = groups.unsqueeze(1) + torch.arange(0, grouped, width, device=device).unsqueeze(1)  # [R, size, C]
    others = torch.arange(grouped, log_probs.size(1), device=device).expand(len(log_probs), -1)
    candidates = torch.cat([members.flatten(1), others], dim=1)
    return candidates.gather(1, _best(log_probs.gather(1, candidates), count))


def _best(numbers: Float[Tensor, "R n"], count: int) -> Int[Tensor, "R C"]:
    if count == 1:
        return numbers.argmax(dim=1, keepdim=True)  # sooner found
    return numbers.topk(min(count, numbers.size(1)), dim=1).indices
