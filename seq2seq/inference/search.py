"""Greedy search, beam search and sampling over a batch of sentences, with one model or several."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq.data.tokenizer import BOS, EOS
from seq2seq.errors import UserError
from seq2seq.inference.constraints import Constraints
from seq2seq.inference.ensemble import Shortlisted, read, step
from seq2seq.inference.options import SearchOptions
from seq2seq.inference.ranking import best_reachable, coverage_penalty, normalize
from seq2seq.inference.sampling import Sampler
from seq2seq.inference.trace import Hypothesis, Trace
from seq2seq.model.seq2seq import Seq2Seq

NOT_NUMBERS = "the model gives no token a probability: its weights or its attention yield NaN"

NEEDED_SHARE = 0.8
"""Rows whose hypotheses have ended are computed in vain until less than this share is needed: taking them out copies
the memories of all others."""
GROUP_SIZE = 8
"""Of the numbers whose maximum is found before their order; fewer take longer, and so do more."""
STEPS_BETWEEN_LOOKS = 8
"""On a GPU, what has ended is asked for only so often: each time the processor waits until the device is done."""


class Ended(NamedTuple):
    """The n best hypotheses that have ended in each sentence, best first; -inf where there are not so many yet."""

    scores: Float[Tensor, "B n"]
    totals: Float[Tensor, "B n"]
    lengths: Int[Tensor, "B n"]
    rows: Int[Tensor, "B n"]

    def merge(self, others: "Ended") -> "Ended":
        both = Ended(*(torch.cat(parts, dim=1) for parts in zip(self, others, strict=True)))
        order = both.scores.argsort(dim=1, descending=True, stable=True)[:, : self.scores.size(1)]
        return Ended(*(part.gather(1, order) for part in both))


@torch.inference_mode()
def search(
    models: Sequence[Seq2Seq | Shortlisted],
    source: Int[Tensor, "B S"],
    source_mask: Bool[Tensor, "B S"],
    options: SearchOptions,
    forbidden: Sequence[int] = (),
    prefixes: Sequence[Sequence[int]] | None = None,
    numbers: Sequence[int] | None = None,
) -> list[list[Hypothesis]]:
    """The `n_best` best hypotheses of each sentence, best first; fewer where search finds fewer.

    A beam has `beam_size` places. At each step the best continuations of its hypotheses, by log-probability, take the
    places in which none has ended; one that ends, by EOS, keeps its place. So a beam of one is greedy search. A
    sentence is done when all places have ended, or when none that goes on can still beat the n-th best that has. With
    a `beam_threshold` places stay empty for a step whose hypotheses would be so much worse than the best so far.
    No hypothesis is without end: at its limit of length only EOS may follow.

    Args:
        forbidden: Ids that no hypothesis may hold, but for its prefix.
        prefixes: Target ids that a sentence's hypotheses begin with.
        numbers: The sentences' numbers in the input, which their samples depend on.

    Raises:
        UserError: The model's probabilities are not numbers.
    """
    device, num_sentences, beam_size = source.device, source.size(0), options.beam_size
    prefixes = [[]] * num_sentences if prefixes is None else prefixes
    rules = Constraints(options, source_mask.sum(dim=1).tolist(), prefixes, forbidden, device)
    sampler = Sampler(options, range(num_sentences) if numbers is None else numbers) if options.sample else None
    first_place = torch.arange(num_sentences, device=device).unsqueeze(1) * beam_size  # [B, 1]
    rank = torch.arange(beam_size, device=device)

    # Of all places [B*K] those in `places` have a row of their own in the batch; at first one for each sentence.
    places, reading = first_place.squeeze(1), read(models, source, source_mask)
    tokens = torch.full_like(places, BOS)  # [R]
    totals = torch.zeros(num_sentences, dtype=torch.float64, device=device)  # [R], of log-probabilities
    history = tokens.unsqueeze(1) if rules.need_tokens else None
    coverage = torch.zeros_like(source, dtype=torch.float32) if options.coverage_penalty > 0 else None
    num_free = torch.full_like(places, beam_size)  # [B], places in which none has ended
    ended = _none_ended(num_sentences, options.n_best, device)
    trace = Trace()

    for length in range(1, rules.longest + 1):
        sentences = places // beam_size
        log_probs, weights, reading = step(models, tokens, reading)
        trace.look(weights)
        log_probs = rules.apply(log_probs, sentences, length, history)
        choices = (
            _likeliest(log_probs, beam_size) if sampler is None else sampler.draw(log_probs, sentences.tolist())
        )  # [R, C]: a sentence's best K continuations are among the best K of each of its rows
        continued = totals.unsqueeze(1) + log_probs.gather(1, choices)
        grid = continued.new_full((num_sentences * beam_size, choices.size(1)), -torch.inf)
        grid = grid.index_copy_(0, places, continued).view(num_sentences, -1)  # [B, K*C]
        best, flat = grid.topk(min(beam_size, grid.size(1)), dim=1)  # [B, K]
        row_of_place = torch.zeros_like(grid[:, :beam_size].flatten(), dtype=torch.long)
        row_of_place[places] = torch.arange(len(places), device=device)
        parents = row_of_place[flat // choices.size(1) + first_place]  # [B, K]
        parents = torch.where(best > -torch.inf, parents, row_of_place[first_place])  # a row of the same sentence
        chosen = choices[parents, flat % choices.size(1)]

        valid = (best > -torch.inf) & (rank < num_free.unsqueeze(1))
        ends = valid & (chosen == EOS)
        scores = normalize(best, length, options)
        if coverage is not None:
            coverage = coverage + weights.mean(dim=1)
            scores = scores + coverage_penalty(coverage, source_mask[sentences], options)[parents]
        ended = ended.merge(
            Ended(scores.masked_fill(~ends, -torch.inf), best, torch.full_like(parents, length), parents)
        )
        num_free = num_free - ends.sum(dim=1)

        live = valid & ~ends
        order = (~live).to(torch.uint8).argsort(dim=1, stable=True)  # those that go on first, best first
        going = best.masked_fill(~live, -torch.inf).gather(1, order)
        if options.beam_threshold is not None:
            highest = torch.maximum(going[:, 0], ended.totals.max(dim=1).values)
            going = going.masked_fill(going < (highest - options.beam_threshold).unsqueeze(1), -torch.inf)
        worst_kept = ended.scores[:, -1]
        runs = best_reachable(going[:, 0], rules.limits, options) > worst_kept  # false too where none goes on
        going = going.masked_fill(~runs.unsqueeze(1), -torch.inf)

        fillable = runs.unsqueeze(1) & (rank < num_free.unsqueeze(1))
        new_places = _places_to_compute(
            places, going > -torch.inf, fillable, length, number_varies=options.beam_threshold is not None
        )
        if len(new_places) == 0:
            break
        rows = parents.gather(1, order).flatten()[new_places]
        tokens = chosen.gather(1, order).flatten()[new_places]
        totals = going.flatten()[new_places]
        trace.go_on(tokens, totals, rows)
        reading = reading.reorder(rows, same_sentences=new_places is places)
        places = new_places
        if history is not None:
            history = torch.cat([history[rows], tokens.unsqueeze(1)], dim=1)
        if coverage is not None:
            coverage = coverage[rows]
    return _hypotheses(ended, trace)


def _likeliest(log_probs: Float[Tensor, "R V"], count: int) -> Int[Tensor, "R C"]:
    """Of each row, best first.

    On a CPU the maxima of groups are found several times as fast as an order among all numbers: the best n are among
    the n groups with the greatest maxima. The groups are columns, each of every `width`-th number.
    """
    width = log_probs.size(1) // GROUP_SIZE
    if log_probs.is_cuda or width < count:
        return _best(log_probs, count)
    grouped = GROUP_SIZE * width
    groups = _best(log_probs[:, :grouped].unflatten(1, (GROUP_SIZE, width)).amax(dim=1), count)  # [R, C]
    members = groups.unsqueeze(1) + torch.arange(0, grouped, width).unsqueeze(1)  # [R, GROUP_SIZE, C]
    others = torch.arange(grouped, log_probs.size(1)).expand(len(log_probs), -1)
    candidates = torch.cat([members.flatten(1), others], dim=1)
    return candidates.gather(1, _best(log_probs.gather(1, candidates), count))


def _best(numbers: Float[Tensor, "R n"], count: int) -> Int[Tensor, "R C"]:
    if count == 1:
        return numbers.argmax(dim=1, keepdim=True)  # sooner found
    return numbers.topk(min(count, numbers.size(1)), dim=1).indices


def _none_ended(num_sentences: int, size: int, device: torch.device) -> Ended:
    numbers = torch.full((num_sentences, size), -torch.inf, dtype=torch.float64, device=device)
    indices = torch.ones((num_sentences, size), dtype=torch.long, device=device)
    return Ended(numbers, numbers, indices, torch.zeros_like(indices))


def _places_to_compute(
    places: Tensor, taken: Bool[Tensor, "B K"], fillable: Bool[Tensor, "B K"], length: int, number_varies: bool
) -> Tensor:
    """The places that get a row in the next step: all that a hypothesis has taken, and perhaps some others.

    On a GPU each place keeps its row as long as a hypothesis may take it, so that none is missing between looks. On a
    CPU, where their number varies from step to step, it is rounded up to one that comes again: oneDNN makes code for
    each.
    """
    if taken.is_cuda:
        if length == 1:
            return torch.arange(taken.numel(), device=taken.device)
        if length % STEPS_BETWEEN_LOOKS != 0:
            return places
        wanted = fillable.flatten().nonzero().squeeze(1)
        return wanted if len(wanted) < NEEDED_SHARE * len(places) else places
    wanted = taken.flatten().nonzero().squeeze(1)
    has_row = torch.zeros(taken.numel(), dtype=torch.bool)
    has_row[places] = True
    if len(wanted) >= NEEDED_SHARE * len(places) and bool(has_row[wanted].all()):
        return places
    multiple = 1 << max(0, len(wanted).bit_length() - 3) if number_varies else 1  # an eighth to a quarter
    free = (~taken).flatten().nonzero().squeeze(1)
    return torch.cat([wanted, free[: -len(wanted) % multiple]])


def _hypotheses(ended: Ended, trace: Trace) -> list[list[Hypothesis]]:
    if bool((ended.scores[:, 0] == -torch.inf).any()):
        raise UserError(NOT_NUMBERS)
    lengths, rows, totals = ended.lengths.flatten(), ended.rows.flatten(), ended.totals.flatten()
    tokens, sums, weights = trace.read_back(lengths, rows, totals)
    num_sentences, size = ended.scores.shape
    scores, lengths = ended.scores.tolist(), ended.lengths.tolist()
    results: list[list[Hypothesis]] = []
    for sentence in range(num_sentences):
        found = []
        for n in range(size):
            if scores[sentence][n] > -torch.inf:
                index, length = sentence * size + n, lengths[sentence][n]
                values = torch.diff(sums[index, :length], prepend=sums.new_zeros(1)).tolist()
                ids = [*tokens[index, : length - 1].tolist(), EOS]
                found.append(Hypothesis(ids, values, scores[sentence][n], weights[index, :, :length]))
        results.append(found)
    return results
