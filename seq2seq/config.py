"""The one schema of settings, checked before anything runs."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Probability = Annotated[float, Field(ge=0.0, lt=1.0)]
PositiveInt = Annotated[int, Field(ge=1)]

TABLE_FORMATS = ("json", "csv", "tsv", "parquet")


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CorpusConfig(Section):
    """Where one split's sentence pairs are: two line-aligned files, one table, or a dataset on the hub."""

    source: str | None = None
    """Plain-text file with one source sentence a line; `target` is its line-aligned partner."""
    target: str | None = None
    json_file: str | None = Field(default=None, alias="json")
    """JSON lines, with flat columns or a nested `translation: {en: ..., de: ...}`."""
    csv: str | None = None
    tsv: str | None = None
    parquet: str | None = None
    hub: str | None = None
    """A dataset's name on the hub, such as `bentrevett/multi30k`; `name@revision` pins a commit, tag or branch."""
    hub_config: str | None = None
    """The hub dataset's configuration, such as `en-fr`, where it has several."""
    split: str | None = None
    """The hub dataset's split; by default the name of the section (train, validation, test)."""
    source_column: str | None = None
    """Column of the source sentences in a table; by default `data.source_language`."""
    target_column: str | None = None

    @model_validator(mode="after")
    def _exactly_one_place(self) -> "CorpusConfig":
        if (self.source is None) != (self.target is None):
            raise ValueError("plain text needs both `source` and `target`")
        given = [name for name in ("source", *TABLE_FORMATS, "hub") if self.place(name)]
        if len(given) != 1:
            raise ValueError(
                "give exactly one of source+target, json, csv, tsv, parquet, hub; got "
                + (" and ".join(given) or "none")
            )
        if self.hub is None and (self.hub_config is not None or self.split is not None):
            raise ValueError("`hub_config` and `split` go with `hub` only")
        if self.source is not None and (self.source_column is not None or self.target_column is not None):
            raise ValueError("`source_column` and `target_column` go with a table or the hub, not with plain text")
        return self

    def place(self, name: str) -> str | None:
        return getattr(self, "json_file" if name == "json" else name)

    @property
    def files(self) -> list[str]:
        return [place for name in ("source", "target", *TABLE_FORMATS) if (place := self.place(name))]


class DataConfig(Section):
    source_language: str
    target_language: str
    train: CorpusConfig
    validation: CorpusConfig
    test: CorpusConfig | None = None
    max_length: PositiveInt = 200
    """Training pairs with a longer side, in subword tokens, are dropped and counted."""
    max_length_ratio: Annotated[float, Field(ge=1.0)] = 9.0
    """Training pairs whose longer side has more than this many times the tokens of the shorter are dropped and counted
    (short sides get a grace of five tokens)."""
    num_workers: PositiveInt | None = None
    """Processes that tokenize; by default one a core, and one for a small corpus."""
    cache: str | None = None
    """Folder of the tokenized training corpora, which runs share; by default `.cache` beside the run folder."""
    streaming: bool = False
    """Read and tokenize the training text anew in each epoch, and store nothing."""
    shuffle_buffer: PositiveInt = 100_000
    """Streaming shuffles and buckets so many pairs at a time; what is further apart keeps its order."""


