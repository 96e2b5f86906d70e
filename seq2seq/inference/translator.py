"""A trained run as an object that translates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from seq2seq.config import Config
from seq2seq.data.batching import group_by_budget, pad
from seq2seq.data.tokenizer import BOS, EOS, Tokenizer
from seq2seq.device import choose_device
from seq2seq.errors import UserError
from seq2seq.inference.search import NOT_NUMBERS, beam_search
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.sharing.model_files import read_model


@dataclass(frozen=True)
class Translation:
    source: str
    text: str
    score: float
    """log-probability / number of tokens ** length_penalty; 0 for a blank line."""
    source_tokens: list[str]
    """The subword pieces that the encoder read, closed by </s>."""
    tokens: list[str]
    """The subword pieces that the decoder wrote, closed by </s>."""
    weights: Float[Tensor, "N T S"]
    """Attention weights: for each head, one row a token over the source tokens. N is 0 without attention."""


@dataclass(frozen=True)
class SelfAttention:
    """What a Transformer encoder looks at."""

    source: str
    source_tokens: list[str]
    """The subword pieces that the encoder read, closed by </s>; none of a blank line."""
    weights: Float[Tensor, "LN S S"]
    """Layer by layer, in each head by head: one row a token over all the tokens."""

    @property
    def tokens(self) -> list[str]:
        """The pieces that look, as those of a translation do: the same."""
        return self.source_tokens


class Translator:
    """Translates sentences with a model, its tokenizer and its config, which belong together."""

    def __init__(self, model: Seq2Seq, tokenizer: Tokenizer, config: Config, folder: Path | None = None):
        self.model, self.tokenizer, self.config = model, tokenizer, config
        self.folder = folder
        """Where they were read, and what is known of data and scores lies."""

    @classmethod
    def load(cls, run: str | Path, device: str = "auto", allow_imports: bool = False) -> "Translator":
        """Read the best model of a run folder; or an exported folder; or a model on the hub.

        Args:
            run: A folder, or `owner/name` or `owner/name@revision` on the hub; a folder of that name comes first.
            device: auto, cpu or cuda.
            allow_imports: Import the classes that a model from the hub names by import path; they are looked for on
                this machine, none is downloaded. A folder's classes are always imported.

        Raises:
            ConfigError: It is none of these, a file is damaged or does not fit the others, or the device is absent.
            DataError: The tokenizer is missing or damaged.
        """
        model, tokenizer, config, folder = read_model(run, allow_imports)
        return cls(model.to(choose_device(device)).eval(), tokenizer, config, folder)

    def save_pretrained(self, folder: str | Path, scores: dict[str, Any] | None = None) -> None:
        """Write a new folder that has all that `load` needs, and a model card; and no path of this machine.

        Args:
            folder: There is none of that name yet.
            scores: Of the test set, as `seq2seq evaluate --json` prints them.

        Raises:
            UserError: The folder exists or cannot be written, or the scores have another form.
        """
        from seq2seq.sharing.export import export_model

        export_model(self, Path(folder), scores)

    def push_to_hub(
        self,
        name: str,
        private: bool | None = None,
        revision: str | None = None,
        token: str | None = None,
        scores: dict[str, Any] | None = None,
    ) -> str:
        """Put what `save_pretrained` writes on the hub, in one commit; returns `owner/name@commit`.

        Args:
            name: `owner/name`; made if it is not there.
            private: Whether only its owner sees it; by default as the hub has it.
            revision: A branch, made if it is not there; by default the main one.
            token: By default that of `hf auth login`, or HF_TOKEN.
            scores: As in `save_pretrained`.

        Raises:
            UserError: The hub cannot be reached or does not take it, the model is there and public though `private` is
                asked for, or the scores have another form.
        """
        from seq2seq.sharing.export import push_model

        return push_model(self, name, scores, private=private, revision=revision, token=token)

    def translate(
        self, sentences: Sequence[str], beam_size: int | None = None, show_progress: bool = False
    ) -> list[Translation]:
        """Translate each sentence, in order; a blank one gives a blank translation.

        Padding enters no sum: a sentence's translation does not depend on its company, but for the rounding of the
        matrix products.
        """
        search = self.config.search
        beam_size = search.beam_size if beam_size is None else beam_size
        source_ids = [ids + [EOS] for ids in self.tokenizer.encode_source(_unicode(sentences))]
        order = sorted(
            (index for index, ids in enumerate(source_ids) if len(ids) > 1), key=lambda index: len(source_ids[index])
        )
        results = [_blank(sentence) for sentence in sentences]
        device = next(self.model.parameters()).device
        groups = group_by_budget([len(source_ids[index]) for index in order], max(1, search.batch_tokens // beam_size))
        with tqdm(total=len(order), desc="translating", unit="sentence", disable=not show_progress) as progress:
            for group in reversed(groups):  # longest first: what does not fit in memory shows at once
                source, source_mask = pad([source_ids[index] for index in order[group]])
                hypotheses = beam_search(
                    self.model,
                    source.to(device),
                    source_mask.to(device),
                    beam_size,
                    search.length_penalty,
                    search.max_length_ratio,
                    self.tokenizer.never_generated,
                )
                for index, hypothesis in zip(order[group], hypotheses, strict=True):
                    results[index] = Translation(
                        source=sentences[index],
                        text=self.tokenizer.decode(hypothesis.ids),
                        score=hypothesis.score,
                        source_tokens=self.tokenizer.source_pieces(source_ids[index]),
                        tokens=self.tokenizer.target_pieces(hypothesis.ids),
                        weights=hypothesis.weights[:, :, : len(source_ids[index])].cpu(),
                    )
                progress.update(len(hypotheses))
        return results

    @torch.inference_mode()
    def align(self, sources: Sequence[str], targets: Sequence[str]) -> list[Translation]:
        """Score given translations, and tell what the model looks at while it reads them (forced decoding).

        Each result has the target as its text, the score that search would give it, and the weights of each of its
        tokens, </s> included. A target is cut into pieces as in training; search may have found the same text in other
        pieces. A blank target is the </s> alone. A blank source has one translation, as in `translate`: the blank one,
        with score 0; any other has score -inf. Neither has tokens or weights.

        Raises:
            UserError: There is not one target for each source, or the model's probabilities are not numbers.
        """
        if len(sources) != len(targets):
            raise UserError(f"{len(sources)} sources and {len(targets)} targets: give one target for each source")
        source_ids = [ids + [EOS] for ids in self.tokenizer.encode_source(_unicode(sources))]
        target_ids = [ids + [EOS] for ids in self.tokenizer.encode_target(_unicode(targets))]
        longest = [max(map(len, pair)) for pair in zip(source_ids, target_ids, strict=True)]
        order = sorted((i for i, ids in enumerate(source_ids) if len(ids) > 1), key=lambda i: longest[i])
        results = [
            replace(_blank(source), text=target, score=0.0 if len(ids) == 1 else -math.inf)
            for source, target, ids in zip(sources, targets, target_ids, strict=True)
        ]
        device = next(self.model.parameters()).device
        for group in group_by_budget([longest[i] for i in order], self.config.search.batch_tokens):
            source, source_mask = pad([source_ids[i] for i in order[group]])
            target_in, _ = pad([[BOS] + target_ids[i][:-1] for i in order[group]])
            target_out, target_mask = pad([target_ids[i] for i in order[group]])
            logits, weights = self.model(source.to(device), source_mask.to(device), target_in.to(device))
            log_probs = torch.log_softmax(logits.float(), dim=-1).gather(2, target_out.to(device).unsqueeze(2))
            totals = log_probs.squeeze(2).masked_fill(~target_mask.to(device), 0.0).sum(dim=1).tolist()
            for i, total, row in zip(order[group], totals, weights.cpu(), strict=True):
                if math.isnan(total):
                    raise UserError(NOT_NUMBERS)
                results[i] = Translation(
                    source=sources[i],
                    text=targets[i],
                    score=total / len(target_ids[i]) ** self.config.search.length_penalty,
                    source_tokens=self.tokenizer.source_pieces(source_ids[i]),
                    tokens=self.tokenizer.target_pieces(target_ids[i]),
                    weights=row[:, : len(target_ids[i]), : len(source_ids[i])].clone(),
                )
        return results

    @torch.inference_mode()
    def self_attention(self, sentences: Sequence[str]) -> list[SelfAttention]:
        """What each piece of each sentence looks at in a Transformer encoder; no weights from a recurrent one."""
        results = []
        device = next(self.model.parameters()).device
        for sentence, ids in zip(sentences, self.tokenizer.encode_source(_unicode(sentences)), strict=True):
            if not ids:
                results.append(SelfAttention(sentence, [], torch.zeros(0, 0, 0)))
                continue
            source, mask = pad([ids + [EOS]])
            encoded = self.model.encoder(self.model.source_embedding(source.to(device)), mask.to(device))
            weights = encoded.weights[0].flatten(0, 1).cpu()  # [L*N, S, S]
            results.append(SelfAttention(sentence, self.tokenizer.source_pieces(ids + [EOS]), weights))
        return results


def _unicode(texts: Sequence[str]) -> list[str]:
    """The texts without lone surrogates, which no tokenizer takes."""
    return [text.encode("utf-8", "replace").decode("utf-8") for text in texts]


def _blank(sentence: str) -> Translation:
    return Translation(sentence, "", 0.0, [], [], torch.zeros(0, 0, 0))
