import json
import math
import shutil

import pytest
from torch import nn

from seq2seq.config import ModelConfig
from seq2seq.errors import ConfigError
from seq2seq.inference.translator import Translator
from seq2seq.model.scores import SCORES
from seq2seq.model.seq2seq import Seq2Seq
from seq2seq.visualization.inspection import PARTS, Inspection, format_inspection, inspect_run, list_parameters

STYLES = {
    "bahdanau": {"style": "bahdanau"},
    "conditional": {"style": "conditional"},
    "input_feeding": {"style": "luong", "input_feeding": True},
    "luong": {"style": "luong", "input_feeding": False},
}


def make(style="bahdanau", cell="gru", layers=1, attention=None, **settings):
    config = ModelConfig.model_validate(
        {
            "embedding_size": 6,
            "encoder": {"cell": cell, "hidden_size": 5, "num_layers": layers},
            "decoder": {**STYLES[style], "cell": cell, "hidden_size": 10, "num_layers": layers},
            "attention": {"size": 14, **(attention or {})},
            **settings,
        }
    )
    return Seq2Seq(config, 23, 23)


def symbols(model):
    return {parameter.name: parameter.symbol for parameter in list_parameters(model)}


def show(model, width=None, data=None, target_size=1234, joint=False):
    return format_inspection(Inspection(list_parameters(model), 23, target_size, joint, data), width)


@pytest.mark.parametrize("tying", ["none", "source_target", "target_output", "all"])
@pytest.mark.parametrize("score", ["none", *SCORES])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("style", STYLES)
def test_every_parameter_is_listed_once_in_its_part(style, cell, score, tying):
    model = make(style, cell, 2, {"score": score}, tie_embeddings=tying)
    parameters = list_parameters(model)
    named = dict(model.named_parameters())
    assert {each.name: each.shape for each in parameters} == {name: list(each.shape) for name, each in named.items()}
    assert all(each.count == math.prod(each.shape) for each in parameters)
    assert sum(each.share for each in parameters) == pytest.approx(1)
    inspection = Inspection(parameters, 23, 23, True, None)
    assert inspection.total == sum(each.numel() for each in named.values()) == sum(inspection.parts.values())
    assert list(inspection.parts) == list(PARTS)
    attention = sum(each.numel() for each in model.decoder.attention.parameters())
    assert inspection.parts["attention"] == attention
    assert inspection.parts["encoder"] == sum(each.numel() for each in model.encoder.parameters())
    assert inspection.parts["decoder"] == sum(each.numel() for each in model.decoder.parameters()) - attention
    assert [each.part for each in parameters] == sorted((each.part for each in parameters), key=PARTS.index)


@pytest.mark.parametrize(
    ("attention", "expected"),
    [
        ({"score": "additive"}, {"query_projection.weight": "W_Q", "key_projection.weight": "W_K", "score.v": "v"}),
        ({"score": "bilinear", "projection": "none"}, {"score.weight": "W"}),
        (
            {"score": "concat", "projection": "none"},
            {"score.query_weight": "W", "score.key_weight": "W", "score.additive.v": "v"},
        ),
        (
            {"score": "scaled_dot", "projection": "query_key_value", "num_heads": 2},
            {
                "query_projection.weight": "W_Q",
                "key_projection.weight": "W_K",
                "value_projection.weight": "W_V",
                "output_projection.weight": "W_O",
            },
        ),
        ({"score": "dot", "projection": "none"}, {}),
        ({"score": "none"}, {}),
    ],
)
def test_symbols_of_attention(attention, expected):
    shown = symbols(make(attention=attention))
    prefix = "decoder.attention."
    assert {name: symbol for name, symbol in shown.items() if name.startswith(prefix)} == {
        prefix + name: symbol for name, symbol in expected.items()
    }


def test_symbols_of_cells_and_layers_are_those_of_the_decoders_paper():
    shown = symbols(make("bahdanau", layers=2))
    assert shown["source_embedding.weight"] == shown["target_embedding.weight"] == "E"
    assert shown["encoder.backward_layers.1.weight_ih_l0"] == "W"
    assert shown["encoder.backward_layers.1.weight_hh_l0"] == "U"
    assert shown["encoder.backward_layers.1.bias_hh_l0"] is None
    assert shown["decoder.embedding_gates.weight"] == shown["decoder.stack.layer_gates.0.weight"] == "W"
    assert shown["decoder.stack.cells.1.recurrent.weight"] == "U"
    assert shown["decoder.context_gates.weight"] == "C"
    assert (shown["decoder.bridge.projection.weight"], shown["output_layer.weight"]) == ("W_s", "W_o")
    for style in ("luong", "input_feeding"):
        shown = symbols(make(style))
        assert (shown["decoder.readout.linear.weight"], shown["output_layer.weight"]) == ("W_c", "W_s")
        assert shown["decoder.bridge.projection.weight"] is None


