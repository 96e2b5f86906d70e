"""Greedy search, beam search and sampling over a batch of sentences, with one model or several."""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from seq2seq.data.tokenizer import EOS
from seq2seq.errors import UserError
from seq2seq.inference.beam import Ended, Grown, first_beam, grow, keep
from seq2seq.inference.constraints import Constraints
from seq2seq.inference.ensemble import Shortlisted, read
from seq2seq.inference.options import SearchOptions
from seq2seq.inference.sampling import Sampler
from seq2seq.inference.step_graphs import StepGraphs
from seq2seq.inference.trace import Hypothesis, Trace
from seq2seq.model.seq2seq import Seq2Seq

NOT_NUMBERS = "the model gives no token a probability: its weights or its attention yield NaN"

NEEDED_SHARE = 0.8
"""On a CPU, rows whose hypotheses have ended are computed in vain until less than this share is needed: taking them out
copies the memories of all others."""
STEPS_BETWEEN_LOOKS = 8
"""On a GPU, what has ended is asked for only so often: each time the processor waits until the device is done."""


@torch.inference_mode()
def search(
    models: Sequence[Seq2Seq | Shortlisted],
    source: Int[Tensor, "B S"],
    source_mask: Bool[Tensor, "B S"],
    options: SearchOptions,
    forbidden: Sequence[int] = (),
    prefixes: Sequence[Sequence[int]] | None = None,
    numbers: Sequence[int] | None = None,
    graphs: StepGraphs | None = None,
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
        graphs: Of steps with the same models, options and forbidden ids; None launches each step anew.

    Raises:
        UserError: The model's probabilities are not numbers.
    """
    num_sentences = source.size(0)
    prefixes = [[]] * num_sentences if prefixes is None else prefixes
    constraints = Constraints(options, source_mask.sum(dim=1).tolist(), prefixes, forbidden, source.device)
    sampler = Sampler(options, range(num_sentences) if numbers is None else numbers) if options.sample else None
    grow_beam = partial(grow, models, options=options, constraints=constraints, sampler=sampler)
    read_source = partial(read, models)
    reading = read_source(source, source_mask) if graphs is None else graphs.read(read_source, source, source_mask)
    beam = first_beam(reading, source_mask, options, constraints)
    waits_seldom = source.is_cuda or graphs is not None
    trace = Trace(copies=graphs is not None)
    trace.add(beam.tokens, beam.totals, torch.zeros_like(beam.tokens))
    for length in range(1, constraints.longest + 1):
        recorded = None
        if graphs is not None and length > constraints.prefix_size:
            recorded = graphs.step(grow_beam, beam, length)
        grown = grow_beam(beam, length) if recorded is None else recorded.grown
        trace.look(grown.weights)
        if waits_seldom:
            places = _places_until_a_look(beam.places, grown, length)
        else:
            places = _places_of_now(beam.places, grown, number_varies=options.beam_threshold is not None)
        if recorded is not None and places is beam.places:
            beam, rows = recorded.beam, recorded.rows
        else:
            beam, rows = keep(beam, grown, places)
        if len(places) == 0:
            break
        trace.add(beam.tokens, beam.totals, rows)
    return _hypotheses(beam.ended, trace)


def _places_of_now(places: Tensor, grown: Grown, number_varies: bool) -> Tensor:
    """The places that get a row in the next step: all that a hypothesis has taken, and perhaps some others.

    Where their number varies from step to step, it is rounded up to one that comes again: oneDNN makes code for each.
    """
    taken = (grown.totals > -torch.inf).flatten()
    wanted = taken.nonzero().squeeze(1)
    has_row = torch.zeros_like(taken).index_fill_(0, places, True)
    if len(wanted) >= NEEDED_SHARE * len(places) and bool(has_row[wanted].all()):
        return places
    multiple = 1 << max(0, len(wanted).bit_length() - 3) if number_varies else 1  # an eighth to a quarter
    free = (~taken).nonzero().squeeze(1)
    return torch.cat([wanted, free[: -len(wanted) % multiple]])


def _places_until_a_look(places: Tensor, grown: Grown, length: int) -> Tensor:
    """The places that get a row in the next step, where the device is seldom asked: all that a hypothesis may still
    take, and some others; none when all have ended. Rows are taken out by halves, so that few shapes of beams serve
    all batches."""
    fillable = grown.fillable.flatten()
    if length == 1 and len(places) < len(fillable):
        return torch.arange(len(fillable), device=places.device)
    if length % STEPS_BETWEEN_LOOKS != 0:
        return places
    wanted, size = fillable.nonzero().squeeze(1), len(places)
    if len(wanted) == 0:
        return wanted
    while size >= 2 * len(wanted):
        size = (size + 1) // 2
    if size == len(places):
        return places
    return torch.cat([wanted, (~fillable).nonzero().squeeze(1)[: size - len(wanted)]])


def _hypotheses(ended: Ended, trace: Trace) -> list[list[Hypothesis]]:
    numbers = ended.numbers.cpu()
    if bool((numbers[0, :, 0] == -torch.inf).any()):
        raise UserError(NOT_NUMBERS)
    num_best = numbers.size(2)
    scores, totals, lengths, rows = numbers.flatten(1)
    tokens, sums, weights = trace.read_back(lengths.long(), rows.long(), totals)
    token_log_probs = sums.diff(dim=1, prepend=sums.new_zeros(len(sums), 1)).tolist()
    token_ids = tokens.tolist()
    results: list[list[Hypothesis]] = [[] for _ in range(numbers.size(1))]
    for n, (score, length) in enumerate(zip(scores.tolist(), lengths.long().tolist(), strict=True)):
        if score > -torch.inf:
            ids, of_tokens = [*token_ids[n][: length - 1], EOS], token_log_probs[n][:length]
            results[n // num_best].append(Hypothesis(ids, of_tokens, score, weights[n, :, :length]))
    return results
