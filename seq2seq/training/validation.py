"""How good the model is now, on sentences that it does not learn from."""

import math
from typing import NamedTuple

import torch

from seq2seq.config import Config
from seq2seq.data.batching import collate, epoch_batches
from seq2seq.device import mixed_precision
from seq2seq.inference.evaluation import score_translations
from seq2seq.inference.translator import Translator
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.training.loss import cross_entropy
from seq2seq.training.preparation import Pairs, TrainingData


class Validation(NamedTuple):
    loss: float
    """Cross-entropy in nats a target token, without label smoothing."""
    bleu: float
    """Of greedy translations, for speed; `seq2seq evaluate` searches with the config's beam."""
    chrf: float
    translations: list[str]

    @property
    def perplexity(self) -> float:
        return math.exp(min(self.loss, 700.0))


def validate(model: Seq2Seq, data: TrainingData, config: Config, precision: torch.dtype) -> Validation:
    """Loss, BLEU and chrF on the validation split; the model is left in training mode."""
    model.eval()
    try:
        loss = mean_loss(model, data.validation, config.training.batch_tokens, precision)
        translator = Translator(model, data.tokenizer, config)
        translations = [result.text for result in translator.translate(data.validation_text.source, beam_size=1)]
    finally:
        model.train()
    scores = score_translations(
        translations, data.validation_text.target, config.data.target_language, ("bleu", "chrf")
    )
    return Validation(loss, scores["bleu"].score, scores["chrf"].score, translations)


@torch.inference_mode()
def mean_loss(model: Seq2Seq, pairs: Pairs, batch_tokens: int, precision: torch.dtype) -> float:
    """Cross-entropy in nats a target token (EOS included) under teacher forcing."""
    device = next(model.parameters()).device
    total, num_tokens = 0.0, 0
    for indices in epoch_batches(*pairs.lengths, batch_tokens, seed=0, epoch=0):
        batch = collate(*pairs.select(indices)).to(device)
        with mixed_precision(device, precision):
            logits, _ = model(batch.source, batch.source_mask, batch.target_in, batch.target_mask)
        targets = batch.target_out[batch.target_mask]
        total += float(cross_entropy(logits, targets))
        num_tokens += len(targets)
    return total / num_tokens
