"""A trained run, or several as one, as an object that translates."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

import torch
from tqdm import tqdm

from seq2seq.config import Config
from seq2seq.data.batching import group_by_budget, pad
from seq2seq.data.lexicon import Lexicon
from seq2seq.data.tokenizer import EOS, Tokenizer
from seq2seq.device import choose_device, choose_search_precision, keep_code, mixed_precision
from seq2seq.errors import ConfigError, UserError
from seq2seq.inference.batch_search import BatchSearch, SourceBatch
from seq2seq.inference.ensemble import force
from seq2seq.inference.options import SearchChanges, SearchOptions, search_options
from seq2seq.inference.packing import pack
from seq2seq.inference.ranking import coverage_penalty, normalize
from seq2seq.inference.search import NOT_NUMBERS
from seq2seq.inference.shortlist import read_lexicon
from seq2seq.inference.step_graphs import turn
from seq2seq.inference.trace import Hypothesis
from seq2seq.inference.translation import SelfAttention, Translation, blank
from seq2seq.inference.word_alignment import align_words, words_of_pieces
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.sharing.model_files import read_model


class Translator:
    """Translates sentences with a model, its tokenizer and its config, which belong together.

    Several models may vote: the probability of a token is then the mean of theirs. The first one's config rules. What a
    call asks for is in its arguments and nothing of it stays, so that several threads may share a translator.
    """

    def __init__(
        self,
        model: Seq2Seq,
        tokenizer: Tokenizer,
        config: Config,
        others: Sequence[Seq2Seq] = (),
        folder: Path | None = None,
    ):
        self.model, self.tokenizer, self.config = model, tokenizer, config
        self.models = (model, *others)
        self.folder = folder
        """Where they were read, the first of several models, and what is known of data and scores lies."""
        self.at_once: int | None = None
        """How many batches are searched at once on a CPU; None for as many as there are threads. Fewer save memory."""

    @classmethod
    def load(cls, run: str | Path, device: str = "auto") -> "Translator":
        """Read the best model of a run folder; or an exported folder; or a model on the hub.

        Args:
            run: A folder, or `owner/name` or `owner/name@revision` on the hub; a folder of that name comes first.
            device: auto, cpu or cuda.

        A model that names a class of one's own by import path needs that module imported before: no folder, received
        from whomever, chooses code that runs.

        Raises:
            ConfigError: It is none of these, a file is damaged or does not fit the others, it names a class whose
                module was not imported, or the device is absent.
            DataError: The tokenizer is missing or damaged.
        """
        keep_code(32, 8)  # a step of a search seldom has as many rows as others had
        model, tokenizer, config, folder = read_model(run)
        return cls(model.to(choose_device(device)).eval(), tokenizer, config, folder=folder)

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

    @classmethod
    def load_ensemble(cls, runs: Sequence[str | Path], device: str = "auto") -> "Translator":
        """Read the best models of several run folders, to vote.

        Raises:
            ConfigError: One cannot be loaded, or has another vocabulary than the first.
        """
        first, *others = (cls.load(run, device) for run in runs)
        for run, other in zip(runs[1:], others, strict=True):
            if other.tokenizer.fingerprint != first.tokenizer.fingerprint:
                raise ConfigError(
                    f"{run}: its vocabulary is not that of {runs[0]}: runs translate together where their tokenizers "
                    "are the same, trained on the same text with the same settings"
                )
        return cls(first.model, first.tokenizer, first.config, [other.model for other in others], first.folder)

    def translate(
        self,
        sentences: Sequence[str],
        beam_size: int | None = None,
        *,
        prefix: str | Sequence[str] = "",
        show_progress: bool = False,
        **changes: Unpack[SearchChanges],
    ) -> list[Translation]:
        """Translate each sentence, in order; a blank one gives a blank translation.

        Padding enters no sum: a sentence's translation depends on its company by a shortlist alone, or where rounding
        in the matrix products decides between two continuations that are as probable but for it.

        Args:
            beam_size: 1 is greedy search; by default the config's.
            prefix: What translations begin with; one for all, or one each. Its last word may go on.
            changes: Other settings than the config's, by name, for this call: see `SearchOptions`.

        Raises:
            ConfigError: A setting is out of range, or makes no sense beside another.
            UserError: The sentences are no list of texts, there is not one prefix for each, or the model's
                probabilities are not numbers.
            OutOfMemory: A sentence alone does not fit in memory.
        """
        _require_texts(sentences, "sentences")
        if not isinstance(prefix, str) and len(prefix) != len(sentences):
            raise UserError(f"{len(prefix)} prefixes for {len(sentences)} sentences: give one for each, or one for all")
        search = self._searching(self._options(beam_size, changes))
        prefixes = [prefix] * len(sentences) if isinstance(prefix, str) else prefix
        with _bar(show_progress) as progress:
            return self._translate(sentences, prefixes, search, 0, progress)

    def translate_stream(
        self,
        chunks: Iterable[Sequence[str]],
        beam_size: int | None = None,
        *,
        prefix: str = "",
        show_progress: bool = False,
        **changes: Unpack[SearchChanges],
    ) -> Iterator[Translation]:
        """The same for a text of any length, in flat memory: a chunk's translations are there before the next is read.

        Raises:
            ConfigError: As in `translate`.
            UserError: As in `translate`.
        """
        return self._stream(chunks, self._options(beam_size, changes), prefix, show_progress)

    def _stream(
        self, chunks: Iterable[Sequence[str]], options: SearchOptions, prefix: str, show_progress: bool
    ) -> Iterator[Translation]:
        search, number = self._searching(options), 0
        with _bar(show_progress) as progress:
            for chunk in chunks:
                yield from self._translate(chunk, [prefix] * len(chunk), search, number, progress)
                number += len(chunk)

    def _translate(
        self, sentences: Sequence[str], prefixes: Sequence[str], search: BatchSearch, first: int, progress: tqdm
    ) -> list[Translation]:
        """Sentences whose first has this number in the input, in batches of like length."""
        options = search.options
        all_ids = self.tokenizer.encode_source(_unicode(sentences))
        source_ids = [ids[: options.max_source_length] + [EOS] for ids in all_ids]
        prefix_ids = self.tokenizer.encode_target(_unicode(prefixes))
        order = sorted((index for index, ids in enumerate(all_ids) if ids), key=lambda index: len(source_ids[index]))
        results = [blank(sentence) for sentence in sentences]
        progress.total = (progress.total or 0) + len(sentences)
        progress.update(len(sentences) - len(order))
        budget = max(1, options.batch_tokens // options.beam_size)
        groups = group_by_budget([search.padded_length(len(source_ids[index])) for index in order], budget)
        batches = [
            SourceBatch([source_ids[i] for i in batch], [prefix_ids[i] for i in batch], [first + i for i in batch])
            for batch in (order[group] for group in reversed(groups))  # longest first: what does not fit shows at once
        ]
        with closing(search.each(batches, self.at_once)) as outputs:
            for batch, found in zip(batches, outputs, strict=True):
                for number, hypotheses in zip(batch.numbers, found, strict=True):
                    index = number - first
                    num_unread = len(all_ids[index]) - len(source_ids[index]) + 1
                    results[index] = self._describe(sentences[index], source_ids[index], hypotheses, num_unread)
                progress.update(len(found))
        return results

    def _describe(
        self, source: str, source_ids: list[int], hypotheses: Sequence[Hypothesis], num_unread: int
    ) -> Translation:
        """The best hypothesis, with the others as its alternatives. Of those that read the same the best stays."""
        source_tokens = self.tokenizer.source_pieces(source_ids)
        texts = [self.tokenizer.decode(hypothesis.ids) for hypothesis in hypotheses]
        best, *alternatives = [
            Translation(
                source=source,
                text=text,
                score=found.score,
                source_tokens=source_tokens,
                tokens=self.tokenizer.target_pieces(found.ids),
                weights=found.weights[:, :, : len(source_ids)],
                log_prob=found.log_prob,
                token_log_probs=found.token_log_probs,
                num_unread=num_unread,
            )
            for n, (text, found) in enumerate(zip(texts, hypotheses, strict=True))
            if text not in texts[:n]
        ]
        return replace(best, alternatives=alternatives)

    @torch.inference_mode()
    def align(
        self, sources: Sequence[str], targets: Sequence[str], **changes: Unpack[SearchChanges]
    ) -> list[Translation]:
        """Score given translations, and tell what the model looks at while it reads them (forced decoding).

        Each result has the target as its text, the score that search would give it, and the log-probability and the
        weights of each of its tokens, </s> included. A target is cut into pieces as in training; search may have found
        the same text in other pieces. A blank target is the </s> alone. A blank source has one translation, as in
        `translate`: the blank one, with score 0; any other has score -inf. Neither has tokens or weights.

        Args:
            changes: Other settings than the config's, by name; those count that make the score.

        Raises:
            ConfigError: A setting is out of range, or makes no sense beside another.
            UserError: There is not one target for each source, or the model's probabilities are not numbers.
        """
        _require_texts(sources, "sources")
        _require_texts(targets, "targets")
        if len(sources) != len(targets):
            raise UserError(f"{len(sources)} sources and {len(targets)} targets: give one target for each source")
        options = self._options(None, changes)
        all_ids = self.tokenizer.encode_source(_unicode(sources))
        source_ids = [ids[: options.max_source_length] + [EOS] for ids in all_ids]
        target_ids = [ids + [EOS] for ids in self.tokenizer.encode_target(_unicode(targets))]
        longest = [max(map(len, pair)) for pair in zip(source_ids, target_ids, strict=True)]
        order = sorted((i for i, ids in enumerate(all_ids) if ids), key=lambda i: longest[i])
        results = [
            blank(source, target, 0.0 if len(ids) == 1 else -math.inf)
            for source, target, ids in zip(sources, targets, target_ids, strict=True)
        ]
        precision = choose_search_precision(options.precision, self.device)
        with turn(self.device):
            models = [pack(model, precision) for model in self.models]
        for group in group_by_budget([longest[i] for i in order], options.batch_tokens):
            batch = order[group]
            with turn(self.device), mixed_precision(self.device, precision):
                log_probs, weights, penalties = self._force(
                    models, [source_ids[i] for i in batch], [target_ids[i] for i in batch], options
                )
            for row, i in enumerate(batch):
                length = len(target_ids[i])
                values = log_probs[row][:length]
                total = math.fsum(values)
                if math.isnan(total):
                    raise UserError(NOT_NUMBERS)
                results[i] = Translation(
                    source=sources[i],
                    text=targets[i],
                    score=normalize(total, length, options) + penalties[row],
                    source_tokens=self.tokenizer.source_pieces(source_ids[i]),
                    tokens=self.tokenizer.target_pieces(target_ids[i]),
                    weights=weights[row, :, :length, : len(source_ids[i])].clone(),
                    log_prob=total,
                    token_log_probs=values,
                    num_unread=len(all_ids[i]) - len(source_ids[i]) + 1,
                )
        return results

    def _force(
        self,
        models: Sequence[Seq2Seq],
        source_ids: Sequence[list[int]],
        target_ids: Sequence[list[int]],
        options: SearchOptions,
    ) -> tuple[list[list[float]], torch.Tensor, list[float]]:
        """Of each target the log-probabilities of its tokens, the attention weights and the coverage penalty."""
        source, source_mask = (tensor.to(self.device) for tensor in pad(source_ids))
        target, target_mask = (tensor.to(self.device) for tensor in pad(target_ids))
        log_probs, weights = force(models, source, source_mask, target)
        penalties = torch.zeros(len(source_ids), dtype=torch.float64)
        if options.coverage_penalty > 0:
            coverage = (weights.mean(dim=1) * target_mask.unsqueeze(2)).sum(dim=1)
            penalties = coverage_penalty(coverage, source_mask, options)
        return log_probs.tolist(), weights.cpu(), penalties.tolist()

    def align_words(self, translation: Translation) -> list[tuple[int, int]]:
        """Pairs (word of the source, word of the translation), by attention; see `align_words` of word_alignment.py.

        Words are what white space divides, counted from 0.
        """
        words = [len(ids) for ids in self.tokenizer.encode_source(_unicode(translation.source.split()))]
        source_words = [word for word, size in enumerate(words) for _ in range(size)]
        source_words = source_words[: len(translation.source_tokens) - 1]
        target_words = words_of_pieces(translation.tokens[:-1], len(translation.text.split()))
        return align_words(translation.weights, source_words, target_words)

    @torch.inference_mode()
    def self_attention(self, sentences: Sequence[str]) -> list[SelfAttention]:
        """What each piece of each sentence looks at in a Transformer encoder; no weights from a recurrent one."""
        results = []
        for sentence, ids in zip(sentences, self.tokenizer.encode_source(_unicode(sentences)), strict=True):
            if not ids:
                results.append(SelfAttention(sentence, [], torch.zeros(0, 0, 0)))
                continue
            source, mask = pad([ids + [EOS]])
            with turn(self.device):
                encoded = self.model.encoder(self.model.source_embedding(source.to(self.device)), mask.to(self.device))
                weights = encoded.weights[0].flatten(0, 1).cpu()  # [L*N, S, S]
            results.append(SelfAttention(sentence, self.tokenizer.source_pieces(ids + [EOS]), weights))
        return results

    @cached_property
    def lexicon(self) -> Lexicon:
        """The table that shortlists come from; `read_lexicon` tells what may be wrong with it."""
        return read_lexicon(self.folder, self.tokenizer)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def require_attention(self, what: str) -> None:
        """Refuse what only a model with attention can give.

        Raises:
            ConfigError: There is none.
        """
        if self.config.model.attention.score == "none":
            raise ConfigError(f"{what} needs an attention, and this model has none: model.attention.score is none")

    def _searching(self, options: SearchOptions) -> BatchSearch:
        lexicon = self.lexicon if options.shortlist else None
        never_generated, cuda_graphs = self.tokenizer.never_generated, self.config.training.cuda_graphs
        return BatchSearch(self.models, options, never_generated, lexicon, cuda_graphs)

    def _options(self, beam_size: int | None, changes: SearchChanges) -> SearchOptions:
        given = {} if beam_size is None else {"beam_size": beam_size}
        options = search_options(self.config.search, {**changes, **given})
        if options.coverage_penalty > 0:
            self.require_attention("coverage_penalty")
        if options.shortlist:
            _ = self.lexicon  # that it is missing shows now
        return options


def _require_texts(texts: Sequence[str], what: str) -> None:
    """A string is a sequence of strings, too, its characters; but nobody wants those translated.

    Raises:
        UserError: It is one string, or holds something else.
    """
    if isinstance(texts, str):
        raise UserError(f"{what} are one string, {texts[:40]!r}: give a list of them")
    for number, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            raise UserError(f"{what} has no text as number {number}, but {type(text).__name__}")


def _unicode(texts: Sequence[str]) -> list[str]:
    """The texts without lone surrogates, which no tokenizer takes."""
    return [text.encode("utf-8", "replace").decode("utf-8") for text in texts]


def _bar(shown: bool) -> tqdm:
    return tqdm(desc="translating", unit="sentence", disable=not shown)