class TokenizerConfig(Section):
    type: Literal["unigram", "bpe"] = "unigram"
    vocabulary_size: Annotated[int, Field(ge=8)] = 8000
    """Pieces; fewer are learned, with a notice, where the text does not support as many."""
    joint: bool = True
    """One vocabulary for both languages, or one each."""
    byte_fallback: bool = True
    """Spell characters without a piece of their own as UTF-8 bytes, so that no input is unknown."""
    learn_from: PositiveInt = 250_000
    """Pairs that the vocabulary is learned from: of a longer corpus so many, evenly spaced; in streaming the first."""
    character_coverage: Annotated[float, Field(ge=0.98, le=1.0)] = 1.0
    normalization: Literal["nmt_nfkc", "nfkc", "identity"] = "nmt_nfkc"
    """Unicode normalization before tokenizing; `nmt_nfkc` is NFKC with line-like spaces made plain."""
    sampling_alpha: Annotated[float, Field(ge=0.0, le=100.0)] | None = None
    """Subword regularization (Kudo 2018, arXiv:1804.10959): each epoch cuts the training text into other pieces, drawn
    with the unigram model's probability to this power; null takes the most probable (docs/training.md)."""

    @model_validator(mode="after")
    def _sampling_has_probabilities(self) -> "TokenizerConfig":
        if self.sampling_alpha is not None and self.type == "bpe":
            raise ValueError("sampling_alpha needs type=unigram; type is bpe, whose pieces have no probabilities")
        return self


class EncoderConfig(Section):
    cell: Literal["gru", "lstm", "transformer"] = "gru"
    """A recurrent cell, or a stack of Transformer layers under the same recurrent decoders."""
    hidden_size: PositiveInt = 256
    """Per direction; a Transformer has one."""
    num_layers: PositiveInt = 1
    bidirectional: bool = True
    dropout: Probability = 0.0
    """On source embeddings, between layers and on the states; in a Transformer also within its layers."""
    num_heads: PositiveInt | None = None
    """Of a Transformer's self-attention; by default 4."""
    feedforward_size: PositiveInt | None = None
    """Of a Transformer; by default four times `hidden_size`."""

    @model_validator(mode="after")
    def _transformer(self) -> "EncoderConfig":
        if self.cell == "transformer":
            if not self.bidirectional:
                raise ValueError("bidirectional=false needs cell=gru or lstm: a Transformer layer sees both sides")
            if self.hidden_size % (self.num_heads or 4):
                raise ValueError(f"num_heads, {self.num_heads or 4}, does not divide hidden_size, {self.hidden_size}")
        elif self.num_heads is not None or self.feedforward_size is not None:
            raise ValueError(f"num_heads and feedforward_size need cell=transformer; cell is {self.cell}")
        return self


class DecoderConfig(Section):
    style: Literal["bahdanau", "conditional", "luong"] = "bahdanau"
    """Attend, then update; update twice with attention between (the conditional GRU); or update, then attend."""
    cell: Literal["gru", "lstm"] = "gru"
    hidden_size: PositiveInt = 512
    num_layers: PositiveInt = 1
    input_feeding: bool = True
    """Whether what attention found at a step enters the next: the context itself (required but by luong) or the
    attentional vector (luong). Without it the whole target sequence runs through the recurrence in one call."""
    bridge: Literal["zeros", "last", "mean", "projection"] = "projection"
    """First hidden state: zeros; the encoder's last states, or the mean of its states, as they are (sizes must agree);
    or tanh of a learned projection of the last states."""
    dropout: Probability = 0.0
    """On target embeddings, between layers and on the output."""
    output_size: PositiveInt | None = None
    """Size of the vector that the output layer multiplies; by default the embedding size where the output layer is tied
    to the target embedding, else `hidden_size`."""


class AttentionConfig(Section):
    score: str = "additive"
    """additive, dot, scaled_dot, cosine, bilinear or concat; `none` for no attention; or the import path of your own
    class, `package.module:Class`."""
    normalizer: str = "softmax"
    """softmax, sparsemax, entmax15 or hard, or the import path of your own class."""
    temperature: Annotated[float, Field(gt=0.0)] = 1.0
    """Scores are divided by it before they are normalized; with `hard`, that of the Gumbel-softmax."""
    window: str = "none"
    """Which source positions a step may look at: `none`, all; `local_m`, those around its own number; `local_p`, those
    around a predicted one; or the import path of your own class."""
    window_size: PositiveInt = 10
    """Source positions on either side of a window's center."""
    coverage: bool = False
    """Whether the weights that a source position has had so far enter its key."""
    num_heads: PositiveInt = 1
    projection: Literal["none", "query", "key", "query_key", "query_key_value"] = "query_key"
    """Which of query, keys and values pass through a learned matrix; the others are used as they are."""
    size: PositiveInt | None = None
    """Width of the projected query, keys and values over all heads; by default the decoder's hidden size."""