def test_modules_that_are_not_known_yet_are_listed_by_name():
    """An encoder with an attention of its own, a parameter of the attention, and a part beside the known ones."""
    model = make()
    layer = nn.ModuleDict({"attention": nn.ModuleDict({"query_projection": nn.Linear(6, 7, bias=False)})})
    model.encoder = nn.ModuleDict({"layers": nn.ModuleList([layer])})
    model.decoder.attention.window = nn.Linear(3, 2, bias=False)
    model.critic = nn.Linear(11, 1, bias=False)
    shown = {each.name: (each.part, each.symbol) for each in list_parameters(model)}
    assert shown["encoder.layers.0.attention.query_projection.weight"] == ("encoder", "W_Q")
    assert shown["decoder.attention.window.weight"] == ("attention", None)
    assert shown["critic.weight"] == ("critic", None)
    assert list(Inspection(list_parameters(model), 23, 23, True, None).parts) == [*PARTS, "critic"]
    assert "decoder.attention.window.weight" in show(model)


def test_tied_parameters_are_shown_once_with_their_other_names():
    model = make(tie_embeddings="all")
    first = list_parameters(model)[0]
    assert (first.name, first.also) == ("source_embedding.weight", ["target_embedding.weight", "output_layer.weight"])
    lines = show(model).splitlines()
    place = next(index for index, line in enumerate(lines) if "source_embedding.weight" in line)
    assert [line.strip() for line in lines[place + 1 : place + 3]] == [
        "tied: is also target_embedding.weight",
        "tied: is also output_layer.weight",
    ]


def test_frozen_parameters_are_marked_and_summed():
    model = make(vectors={"source": "a.vec", "frozen": "source"})
    assert [each.name for each in list_parameters(model) if each.frozen] == ["source_embedding.weight"]
    lines = show(model).splitlines()
    place = next(index for index, line in enumerate(lines) if "source_embedding.weight" in line)
    assert lines[place + 1].strip() == "frozen"
    (line,) = [line for line in lines if line.startswith("of which frozen")]
    assert line.split()[3] == str(23 * 6)
    assert "of which frozen" not in show(make())


@pytest.mark.parametrize("width", [80, 120, None])
def test_columns_line_up(width):
    shown = show(make("bahdanau", "lstm", 2, {"score": "concat"}), width)
    table = shown[: shown.index("\n\nvocabularies")].splitlines()
    ends = {len(line) for line in table if line}
    assert len(ends) == 1
    assert ends.pop() <= 80
    count_ends = {line[:-9].rstrip() == line[:-9] for line in table if line}
    assert count_ends == {True}


def test_names_too_long_for_the_terminal_lose_their_beginning():
    model = make()
    name = "decoder.attention.query_projection.weight"
    assert any(name in line.split() for line in show(model, 79).splitlines())
    narrow = show(model, 60)
    (line,) = [line for line in narrow.splitlines() if line.startswith("W_Q")]
    cut = line.split()[1]
    assert cut.startswith("…")
    assert name.endswith(cut[1:])
    assert all(len(line) <= 60 for line in narrow.splitlines())


def test_large_counts_have_separators():
    shown = show(Seq2Seq(ModelConfig(), 8000, 8000), 80)
    assert any(line.split()[2:7] == ["8,000", "x", "256", "2,048,000", "16.5"] for line in shown.splitlines())
    assert max(map(len, shown.splitlines())) <= 80


def test_vocabularies():
    assert "vocabulary: 23 pieces, joint (one for source and target)" in show(make(), joint=True)
    assert "vocabularies: source 23 pieces, target 1,234 pieces" in show(make())


def test_data_counts_are_a_column_a_split():
    counts = {
        "train": {"read": 20000, "kept": 19995, "source_tokens": 1234567, "dropped": {"too_long": 5}},
        "validation": {"read": 500, "source_tokens": 6789},
    }
    assert show(make(), data=counts).split("\n\n")[-1].splitlines() == [
        "data                   train  validation",
        "read                  20,000         500",
        "kept                  19,995",
        "source tokens      1,234,567       6,789",
        "dropped: too long          5",
    ]
    assert show(make()).endswith("\n\ndata: no counts (the run has no data.json)")


def test_inspect_run_reads_the_folder(toy_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(toy_run, run)
    (run / "data.json").unlink(missing_ok=True)
    inspection = inspect_run(run)
    model = Translator.load(run, "cpu").model
    assert inspection.total == sum(parameter.numel() for parameter in model.parameters())
    assert inspection.data is None
    counts = {"train": {"read": 500}}
    (run / "data.json").write_text(json.dumps(counts))
    assert inspect_run(run).data == counts
    result = json.loads(inspect_run(run).to_json())
    assert list(result) == ["parameters", "parts", "total", "frozen", "vocabulary", "data"]
    assert result["vocabulary"] == {"source": 277, "target": 277, "joint": True}
    assert result["parameters"][0] == {
        "part": "embeddings", "symbol": "E", "name": "source_embedding.weight", "shape": [277, 16], "count": 4432,
        "share": 4432 / inspection.total, "also": [], "frozen": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "data.json: damaged: Expecting"), ("[1]", "data.json: damaged: expected counts for each split")],
)
def test_damaged_counts_are_named(toy_run, tmp_path, content, message):
    shutil.copytree(toy_run, tmp_path / "run")
    (tmp_path / "run" / "data.json").write_text(content)
    with pytest.raises(ConfigError, match=message):
        inspect_run(tmp_path / "run")
