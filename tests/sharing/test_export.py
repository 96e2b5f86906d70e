"""A model as a folder to share, and its card."""

import contextlib
import io
import json
import re
import resource
import shlex
import shutil

import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from safetensors.torch import load_file

from seq2seq import Translator
from seq2seq.cli import main
from seq2seq.config import Config
from seq2seq.data.lexicon import Lexicon
from seq2seq.data.tokenizer import EOS, Tokenizer
from seq2seq.errors import ConfigError, UserError
from seq2seq.sharing.scores import ModelScores, ValidationScores, read_scores

SCORES = {
    "bleu": {"score": 37.428, "signature": "nrefs:1|case:mixed|version:2.6.0"},
    "ter": {"score": 47.5, "signature": "nrefs:1|version:2.6.0", "more": 1},
    "num_sentences": 1014,
    "speed": 3,
}


def export(run, tmp_path, *options, name="toy-in-out") -> str:
    """The card of what the command makes."""
    assert main(["export", str(run), "--output", str(tmp_path / name), *options]) == 0
    return (tmp_path / name / "README.md").read_text(encoding="utf-8")


def test_the_folder_is_complete_and_says_nothing_of_this_machine(toy_run, tmp_path, capsys):
    export(toy_run, tmp_path)
    assert capsys.readouterr().out.startswith(f"The model is in {tmp_path / 'toy-in-out'}. Next: read ")
    folder = tmp_path / "toy-in-out"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {
        "README.md", "config.yaml", "data.json", "model.safetensors", "scores.json", "tokenizer/joint.model"
    }  # fmt: skip
    for path in folder.rglob("*"):
        if path.is_file():
            assert str(tmp_path).encode() not in path.read_bytes()
            assert str(toy_run.parent).encode() not in path.read_bytes()
    run, exported = Translator.load(toy_run, "cpu"), Translator.load(folder, "cpu")
    sources = ["a b c", "h g", "", "e f g h a"]
    assert [r.text for r in exported.translate(sources)] == [r.text for r in run.translate(sources)]
    assert json.loads((folder / "data.json").read_text()) == json.loads((toy_run / "data.json").read_text())


def test_exported_again_it_is_the_same(toy_run, tmp_path):
    export(toy_run, tmp_path)
    export(tmp_path / "toy-in-out", tmp_path / "again")
    for name in ("config.yaml", "data.json", "model.safetensors", "scores.json", "README.md", "tokenizer/joint.model"):
        assert (tmp_path / "again" / "toy-in-out" / name).read_bytes() == (tmp_path / "toy-in-out" / name).read_bytes()


def test_the_card_tells_languages_scores_and_data(toy_run, tmp_path):
    (tmp_path / "scores.json").write_text(json.dumps(SCORES))
    text = export(toy_run, tmp_path, "--scores", str(tmp_path / "scores.json"))
    data = ModelCard(text).data
    assert (data.language, data.library_name, data.pipeline_tag) == (["in", "out"], "seq2seq-attention", "translation")
    assert data.metrics == ["bleu", "chrf", "ter"]
    validation = [json.loads(line) for line in (toy_run / "metrics.jsonl").read_text().splitlines()]
    best = max((record for record in validation if record["kind"] == "validation"), key=lambda record: record["bleu"])
    assert {(r.dataset_split, r.metric_type, r.metric_value, r.metric_config) for r in data.eval_results} == {
        ("validation", "bleu", round(best["bleu"], 2), "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp"),
        ("validation", "chrf", round(best["chrf"], 2), "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no"),
        ("test", "bleu", 37.43, "nrefs:1|case:mixed|version:2.6.0"),
        ("test", "ter", 47.5, "nrefs:1|version:2.6.0"),
    }
    assert {(r.dataset_split, r.dataset_name) for r in data.eval_results} == {
        ("validation", "validation.in and validation.out"), ("test", "a test set of 1,014 sentences")
    }  # fmt: skip
    assert "Test (a test set of 1,014 sentences):\n\n- BLEU 37.43, `nrefs:1|case:mixed|version:2.6.0`" in text
    assert "validated on validation.in and validation.out. To be tested on test.in and test.out." in text
    assert f"Validation (validation.in and validation.out, step {best['step']}, greedy search):" in text
    counts = json.loads((toy_run / "data.json").read_text())["train"]
    row = f"| train | 500 | 500 | {counts['source_tokens']:,} | {counts['target_tokens']:,} | {counts['sha256']} |"
    assert row in text
    count = sum(weight.numel() for weight in load_file(toy_run / "model.safetensors").values())
    assert f"{count:,} parameters" in text