class VectorsConfig(Section):
    """Word vectors that the embeddings start from: text files of word2vec, GloVe or fastText, gzipped or not, whose
    vectors have `model.embedding_size` numbers. They are read when a run begins, and never again."""

    source: str | None = None
    target: str | None = None
    """Where `tie_embeddings` makes the sides one matrix, both files fill it; pieces in both take this one's vectors."""
    frozen: Literal["none", "source", "target", "both"] = "none"
    """Which embeddings stay as they start. A matrix is frozen whole and in all its uses: pieces without a vector keep
    their random start, and `tie_embeddings` freezes what is tied to it with it, the output layer's matrix too."""

    @property
    def frozen_sides(self) -> tuple[str, ...]:
        return {"none": (), "both": ("source", "target")}.get(self.frozen, (self.frozen,))


class ModelConfig(Section):
    embedding_size: PositiveInt = 256
    vectors: VectorsConfig = VectorsConfig()
    tie_embeddings: Literal["none", "source_target", "target_output", "all"] = "none"
    """Which of source embedding, target embedding and output layer are one matrix."""
    word_dropout: Probability = 0.0
    """Probability of hiding a whole token's embedding, on both sides, in training (Gal & Ghahramani 2016,
    arXiv:1512.05287; Sennrich & Zhang 2019, arXiv:1905.11901, section 3.2)."""
    layer_norm: bool = False
    """Layer normalization (arXiv:1607.06450) of the encoder's states and of the vector before the output layer."""
    encoder: EncoderConfig = EncoderConfig()
    decoder: DecoderConfig = DecoderConfig()
    attention: AttentionConfig = AttentionConfig()

    @model_validator(mode="after")
    def _sizes_agree(self) -> "ModelConfig":
        decoder, attention = self.decoder, self.attention
        tied = self.tie_embeddings in ("target_output", "all")
        if tied and decoder.output_size not in (None, self.embedding_size):
            raise ValueError(
                f"decoder.output_size is {decoder.output_size}, but tie_embeddings={self.tie_embeddings} makes the "
                f"output layer the target embedding: leave it out, or set it to embedding_size, {self.embedding_size}"
            )
        if decoder.style != "luong" and not decoder.input_feeding:
            raise ValueError(
                "decoder.input_feeding=false needs decoder.style=luong: the recurrence of the others reads the context"
            )
        if decoder.bridge in ("last", "mean") and self.state_size != decoder.hidden_size:
            raise ValueError(
                f"decoder.bridge={decoder.bridge} copies encoder states of size {self.state_size} (hidden_size x "
                f"directions) into a decoder of hidden_size {decoder.hidden_size}: make them equal, "
                "or use bridge=projection or zeros"
            )
        if attention.coverage and not decoder.input_feeding:
            raise ValueError(
                "attention.coverage=true needs decoder.input_feeding=true: without it all target steps attend at once, "
                "and none knows the weights of those before"
            )
        if decoder.bridge == "last" and (
            self.encoder.num_layers != decoder.num_layers or self.encoder.cell != decoder.cell
        ):
            raise ValueError(
                "decoder.bridge=last needs encoder and decoder of the same cell and num_layers; use bridge=projection"
            )
        if attention.score == "none":
            if attention.window != "none" or attention.coverage:
                raise ValueError("attention.window and attention.coverage need an attention; attention.score is none")
            return self
        if attention.num_heads > 1 and attention.projection != "query_key_value":
            raise ValueError(
                f"attention.num_heads={attention.num_heads}: several heads need attention.projection=query_key_value"
            )
        if self.attention_size % attention.num_heads:
            raise ValueError(
                f"attention.num_heads is {attention.num_heads}, which does not divide the attention's size "
                f"{self.attention_size}"
            )
        return self

    @model_validator(mode="after")
    def _frozen_has_vectors(self) -> "ModelConfig":
        shared = self.tie_embeddings in ("source_target", "all")
        for side in self.vectors.frozen_sides:
            given = (self.vectors.source, self.vectors.target) if shared else (getattr(self.vectors, side),)
            if not any(given):
                raise ValueError(
                    f"vectors.frozen={self.vectors.frozen} keeps the {side} embedding as it starts, but "
                    f"vectors.{side} names no file: its random start would never change"
                )
        return self

    @property
    def state_size(self) -> int:
        """M, the size of an encoder state over its directions."""
        is_two = self.encoder.bidirectional and self.encoder.cell != "transformer"
        return self.encoder.hidden_size * (2 if is_two else 1)

    @property
    def attention_size(self) -> int:
        return self.attention.size or self.decoder.hidden_size

    @property
    def output_size(self) -> int:
        if self.decoder.output_size is not None:
            return self.decoder.output_size
        return self.embedding_size if self.tie_embeddings in ("target_output", "all") else self.decoder.hidden_size


