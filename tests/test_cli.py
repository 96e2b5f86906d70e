"""The commands end to end, on a toy corpus."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from seq2seq import Translator
from seq2seq.cli import build_parser, main, parse

ROOT = Path(__file__).parent.parent


def test_train_leaves_a_log_of_versions_seed_and_scores(toy_run):
    log = (toy_run / "train.log").read_text()
    for part in ("seq2seq 0.", "commit ", "torch 2.", "seed 1", "500 read, 500 kept", "parameters", "validation loss",
                 "translation ", "best validation BLEU", "finished after 150 steps"):  # fmt: skip
        assert part in log


def test_translate_gives_a_line_for_a_line(toy_run, capsys, stdin):
    stdin("a b c\n\n   \r\nd\u2028e\x85f\rg\n\udcffa b".encode("utf-8", "surrogateescape"))
    assert main(["translate", str(toy_run)]) == 0
    lines = capsys.readouterr().out.split("\n")
    assert len(lines) == 6
    assert lines[-1] == ""
    assert lines[1] == lines[2] == ""
    assert lines[0]


def test_translate_sentences_equal_standard_input(toy_run, capsys, stdin):
    assert main(["translate", str(toy_run), "a b c", "h g"]) == 0
    sentences = capsys.readouterr().out
    stdin(b"a b c\nh g\n")
    assert main(["translate", str(toy_run)]) == 0
    assert capsys.readouterr().out == sentences


def test_translate_nothing_gives_nothing(toy_run, capsys, stdin):
    stdin(b"")
    assert main(["translate", str(toy_run)]) == 0
    assert capsys.readouterr().out == ""


def test_attention_in_the_terminal_and_as_pictures(toy_run, capsys, tmp_path):
    assert main(["attention", str(toy_run), "a b c"]) == 0
    assert "█" in capsys.readouterr().out
    for name, start in [("a.png", b"\x89PNG"), ("a.svg", b"<?xml")]:
        assert main(["attention", str(toy_run), "a b c", "--output", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_bytes().startswith(start)
    (result,) = Translator.load(toy_run, "cpu").translate(["a b c"])
    assert capsys.readouterr().out == f"{result.text}\n{result.text}\n"


def test_inspect_lists_parameters_vocabulary_and_data(toy_run, capsys):
    assert main(["inspect", str(toy_run)]) == 0
    shown = capsys.readouterr().out
    assert main(["inspect", str(toy_run), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    for parameter in result["parameters"]:
        (line,) = [line for line in shown.splitlines() if parameter["name"] in line.split()]
        assert line.startswith(parameter["symbol"] or " ")
        assert f"{parameter['count']:,}" in line.split()
    assert f"\ntotal{result['total']:,}" in shown.replace(" ", "")
    assert f"vocabulary: {result['vocabulary']['source']} pieces, joint" in shown


@pytest.fixture(scope="module")
def hybrid_run(toy_run):
    """A Transformer encoder of two layers and two heads under a recurrent decoder, on the same corpus."""
    changes = ["cell=transformer", "hidden_size=8", "num_layers=2", "num_heads=2"]
    arguments = ["train", str(toy_run.parent / "config.yaml"), "--run", str(toy_run.parent / "hybrid")]
    assert main([*arguments, *(f"model.encoder.{change}" for change in changes)]) == 0
    return toy_run.parent / "hybrid"


def test_self_attention_of_a_transformer_encoder(toy_run, hybrid_run, capsys, tmp_path, check_error):
    capsys.readouterr()
    command = ["attention", str(hybrid_run), "a b c", "h", "--encoder"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert shown.count("hybrid: encoder\n") == shown.count("layer 2 head 1\n") == 2
    assert main([*command, "--output", str(tmp_path / "a.json")]) == 0
    assert capsys.readouterr().out == ""
    first, second = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert "text" not in first
    assert first["source_tokens"] == first["tokens"]
    assert (first["source"], second["source"], first["heads"]) == ("a b c", "h", 4)
    weights = torch.tensor(first["weights"])
    assert weights.shape == (4, len(first["tokens"]), len(first["tokens"]))
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:2]), atol=1e-4, rtol=0)
    assert main([*command, "--output", str(tmp_path / "a.svg")]) == 0
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").count("<!-- layer 1 head 2 -->") == 2
    check_error(["attention", hybrid_run, " ", "--encoder"], "sentence 1 is blank")


@pytest.fixture(scope="module")
def other_run(toy_run):
    """A run on the same corpus with a tokenizer and heads of its own."""
    settings = ["decoder.style=luong", "attention.score=scaled_dot", "attention.num_heads=2",
                "attention.projection=query_key_value"]  # fmt: skip
    arguments = ["train", str(toy_run.parent / "config.yaml"), "--run", str(toy_run.parent / "other")]
    changes = ["tokenizer.vocabulary_size=280", *(f"model.{setting}" for setting in settings)]
    assert main([*arguments, *changes]) == 0
    return toy_run.parent / "other"


def test_attention_as_json(toy_run, other_run, capsys, tmp_path):
    capsys.readouterr()
    file = tmp_path / "a.json"
    sentences, targets = ["a b c", "日本 \udce9"], ["c b a", "h"]  # the last a byte that is not UTF-8
    options = ["--output", str(file), *(f"--target={target}" for target in targets)]
    assert main(["attention", str(toy_run), *sentences, "--compare", str(other_run), *options]) == 0
    assert capsys.readouterr().out.splitlines() == ["run: c b a", "other: c b a", "run: h", "other: h"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    records = json.loads(file.read_text(encoding="utf-8"))
    assert [(record["run"], record["heads"]) for record in records] == [("run", 1), ("other", 2)] * 2
    for run, of_run in ((toy_run, records[::2]), (other_run, records[1::2])):
        results = Translator.load(run, "cpu").align(["a b c", "日本 \ufffd"], targets)
        for record, result in zip(of_run, results, strict=True):
            assert list(record) == [
                "run", "source", "text", "score", "source_tokens", "tokens", "weights", "heads"
            ]  # fmt: skip
            assert record["source"] == result.source
            assert (record["text"], record["tokens"]) == (result.text, result.tokens)
            assert record["source_tokens"] == result.source_tokens
            assert record["score"] == pytest.approx(result.score, abs=1e-6)
            torch.testing.assert_close(torch.tensor(record["weights"]), result.weights, atol=1e-6, rtol=0)
            assert all(len(str(weight)) <= 8 or weight < 1e-4 for row in record["weights"][0] for weight in row)


def test_attention_of_several_runs_and_sentences(toy_run, other_run, capsys, tmp_path):
    capsys.readouterr()
    arguments = ["attention", str(toy_run), "a b c", "h", "--compare", str(other_run)]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    titles = [line for line in shown.splitlines() if " attention, " in line]
    assert [title.split(", score\u00a0-")[0] for title in titles] == [
        "run: additive attention, bahdanau decoder", "other: scaled_dot attention, luong decoder"
    ] * 2  # fmt: skip
    assert shown.count("head 1\n") == shown.count("head 2\n") == 2
    assert shown.count("░ from") == 1
    assert main([*arguments, "--output", str(tmp_path / "a.svg")]) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["run", "other"] * 2
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert all(svg.count(f"<!-- {text} -->") == count for text, count in {"source": 4, "head 2": 2}.items())


def test_attention_tells_runs_of_one_name_apart(toy_run, capsys, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run").symlink_to(toy_run)
    runs = [str(tmp_path / "other" / "run"), "--compare", str(toy_run)]
    assert main(["attention", *runs, "a"]) == 0
    shown = capsys.readouterr().out
    assert "\nother/run: additive" in f"\n{shown}"
    assert f"\n{toy_run.parent.name}/run: additive" in shown


def test_attention_of_a_model_without(toy, toy_run, capsys, tmp_path, check_error):
    arguments = ["train", str(toy / "config.yaml"), "model.attention.score=none", "--run", str(toy / "run")]
    assert main(arguments) == 0
    capsys.readouterr()
    check_error(["attention", toy / "run", "a b"], "this model has no attention")
    compared = ["attention", toy_run, "a b", "--compare", toy / "run", "--output", tmp_path / "a.png"]
    check_error(compared, f"{toy / 'run'}: this model has no attention")
    assert not (tmp_path / "a.png").exists()


def test_no_test_split(toy, capsys, check_error):
    text = (toy / "config.yaml").read_text()
    (toy / "config.yaml").write_text("".join(line for line in text.splitlines(True) if "test:" not in line))
    assert main(["train", str(toy / "config.yaml"), "--run", str(toy / "run")]) == 0
    capsys.readouterr()
    check_error(["evaluate", toy / "run"], "its config has no data.test")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "COMMAND"),
        (["train"], "CONFIG"),
        (["evaluate", "run", "--split", "train"], "invalid choice"),
        (["attention", "run"], "SENTENCE"),
    ],
)
def test_wrong_usage(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert message in capsys.readouterr().err


def test_overrides_and_sentences_may_follow_options():
    options = parse(["train", "c.yaml", "a=1", "--run", "r", "b=2", "--resume", "c=3"])
    assert (options.overrides, options.run, options.resume) == (["a=1", "b=2", "c=3"], Path("r"), True)
    assert parse(["translate", "r", "--beam-size", "1", "One.", "Two."]).sentences == ["One.", "Two."]
    options = parse(["attention", "r", "--target", "Un.", "One.", "--compare", "q", "Two.", "--target", "- Deux."])
    assert (options.sentences, options.targets, options.compare) == (["One.", "Two."], ["Un.", "- Deux."], [Path("q")])


def test_text_that_is_not_unicode_is_replaced(toy_run, capsys):
    assert main(["translate", str(toy_run), "a b \udce9"]) == 0
    assert capsys.readouterr().out.count("\n") == 1


def test_own_score_from_the_current_folder(toy):
    (toy / "my_score.py").write_text(
        "from seq2seq.model.scores import Dot\nclass Negated(Dot):\n"
        "    def forward(self, query, keys):\n        return -super().forward(query, keys)\n"
    )
    arguments = ["train", "config.yaml", "model.attention.score=my_score:Negated", "--run", "run"]
    script = "import sys; sys.path.remove(''); from seq2seq.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", script, *arguments], cwd=toy, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_option_has_a_help_text():
    (commands,) = [action for action in build_parser()._actions if action.choices and action.dest != "help"]
    assert set(commands.choices) == {
        "train", "average", "evaluate", "translate", "score", "attention", "inspect", "export", "lexicon",
    }  # fmt: skip
    for command in commands.choices.values():
        assert command.description
        assert "seq2seq" in command.epilog
        assert all(action.help for action in command._actions)


@pytest.mark.parametrize("script", ["train", "evaluate", "translate"])
def test_scripts_are_the_commands(script):
    command = [sys.executable, str(ROOT / "scripts" / f"{script}.py"), "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"usage: seq2seq {script}" in shown


def test_help_imports_neither_torch_nor_pydantic():
    code = "import sys, seq2seq.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: print([m for m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'argparse'" in shown
    assert "'torch'" not in shown
    assert "'pydantic'" not in shown