@pytest.mark.parametrize("name", ["toy-in-out", 'it\'s "my" modèle'])
def test_the_card_s_lines_work_as_they_stand(toy_run, tmp_path, monkeypatch, capsys, name):
    text = export(toy_run, tmp_path, name=name)
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (shell,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    program, *arguments = shlex.split(shell.splitlines()[0])
    assert program == "seq2seq"
    assert main(arguments) == 0
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out == printed.getvalue() != ""


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({}, ["GRU encoder, bidirectional, each direction of 1 layer of 5 units; additive attention, bahdanau decoder, "
              "whose GRU has 1 layer of 11 units; one vocabulary of 2"]),
        ({"tokenizer.joint": False, "model.encoder.bidirectional": False, "model.encoder.num_layers": 2,
          "model.encoder.cell": "lstm"}, ["LSTM encoder of 2 layers of 5 units; ", "vocabularies of "]),
        ({"model.encoder": {"cell": "transformer", "hidden_size": 8}}, ["Transformer encoder of 1 layer of 8 feat"]),
        ({"data.source_language": "English"}, []),
        ({"data.target_language": "en"}, []),
    ],
)  # fmt: skip
def test_the_card_says_what_the_model_is(make_model, tmp_path, changes, parts):
    Translator.load(make_model(**changes), "cpu").save_pretrained(tmp_path / "new")
    text = (tmp_path / "new" / "README.md").read_text()
    assert all(part in text for part in parts)
    data = ModelCard(text).data
    languages = {"English": None, "en": ["en"]}
    changed = next((value for key, value in changes.items() if "language" in key), None)
    assert data.language == languages.get(changed, ["en", "fr"])
    assert (data.eval_results, data.metrics) == (None, None)
    assert "\nNone are known.\n" in text
    assert "Trained on train.en and train.fr, validated on owner/corpus (en-fr).\n\nNo counts are known." in text
    assert not (tmp_path / "new" / "scores.json").exists()


def test_a_translator_made_by_hand(make_model, tmp_path):
    loaded = Translator.load(make_model(), "cpu")
    Translator(loaded.model, loaded.tokenizer, loaded.config).save_pretrained(tmp_path / "new")
    again = Translator.load(tmp_path / "new", "cpu")
    for one, other in zip(loaded.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_hostile_counts_stay_in_their_cells(make_model, tmp_path):
    folder = make_model()
    (folder / "data.json").write_text(json.dumps({"a|b\n# c": {"read": "<img>\n|", "kept": [1]}}))
    Translator.load(folder, "cpu").save_pretrained(tmp_path / "new")
    assert "| a b   c |  img    |  1  |  |  |  |" in (tmp_path / "new" / "README.md").read_text()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "scores.json: cannot read it: No such file"),
        ("{", "scores.json: damaged: Expecting property name"),
        ("[]", "scores.json: not scores as `seq2seq evaluate --json` prints them"),
        ("{}", r"scores.json: none of bleu, chrf and ter, each as {\"score\""),
        ('{"bleu": 37.4}', "scores.json: bleu is 37.4: expected a section, which has"),
        ('{"bleu": {"score": 37.4}}', "scores.json: bleu.signature is required"),
        ('{"bleu": {"score": NaN, "signature": "a"}}', "scores.json: bleu.score is nan: input should be a finite"),
        ('{"bleu": {"score": 1, "signature": "a`\\nb"}}', r"scores.json: bleu.signature is 'a`\\nb': string should"),
    ],
)  # fmt: skip
def test_scores_of_another_form_are_named(make_model, tmp_path, content, message, capsys):
    folder, path = make_model(), tmp_path / "scores.json"
    if content is not None:
        path.write_text(content)
    assert main(["export", str(folder), "--output", str(tmp_path / "new"), "--scores", str(path)]) == 2
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_scores_given_in_python_are_checked(make_model, tmp_path):
    translator = Translator.load(make_model(), "cpu")
    with pytest.raises(ConfigError, match=r"^scores: none of bleu, chrf and ter"):
        translator.save_pretrained(tmp_path / "new", scores={"comet": {"score": 0.8}})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "scores.json: damaged: expected scores of validation and test"),
        ('{"tests": {}}', "scores.json: unknown key tests; did you mean test?"),
        ('{"validation": {"bleu": {"score": 3, "signature": "a"}}}', "scores.json: validation.step is required"),
    ],
)
def test_damaged_scores_of_a_shared_model(make_model, content, message):
    folder = make_model()
    (folder / "scores.json").write_text(content)
    with pytest.raises(ConfigError, match=re.escape(message)):
        Translator.load(folder, "cpu").save_pretrained(folder.parent / "new")


