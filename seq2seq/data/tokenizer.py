"""Subword tokenizers (sentencepiece), trained on the run's own corpus and kept in its run folder."""

import hashlib
import io
import re
from collections.abc import Sequence
from pathlib import Path

import sentencepiece

from seq2seq.config import TokenizerConfig
from seq2seq.data.corpus import Corpus
from seq2seq.errors import DataError
from seq2seq.files import write_atomically, written_whole

PAD, UNK, BOS, EOS = 0, 1, 2, 3
WORD_START = "\u2581"
"""With which sentencepiece begins a piece that starts a word."""
CONTROL_BYTES = (*range(0x20), 0x7F)
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
"""Control characters, less those that are white space."""


class Tokenizer:
    """Text to ids and back, for both languages; one sentencepiece model for both (joint) or one each."""

    def __init__(
        self, source: sentencepiece.SentencePieceProcessor, target: sentencepiece.SentencePieceProcessor, joint: bool
    ):
        self._source, self._target, self.joint = source, target, joint

    @classmethod
    def train(cls, config: TokenizerConfig, corpus: Corpus) -> "Tokenizer":
        """Learn the pieces from a corpus (Kudo & Richardson 2018, arXiv:1808.06226).

        Sentencepiece leaves lines over 4,192 bytes out of learning.

        Raises:
            DataError: The vocabulary cannot be learned from this text; the message says what would do.
        """
        if config.joint:
            model = _train(config, corpus.source + corpus.target)
            return cls(model, model, joint=True)
        return cls(_train(config, corpus.source), _train(config, corpus.target), joint=False)

    @classmethod
    def load(cls, folder: str | Path) -> "Tokenizer":
        """Read what `save` wrote.

        Raises:
            DataError: A model file is missing or damaged.
        """
        folder = Path(folder)
        if (folder / "joint.model").exists():
            model = _load(folder / "joint.model")
            return cls(model, model, joint=True)
        return cls(_load(folder / "source.model"), _load(folder / "target.model"), joint=False)

    def save(self, folder: str | Path) -> None:
        models = {"joint": self._source} if self.joint else {"source": self._source, "target": self._target}
        with written_whole(Path(folder)) as new:
            for name, model in models.items():
                write_atomically(new / f"{name}.model", model.serialized_model_proto())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the models: another vocabulary, normalization or segmentation has another."""
        digest = hashlib.sha256(self._source.serialized_model_proto())
        digest.update(b"" if self.joint else self._target.serialized_model_proto())
        return digest.hexdigest()

    @property
    def source_size(self) -> int:
        return self._source.get_piece_size()

    @property
    def target_size(self) -> int:
        return self._target.get_piece_size()

    def encode_source(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids without BOS and EOS. A control symbol's name in a text is plain text."""
        return self._source.encode(list(texts))

    def encode_target(self, texts: Sequence[str]) -> list[list[int]]:
        return self._target.encode(list(texts))

    def decode(self, ids: Sequence[int]) -> str:
        """Target ids to one line of text; bytes are joined to characters, control symbols and characters vanish.

        Control characters are orders to a terminal, which a stranger's vocabulary may hold in a piece.
        """
        return " ".join(CONTROL.sub("", self._target.decode(list(ids))).split())

    def source_pieces(self, ids: Sequence[int]) -> list[str]:
        return [self._source.id_to_piece(i) for i in ids]

    def target_pieces(self, ids: Sequence[int]) -> list[str]:
        return [self._target.id_to_piece(i) for i in ids]

    @property
    def source_log_probs(self) -> list[float | None]:
        """Of each piece in a unigram model; None for control symbols, the unknown and bytes."""
        return _log_probs(self._source)

    @property
    def target_log_probs(self) -> list[float | None]:
        return _log_probs(self._target)

    @property
    def never_generated(self) -> list[int]:
        """Target ids that no translation may hold: control symbols other than EOS, and bytes that end a line or steer a
        terminal."""
        names = [self._target.piece_to_id(f"<0x{byte:02X}>") for byte in CONTROL_BYTES]
        return sorted({PAD, UNK, BOS, *names})


def _train(config: TokenizerConfig, texts: Sequence[str]) -> sentencepiece.SentencePieceProcessor:
    if not any(map(str.strip, texts)):
        raise DataError("the training text is blank: there is nothing to learn a vocabulary from")
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type=config.type,
            vocab_size=config.vocabulary_size,
            hard_vocab_limit=False,
            character_coverage=config.character_coverage,
            byte_fallback=config.byte_fallback,
            normalization_rule_name=config.normalization,
            pad_id=PAD,
            unk_id=UNK,
            bos_id=BOS,
            eos_id=EOS,
            num_threads=4,  # fixed: the sums, and so the pieces, depend on it
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        size = f"tokenizer.vocabulary_size={config.vocabulary_size}"
        if needed := re.search(r"smaller than required_chars\. \d+ vs (\d+)", str(error)):
            raise DataError(
                f"{size} is too small: the training text's characters take {needed[1]} pieces, with the bytes of "
                "byte_fallback; set it to that or more, or lower tokenizer.character_coverage"
            ) from error
        reason = " ".join(str(error).split()) or "the text is too small"
        raise DataError(f"{size} cannot be learned from the training text: {reason}") from error
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def _log_probs(model: sentencepiece.SentencePieceProcessor) -> list[float | None]:
    others = (model.is_control, model.is_unknown, model.is_byte)
    return [
        None if any(is_other(index) for is_other in others) else model.get_score(index)
        for index in range(model.get_piece_size())
    ]


def _load(path: Path) -> sentencepiece.SentencePieceProcessor:
    try:
        content = path.read_bytes()
        model = sentencepiece.SentencePieceProcessor(model_proto=content) if content else None  # it takes no bytes, too
    except FileNotFoundError as error:
        raise DataError(f"{path}: the tokenizer's model is missing") from error
    except (RuntimeError, OSError, UnicodeDecodeError) as error:  # the last, if its message quotes a damaged piece
        raise DataError(f"{path}: not a sentencepiece model, or damaged") from error
    if model is None:
        raise DataError(f"{path}: not a sentencepiece model, or damaged: it is empty")
    ids = (model.pad_id(), model.unk_id(), model.bos_id(), model.eos_id())
    if ids != (PAD, UNK, BOS, EOS):
        raise DataError(f"{path}: not a tokenizer of ours: pad, unk, bos, eos are pieces {ids}, not 0, 1, 2, 3")
    return model
