from pathlib import Path

import pytest

from seq2seq.config_file import load_config, save_config
from seq2seq.errors import ConfigError

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))
MINIMAL = """
data:
  source_language: en
  target_language: fr
  train: {source: train.en, target: train.fr}
  validation: {json: validation.json}
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "config.yaml").write_text(MINIMAL)
    return tmp_path / "config.yaml"


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.name)
def test_every_config_loads_and_is_written_back_the_same(config, tmp_path):
    loaded = load_config(config)
    save_config(loaded, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == loaded
    assert config.read_text(encoding="utf-8").startswith("#"), "a comment at the top says what it reaches"


def test_overrides_apply_before_validation(path):
    config = load_config(path, ["training.learning_rate=5e-4", "model.encoder.cell=lstm", "training.max_steps=null"])
    assert config.training.learning_rate == 5e-4
    assert config.model.encoder.cell == "lstm"
    assert config.training.max_steps is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.lerning_rate=1", r"unknown key training.lerning_rate; did you mean learning_rate\?"),
        ("data.train.sorce=x", r"unknown key data.train.sorce; did you mean source\?"),
        ("zzz=1", "unknown key zzz; known are data, tokenizer, model, training, search"),
        ("model.encoder.cell=rnn", "model.encoder.cell is 'rnn': input should be 'gru', 'lstm' or 'transformer'"),
        ("training.batch_tokens=0", "training.batch_tokens is 0: input should be greater than or equal to 1"),
        ("training.learning_rate=abc", "training.learning_rate is 'abc': input should be a valid number"),
        ("training.learning_rate=.nan", "training.learning_rate is nan: input should be a finite number"),
        (
            "tokenizer={type: bpe, sampling_alpha: 0.2}",
            "tokenizer: sampling_alpha needs type=unigram; type is bpe, whose",
        ),
        ("tokenizer.sampling_alpha=-1", "tokenizer.sampling_alpha is -1: input should be greater than or equal to 0"),
        ("model.encoder.dropout=1.0", "model.encoder.dropout is 1.0: input should be less than 1"),
        ("training.max_epochs=null", "max_epochs and max_steps are both null"),
        ("model.decoder.input_feeding=false", "input_feeding=false needs decoder.style=luong"),
        ("model.decoder.bridge=last", "decoder.bridge=last needs encoder and decoder of the same cell and num_layers"),
        ("model.decoder.bridge=mean", "copies encoder states of size 512 .* into a decoder of hidden_size 100"),
        ("model.attention.num_heads=4", "several heads need attention.projection=query_key_value"),
        ("model.attention.temperature=0", "model.attention.temperature is 0: input should be greater than 0"),
        ("model.attention.coverage=true", "attention.coverage=true needs decoder.input_feeding=true"),
        ("model.attention.window=local_m", "attention.window and attention.coverage need an attention"),
        ("training.coverage_loss=1", "training.coverage_loss needs an attention; model.attention.score is none"),
        ("search.coverage_penalty=1", "search.coverage_penalty needs an attention; model.attention.score is none"),
        ("search.min_length_ratio=3", "search: min_length_ratio is 3, more than max_length_ratio, 2"),
        ("search.length_normalization=sum", "search.length_normalization is 'sum': input should be 'exponent', 'gnmt'"),
        ("model.encoder.num_heads=2", "num_heads and feedforward_size need cell=transformer; cell is gru"),
        ("model.encoder.num_heads=3", "model.encoder: num_heads, 3, does not divide hidden_size, 256"),
        ("model.encoder.bidirectional=false", "bidirectional=false needs cell=gru or lstm"),
        ("model.decoder.output_size=7", "decoder.output_size is 7, but tie_embeddings=target_output"),
        (
            "model.vectors.frozen=source",
            "model: vectors.frozen=source keeps the source embedding as it starts, but vectors.source names no file",
        ),
        ("model.vectors.frozen=both", "vectors.frozen=both .* but vectors.target names no file"),
        ("model.vectors.frozen=all", "model.vectors.frozen is 'all': input should be 'none', 'source', 'target' or"),
        ("tokenizer.joint=false", "tie_embeddings=all needs tokenizer.joint=true"),
        ("data.train.csv=x.csv", "data.train: give exactly one of .*; got source and csv"),
        ("data.train.target=null", "data.train: plain text needs both `source` and `target`"),
        ("data.validation.split=dev", "`hub_config` and `split` go with `hub` only"),
        ("data.source_language=null", "data.source_language is None"),
        ("seed", "override 'seed': write it as section.key=value"),
        ("training.seed=[", "override 'training.seed=\\[': not valid YAML: expected the node content"),
        ("training.seed=!!int", "override 'training.seed=!!int': not valid YAML: string index out of range"),
        ("training.seed=2001-99-99", "override 'training.seed=2001-99-99': not valid YAML: month must be in 1..12"),
        ("data.source_language.x=1", "source_language is a value, not a section"),
    ],
)
def test_mistakes_are_named(path, override, message):
    given = {
        "model.decoder.bridge=last": ["model.decoder.num_layers=2"],
        "model.decoder.bridge=mean": ["model.decoder.hidden_size=100"],
        "model.attention.coverage=true": ["model.decoder.style=luong", "model.decoder.input_feeding=false"],
        "model.attention.window=local_m": ["model.attention.score=none"],
        "training.coverage_loss=1": ["model.attention.score=none"],
        "search.coverage_penalty=1": ["model.attention.score=none"],
        "model.encoder.num_heads=3": ["model.encoder.cell=transformer"],
        "model.encoder.bidirectional=false": ["model.encoder.cell=transformer"],
        "model.decoder.output_size=7": ["model.tie_embeddings=target_output"],
        "model.vectors.frozen=both": ["model.vectors.source=a.vec"],
        "tokenizer.joint=false": ["model.tie_embeddings=all"],
    }
    with pytest.raises(ConfigError, match=message):
        load_config(path, [*given.get(override, []), override])


@pytest.mark.parametrize("tying", ["source_target", "all"])
@pytest.mark.parametrize("frozen", ["source", "target", "both"])
@pytest.mark.parametrize("side", ["source", "target"])
def test_one_file_is_enough_to_freeze_a_matrix_of_both_sides(path, tying, frozen, side):
    overrides = [f"model.tie_embeddings={tying}", f"model.vectors.frozen={frozen}", f"model.vectors.{side}=a.vec"]
    assert load_config(path, overrides).model.vectors.frozen == frozen
    with pytest.raises(ConfigError, match="names no file"):
        load_config(path, overrides[:2])


def test_heads_must_divide_the_size(path):
    with pytest.raises(ConfigError, match="num_heads is 3, which does not divide the attention's size 512"):
        load_config(path, ["model.attention.projection=query_key_value", "model.attention.num_heads=3"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1", "not valid YAML"),
        (b"- 1\n", "a config is a mapping of sections"),
        (b"", "a config is a mapping of sections"),
        (b"\xff\xfe", "it is not UTF-8 text"),
    ],
)
def test_unreadable_config(tmp_path, content, message):
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path / "config.yaml")


def test_missing_config_and_missing_section(tmp_path, path):
    with pytest.raises(ConfigError, match=r"nothing.yaml: cannot read the config: No such file"):
        load_config(tmp_path / "nothing.yaml")
    path.write_text("training: {seed: 1}\n")
    with pytest.raises(ConfigError, match="data is required"):
        load_config(path)