@pytest.mark.parametrize(("metric", "step"), [("bleu", 20), ("chrf", 10), ("loss", 30)])
def test_the_best_validation_is_that_whose_weights_were_kept(make_model, metric, step):
    config = Config.model_validate(yaml.safe_load((make_model() / "config.yaml").read_text()))
    training = config.training.model_copy(update={"early_stopping_metric": metric})
    records = [(10, 5.0, 50.0, 3.0), (20, 7.0, 40.0, 2.0), (30, 6.0, 45.0, 1.0), (40, 7.0, 40.0, 2.0)]
    folder = make_model("run")
    assert read_scores(folder, config) == ModelScores()
    lines = [
        json.dumps({"kind": "validation", "step": step, "bleu": bleu, "chrf": chrf, "loss": loss})
        for step, bleu, chrf, loss in records
    ]
    (folder / "metrics.jsonl").write_text("".join(line + "\n" for line in lines))
    best = read_scores(folder, config.model_copy(update={"training": training})).validation
    assert isinstance(best, ValidationScores)
    assert best.step == step
    (folder / "metrics.jsonl").write_text('{"kind": "validation", "step": 1}\n' + lines[0])
    with pytest.raises(UserError, match=r"metrics.jsonl: line 1: not a record of a run"):
        read_scores(folder, config)
    (folder / "metrics.jsonl").write_text(lines[0].replace("5.0", "[]") + "\n" + lines[1])
    with pytest.raises(UserError, match=r'metrics.jsonl: line 1: not a record of a run: .*"bleu": \[\]'):
        read_scores(folder, config)


def test_an_existing_folder_is_left_alone(make_model, tmp_path):
    translator = Translator.load(make_model(), "cpu")
    (tmp_path / "mine").mkdir()
    with pytest.raises(ConfigError, match="mine: exists; name another folder"):
        translator.save_pretrained(tmp_path / "mine")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file/new: cannot write the folder: Not a directory"):
        translator.save_pretrained(tmp_path / "file" / "new")


def test_a_full_disk_leaves_nothing(make_model, tmp_path):
    """RLIMIT_FSIZE stands for the disk: it has room for the tokenizer and the settings, not for the weights."""
    translator = Translator.load(make_model(**{"model.embedding_size": 499}), "cpu")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, limits[1]))
    try:
        with pytest.raises(ConfigError, match="new: cannot write the folder: File too large"):
            translator.save_pretrained(tmp_path / "new")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_damaged_counts_are_named_before_anything_is_written(make_model, tmp_path):
    folder = make_model()
    (folder / "data.json").write_text("{")
    with pytest.raises(ConfigError, match=r"data.json: damaged"):
        Translator.load(folder, "cpu").save_pretrained(tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_lexical_table_goes_with_the_model(toy_run, tmp_path):
    run, name = tmp_path / "run", "lexicon.safetensors"
    shutil.copytree(toy_run, run)
    tokenizer = Tokenizer.load(run / "tokenizer")
    translations = torch.full((tokenizer.source_size, 2), EOS, dtype=torch.int32)
    Lexicon(translations, torch.arange(4, 50, dtype=torch.int32)).save(run / name)
    export(run, tmp_path)
    assert (tmp_path / "toy-in-out" / name).read_bytes() == (run / name).read_bytes()
    ours, theirs = (Translator.load(folder, "cpu").translate(["a b c", "h"], shortlist=True)
                    for folder in (run, tmp_path / "toy-in-out"))  # fmt: skip
    assert [(one.text, one.score) for one in ours] == [(other.text, other.score) for other in theirs]
    (run / name).write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=f"{name}: damaged, or not a safetensors file"):
        Translator.load(run, "cpu").save_pretrained(tmp_path / "again")
    assert not (tmp_path / "again").exists()
