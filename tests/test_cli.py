"""The commands end to end, on a toy corpus."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import sacrebleu

from seq2seq import Translator
from seq2seq.cli import build_parser, main, parse

ROOT = Path(__file__).parent.parent


@pytest.fixture
def stdin(monkeypatch):
    def give(content: bytes):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return give


def check_error(capsys, arguments, message):
    """Exit status 2 and one line that says what is wrong."""
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_train_leaves_a_log_of_versions_seed_and_scores(toy_run):
    log = (toy_run / "train.log").read_text()
    for part in ("seq2seq 0.", "commit ", "torch 2.", "seed 1", "500 read, 500 kept", "parameters", "validation loss",
                 "translation ", "best validation BLEU", "finished after 150 steps"):  # fmt: skip
        assert part in log


def test_evaluate_prints_scores_with_signatures(toy_run, capsys):
    assert main(["evaluate", str(toy_run), "--output", str(toy_run / "test.txt")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["BLEU", "chrF", "TER"]
    assert all("version:" in line for line in lines)
    translations = (toy_run / "test.txt").read_text().splitlines()
    references = (toy_run.parent / "test.out").read_text().splitlines()
    assert float(lines[0].split()[1]) == pytest.approx(
        sacrebleu.corpus_bleu(translations, [references]).score, abs=0.01
    )


def test_evaluate_as_json_on_files(toy_run, capsys):
    files = [f"--{side}={toy_run.parent}/validation.{end}" for side, end in (("source", "in"), ("target", "out"))]
    assert main(["evaluate", str(toy_run), "--json", *files]) == 0
    on_files = json.loads(capsys.readouterr().out)
    assert main(["evaluate", str(toy_run), "--json", "--split", "validation"]) == 0
    assert json.loads(capsys.readouterr().out) == on_files
    assert set(on_files) == {"bleu", "chrf", "ter"}
    assert set(on_files["bleu"]) == {"score", "signature"}


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


def test_mistakes_are_one_line_and_status_two(toy, toy_run, capsys, tmp_path):
    config, run = toy / "config.yaml", tmp_path / "new"
    check_error(capsys, ["train", toy / "no.yaml", "--run", run], "no.yaml: cannot read the config")
    check_error(capsys, ["train", config, "training.sede=1", "--run", run], "did you mean seed?")
    check_error(capsys, ["train", config, "--run", toy_run], "not empty; continue the run there with --resume")
    check_error(capsys, ["train", config, "data.train.source=no.in", "--run", run], "no.in: cannot read the file")
    check_error(capsys, ["evaluate", ROOT], "not a run folder")
    check_error(capsys, ["evaluate", toy_run, "--source", config], "--source and --target go together")
    check_error(capsys, ["evaluate", toy_run, "--output", tmp_path / "no" / "x"], "there is no folder")
    check_error(capsys, ["evaluate", toy_run, "--output", tmp_path], "is a folder; name a file")
    check_error(capsys, ["translate", toy / "nothing", "a"], "not a run folder")
    check_error(capsys, ["inspect", toy / "nothing"], "not a run folder")
    check_error(capsys, ["attention", toy_run, " "], "the sentence is blank")
    check_error(capsys, ["attention", toy_run, "a", "--output", tmp_path / "x.jpg"], "ends with .png or .svg")


def test_attention_of_a_model_without(toy, capsys):
    arguments = ["train", str(toy / "config.yaml"), "model.attention.score=none", "--run", str(toy / "run")]
    assert main(arguments) == 0
    capsys.readouterr()
    check_error(capsys, ["attention", toy / "run", "a b"], "this model has no attention")


def test_no_test_split(toy, capsys):
    text = (toy / "config.yaml").read_text()
    (toy / "config.yaml").write_text("".join(line for line in text.splitlines(True) if "test:" not in line))
    assert main(["train", str(toy / "config.yaml"), "--run", str(toy / "run")]) == 0
    capsys.readouterr()
    check_error(capsys, ["evaluate", toy / "run"], "its config has no data.test")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "COMMAND"),
        (["train"], "CONFIG"),
        (["train", "x.yaml"], "--run"),
        (["translate", "run", "--beam", "0"], "'0' is not a number from 1 up"),
        (["evaluate", "run", "--split", "train"], "invalid choice"),
        (["train", "x.yaml", "--run", "run", "--resum", "--fast"], "unrecognized arguments: --fast"),
        (["evaluate", "run", "more"], "unrecognized arguments: more"),
    ],
)
def test_wrong_usage(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert message in capsys.readouterr().err


def test_overrides_and_sentences_may_follow_options():
    options = parse(["train", "c.yaml", "a=1", "--run", "r", "b=2", "--resume", "c=3"])
    assert (options.overrides, options.run, options.resume) == (["a=1", "b=2", "c=3"], Path("r"), True)
    assert parse(["translate", "r", "--beam", "1", "One.", "Two."]).sentences == ["One.", "Two."]


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
    assert set(commands.choices) == {"train", "evaluate", "translate", "attention", "inspect"}
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


def test_broken_pipe_is_quiet(toy_run):
    command = f"yes 'a b c' | head -5000 | {sys.executable} -m seq2seq.cli translate {toy_run} --beam 1 | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_damaged_and_missing_weights(toy_run, capsys, tmp_path):
    import shutil

    shutil.copytree(toy_run, tmp_path / "run")
    weights = tmp_path / "run" / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    check_error(capsys, ["translate", tmp_path / "run", "a"], "model.safetensors: damaged")
    weights.unlink()
    check_error(capsys, ["translate", tmp_path / "run", "a"], "model.safetensors: no weights yet")
    check_error(capsys, ["inspect", tmp_path / "run"], "model.safetensors: no weights yet")
    weights.write_bytes(content)
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("hidden_size: 32", "hidden_size: 34"))
    check_error(capsys, ["translate", tmp_path / "run", "a"], "does not fit the run's config")