class TrainingConfig(Section):
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    start_from: str | None = None
    """Folder or hub name of a model whose weights and vocabulary training starts from (docs/training.md)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number format of the matrix products. `auto` takes bfloat16 where the processor multiplies it fast."""
    batch_tokens: PositiveInt = 2048
    """Padded subword tokens a batch: sentence pairs times the length of the longest side. An update takes
    `batch_tokens` x `accumulate` x the number of processes."""
    accumulate: PositiveInt = 1
    """Batches a process adds up to one update: memory for one, the gradient of all."""
    gradient_checkpoint_interval: PositiveInt | None = None
    """Keep the decoder's state after each so many target steps only, and compute those between anew in the backward
    pass: less memory, more time. Something like the square root of a long target's length saves most."""
    cuda_graphs: bool = True
    """On a GPU, replay CUDA graphs in translation, and in training without `gradient_checkpoint_interval`."""
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: Annotated[float, Field(gt=0.0, le=10.0)] = 1e-3
    betas: tuple[Probability, Probability] = (0.9, 0.999)
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    schedule: Literal["constant", "inverse_sqrt", "linear", "cosine", "plateau"] = "constant"
    """After the warm-up: keep the rate; fall with the square root of the step; fall to zero at the last step; or fall
    by `plateau_factor` after each `plateau_patience` validations in a row without a better one."""
    plateau_patience: PositiveInt = 2
    plateau_factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """Optimizer steps over which the learning rate rises from zero."""
    clip_grad_norm: Annotated[float, Field(gt=0.0)] | None = 1.0
    label_smoothing: Probability = 0.0
    coverage_loss: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight of the coverage loss, a price on attending twice to a place (See et al. 2017, arXiv:1704.04368, section
    2.3). They add it, with weight 1, for the last few steps only; here that is a `--resume` with it."""
    max_epochs: PositiveInt | None = 30
    max_steps: PositiveInt | None = None
    """Optimizer steps; training ends at this or at max_epochs, whichever is first."""
    validate_every: PositiveInt = 500
    """Optimizer steps between validations."""
    patience: PositiveInt | None = None
    """Stop after this many validations in a row without a better one."""
    early_stopping_metric: Literal["bleu", "chrf", "loss"] = "bleu"
    """Which validation is better, for the model that is kept, `patience`, `keep_best` and the schedule `plateau`; equal
    ones are decided by the loss."""
    ema_decay: Probability | None = None
    """Validate and keep an exponential moving average of the weights, which moves by 1 - `ema_decay` at each update."""
    checkpoint_every: PositiveInt = 500
    """Optimizer steps between checkpoints, from which `--resume` continues."""
    keep_checkpoints: PositiveInt = 1
    """The last so many stay."""
    keep_best: Annotated[int, Field(ge=0)] = 0
    """Weights of the best so many validations stay in the folder `best`, for `seq2seq average`."""
    tensorboard: bool = False
    """Also write curves and the attention of a few sentences for TensorBoard, which the extra `tensorboard` brings."""
    skip_nonfinite_steps: Annotated[int, Field(ge=0)] = 0
    """Updates that a run may leave out because the loss or the gradient is not finite, before that stops it."""

    @model_validator(mode="after")
    def _ends(self) -> "TrainingConfig":
        if self.max_epochs is None and self.max_steps is None:
            raise ValueError("max_epochs and max_steps are both null: training would never end; give one of them")
        return self


class SearchConfig(Section):
    beam_size: Annotated[int, Field(ge=1, le=10_000)] = 5
    """1 is greedy search."""
    beam_threshold: Annotated[float, Field(gt=0.0)] | None = None
    """Hypotheses whose log-probability is this much lower than that of their sentence's best so far are dropped, which
    is faster: absolute threshold pruning (Freitag & Al-Onaizan 2017, arXiv:1702.01806, section 3)."""
    length_normalization: Literal["exponent", "gnmt", "reward"] = "exponent"
    """How finished hypotheses of different length are ranked: by log-probability / length ** `length_penalty`, by
    log-probability / ((5 + length) / 6) ** `length_penalty` (Wu et al. 2016, arXiv:1609.08144, equation 14), or by
    log-probability + `length_penalty` x length. A length is in subword tokens, </s> included."""
    length_penalty: Annotated[float, Field(ge=0.0, le=10.0)] = 1.0
    """0 ranks by log-probability alone."""
    coverage_penalty: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight of the price on source tokens that got less attention than 1 in all (the same equation)."""
    no_repeat_ngram_size: Annotated[int, Field(ge=0)] = 0
    """No run of this many subword tokens stands twice in a translation; 0 for no such rule."""
    min_length_ratio: Annotated[float, Field(ge=0.0, le=100.0)] = 0.0
    """A translation has at least this many tokens a source token."""
    max_length_ratio: Annotated[float, Field(gt=0.0, le=100.0)] = 2.0
    """A translation has at most this many tokens a source token, plus ten."""
    max_source_length: PositiveInt = 1000
    """Of a longer source, in subword tokens, the end is not read."""
    batch_tokens: PositiveInt = 4096
    """Padded source tokens a batch, times the beam size."""
    precision: Literal["float32", "bfloat16", "int8"] = "float32"
    """Of the matrix products; int8 on x86 only. In all but float32 a translation depends a little on its batch."""

    @model_validator(mode="after")
    def _lengths_agree(self) -> "SearchConfig":
        if self.min_length_ratio > self.max_length_ratio:
            raise ValueError(
                f"min_length_ratio is {self.min_length_ratio:g}, more than max_length_ratio, {self.max_length_ratio:g}"
            )
        return self


class Config(Section):
    data: DataConfig
    tokenizer: TokenizerConfig = TokenizerConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    search: SearchConfig = SearchConfig()

    @model_validator(mode="after")
    def _sections_agree(self) -> "Config":
        if self.data.streaming and (self.training.max_epochs is not None or self.training.max_steps is None):
            raise ValueError(
                "data.streaming=true needs training.max_epochs=null and a number for training.max_steps: "
                "how many steps an epoch has is not known before it is read"
            )
        if self.model.tie_embeddings in ("source_target", "all") and not self.tokenizer.joint:
            raise ValueError(
                f"model.tie_embeddings={self.model.tie_embeddings} needs tokenizer.joint=true: "
                "two vocabularies cannot share one embedding"
            )
        if self.training.coverage_loss > 0 and self.model.attention.score == "none":
            raise ValueError("training.coverage_loss needs an attention; model.attention.score is none")
        if self.search.coverage_penalty > 0 and self.model.attention.score == "none":
            raise ValueError("search.coverage_penalty needs an attention; model.attention.score is none")
        return self
