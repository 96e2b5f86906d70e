"""How good the model is now, on sentences that it does not learn from."""

import math
from typing import NamedTuple

import torch

from seq2seq.config import Config
from seq2seq.data.batching import collate, length_batches
from seq2seq.data.tokenized import Pairs
from seq2seq.device import mixed_precision
from seq2seq.evaluation.metrics import score_translations
from seq2seq.inference.translator import Translation, Translator
from seq2seq.training.loss import token_loss
from seq2seq.training.preparation import TrainingData
from seq2seq.training.state import TrainingState

NUM_SAMPLES = 3
"""Sentences shown at each validation."""


class Validation(NamedTuple):
    loss: float
    """Cross-entropy in nats a target token, without label smoothing."""
    bleu: float
    """Of greedy translations, for speed; `seq2seq evaluate` searches with the config's beam."""
    chrf: float
    translations: list[str]
    samples: list[Translation]
    """What the model looks at as it reads the references of the first sentences; where TensorBoard shows it."""

    @property
    def perplexity(self) -> float:
        return math.exp(min(self.loss, 700.0))


def validate(state: TrainingState, data: TrainingData, config: Config) -> Validation:
    """Loss, BLEU and chrF on the validation split, which the processes share; the model is left in training mode."""
    processes, model, sources = state.processes, state.judged, data.validation_text.source
    model.eval()
    try:
        loss = mean_loss(state, data.validation)
        translator = Translator(model, data.tokenizer, config)
        translator.at_once = 1  # training has filled the memory
        mine = [result.text for result in translator.translate(sources[processes.rank :: processes.count], beam_size=1)]
        references = data.validation_text.target
        num_samples = NUM_SAMPLES if state.settings.tensorboard and processes.is_main else 0
        samples = translator.align(sources[:num_samples], references[:num_samples])
    finally:
        model.train()
    translations = [""] * len(sources)
    for rank, texts in enumerate(processes.gather(mine)):
        translations[rank :: processes.count] = texts
    scores = score_translations(translations, references, config.data.target_language, ("bleu", "chrf"))
    return Validation(loss, scores["bleu"].score, scores["chrf"].score, translations, samples)


@torch.inference_mode()
def mean_loss(state: TrainingState, pairs: Pairs) -> float:
    """Cross-entropy in nats a target token (EOS included) under teacher forcing."""
    processes, total, num_tokens = state.processes, 0.0, 0
    batches = length_batches(*pairs.lengths, state.settings.batch_tokens, seed=0)
    for indices in batches[processes.rank :: processes.count]:
        batch = collate(*pairs.select(indices)).to(state.device)
        with mixed_precision(state.device, state.precision):
            output, _ = state.judged.outputs(batch.source, batch.source_mask, batch.target_in, batch.target_mask)
            targets = batch.target_out[batch.target_mask]
            total += float(token_loss(state.judged.output_layer, output, targets))
        num_tokens += len(targets)
    parts = processes.gather((total, num_tokens))
    return sum(part[0] for part in parts) / sum(part[1] for part in parts)
