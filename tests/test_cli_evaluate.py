"""`seq2seq evaluate` end to end, on a toy corpus."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sacrebleu
from matplotlib.image import imread

from seq2seq.cli import main, parse

METRICS = ("bleu", "chrf", "ter")


@pytest.fixture
def evaluate(capsys):
    """Runs the command; returns its exit status, stdout and stderr."""

    def run(*arguments) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["evaluate", *map(str, arguments)])
        return status, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def greedy(toy_run, tmp_path_factory) -> Path:
    """The same model, searching greedily."""
    run = tmp_path_factory.mktemp("other") / "run"
    shutil.copytree(toy_run, run)
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("beam_size: 5", "beam_size: 1"))
    return run


@pytest.fixture
def worse(toy_run, tmp_path) -> Path:
    """Translations of the test set by something worse than its references: each without its last word."""
    lines = (toy_run.parent / "test.out").read_text().splitlines()
    (tmp_path / "worse.txt").write_text("".join(line[:-2] + "\n" for line in lines))
    return tmp_path / "worse.txt"


def test_scores_with_signatures(toy_run, evaluate, tmp_path):
    status, stdout, stderr = evaluate(toy_run, "--output", tmp_path / "test.txt")
    lines = stdout.splitlines()
    assert status == 0
    assert [line.split()[0] for line in lines] == ["BLEU", "chrF", "TER"]
    assert all("version:" in line for line in lines)
    translations = (tmp_path / "test.txt").read_text().splitlines()
    references = (toy_run.parent / "test.out").read_text().splitlines()
    bleu = sacrebleu.corpus_bleu(translations, [references]).score
    assert float(lines[0].split()[1]) == pytest.approx(bleu, abs=0.01)
    assert stderr.startswith(f"seq2seq: {toy_run}: translated 50 sentences in ")
    assert stderr.count("\n") == 1


def test_json_on_files(toy_run, evaluate):
    files = [f"--{side}={toy_run.parent}/validation.{end}" for side, end in (("source", "in"), ("target", "out"))]
    on_files, on_split = (json.loads(evaluate(toy_run, "--json", *how)[1]) for how in (files, ["--split=validation"]))
    speeds = [result.pop("speed") for result in (on_files, on_split)]
    assert on_files == on_split
    assert list(on_files) == ["run", "translations", "num_sentences", *METRICS, "by_length", "examples", "overlap"]
    assert (on_files["run"], on_files["translations"], on_files["num_sentences"]) == (str(toy_run), None, 50)
    for metric in METRICS:
        assert list(on_files[metric]) == ["score", "signature", "confidence", "p_value"]
        assert on_files[metric]["confidence"] is on_files[metric]["p_value"] is None
    assert on_files["by_length"] is on_files["examples"] is on_files["overlap"] is None
    for speed in speeds:
        assert list(speed) == ["seconds", "sentences_per_second", "tokens_per_second"]
        assert speed["seconds"] * speed["sentences_per_second"] == pytest.approx(50)
        assert speed["tokens_per_second"] > 2 * speed["sentences_per_second"]  # a word and </s> at least


def test_everything_at_once(toy_run, evaluate, tmp_path):
    asked = ["--bootstrap", 40, "--plot", tmp_path / "a.png", "--examples", 2, "--overlap"]
    status, stdout, _ = evaluate(toy_run, *asked)
    result = json.loads(evaluate(toy_run, *asked, "--json")[1])
    assert status == 0
    assert imread(tmp_path / "a.png").std() > 0.01
    for label, metric in (("BLEU", "bleu"), ("chrF", "chrf"), ("TER ", "ter")):
        score, confidence = result[metric], result[metric]["confidence"]
        interval = f"(μ = {confidence['mean']:.2f} ± {confidence['half_width']:.2f})"
        assert f"{label} {score['score']:6.2f} {interval}   {score['signature']}\n" in stdout
        assert "|bs:40|seed:12345|" in score["signature"]
    words, sentences, bleu = stdout.split("\n\n")[1].splitlines()
    buckets = result["by_length"]
    assert words.split()[4:] == [
        "–".join(str(length) for length in sorted({bucket["shortest"], bucket["longest"]})) for bucket in buckets
    ]
    assert [int(cell) for cell in sentences.split()[1:]] == [bucket["num_sentences"] for bucket in buckets]
    assert [float(cell) for cell in bleu.split()[1:]] == [round(bucket["bleu"], 2) for bucket in buckets]
    assert [len(result["examples"][kind]) for kind in ("longest", "best", "worst")] == [2, 2, 2]
    longest, sources = result["examples"]["longest"][0], (toy_run.parent / "test.in").read_text().splitlines()
    assert longest["source"] == sources[longest["line"] - 1]
    assert (
        f"longest:\n  line {longest['line']}, chrF {longest['chrf']:.2f}\n    source       {longest['source']}\n"
        in stdout
    )
    train = set((toy_run.parent / "train.in").read_text().splitlines())
    found = sum(source in train for source in sources)
    assert result["overlap"] == {"num_pairs": found, "num_sources": found, "num_sentences": 50}
    assert f"\n  {found} of 50 ({2 * found:.1f} %) sentences with their reference\n" in stdout


def test_runs_are_compared_with_the_first(toy_run, greedy, evaluate, tmp_path):
    status, stdout, stderr = evaluate(toy_run, "--by-length", greedy, "--plot", tmp_path / "a.svg")
    assert status == 0
    assert stderr.count(": translated 50 sentences in ") == stderr.count("\n") == 2
    first, second = json.loads(evaluate(toy_run, greedy, "--json", "--overlap")[1])
    assert first["overlap"]["num_sentences"] == 50
    assert first["overlap"] == second["overlap"]
    assert (first["run"], second["run"]) == (str(toy_run), str(greedy))
    assert first["bleu"] == json.loads(evaluate(toy_run, "--json", "--bootstrap", 1000)[1])["bleu"]
    lines = stdout.splitlines()
    assert lines[0] == f"BLEU   {first['bleu']['signature']}"
    assert lines[1].split()[0] == str(toy_run)
    assert lines[1].endswith("   baseline")
    assert lines[2].split()[0] == str(greedy)
    assert lines[2].endswith(f"   p = {second['bleu']['p_value']:.4f}")
    assert f"\nBLEU of {greedy}" in stdout
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")  # where names are the shortest that differ
    assert f"<!-- {toy_run.parent.name}/run -->" in svg
    assert f"<!-- {greedy.parent.name}/run -->" in svg


def test_translations_made_before_need_no_torch(toy_run, worse, evaluate, tmp_path):
    scores = json.loads(evaluate(toy_run, "--output", tmp_path / "ours.txt", "--json")[1])
    files = ["--translations", str(tmp_path / "ours.txt"), "--json", "--by-length"]
    code = "import sys; from seq2seq.cli import main; main(sys.argv[1:]); sys.exit('torch' in sys.modules)"
    command = [sys.executable, "-c", code, "evaluate", str(toy_run), *files]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    again = json.loads(done.stdout)
    assert {metric: again[metric] for metric in METRICS} == {metric: scores[metric] for metric in METRICS}
    assert (again["run"], again["translations"], again["speed"]) == (str(toy_run), files[1], None)

    ours, other = json.loads(evaluate(toy_run, *files, "--translations", worse)[1])
    assert (ours["translations"], other["translations"]) == (files[1], str(worse))
    assert other["bleu"]["score"] < 100
    assert 0 < other["bleu"]["p_value"] <= 1


def test_case_is_ignored_on_request(toy_run, worse, evaluate):
    worse.write_text((toy_run.parent / "test.out").read_text().upper())
    cased, uncased = (
        json.loads(evaluate(toy_run, "--translations", worse, "--json", "--examples", 1, *how)[1])
        for how in ([], ["--lowercase"])
    )
    assert cased["bleu"]["score"] == cased["examples"]["worst"][0]["chrf"] == 0
    assert [uncased["bleu"]["score"], uncased["examples"]["worst"][0]["chrf"]] == pytest.approx([100, 100])
    assert "case:lc" in uncased["bleu"]["signature"]


def test_tokenized_translations_are_noted_in_one_line(toy_run, evaluate, tmp_path):
    files = {name: tmp_path / name for name in ("source", "target", "translations")}
    for number, file in enumerate(files.values()):
        file.write_text("a b c ." * (number > 0) + "\n" + "a b c .\n" * 100)
    status, stdout, stderr = evaluate(toy_run, *(f"--{name}={file}" for name, file in files.items()))
    assert status == 0
    assert stdout.startswith("BLEU 100.00 ")
    assert stderr == (
        f"seq2seq: {files['translations']}: 101 of 101 translations end in a tokenized period (' .'): "
        "detokenize them, or their scores compare with no others\n"
    )


def test_training_text_that_is_gone_is_noted_in_one_line(toy, toy_run, worse, evaluate):
    run = toy / "run"
    shutil.copytree(toy_run, run)
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace(f"{toy_run.parent}/train.in", f"{toy}/gone.in"))
    status, stdout, stderr = evaluate(run, "--translations", worse, "--overlap", "--json")
    assert status == 0
    assert json.loads(stdout)["overlap"] is None
    assert (
        stderr
        == f"seq2seq: {run}: overlap not counted: {toy}/gone.in: cannot read the file: No such file or directory\n"
    )


def test_other_test_sets_are_refused_unless_files_are_given(toy, toy_run, greedy, worse, evaluate, check_error):
    run = toy / "run"
    shutil.copytree(greedy, run)
    config = (run / "config.yaml").read_text()
    for old, new, message in [
        (f"{toy_run.parent}/test.in", f"{toy}/test.in",
         f"{run}: data.test is source={toy}/test.in, target={toy_run.parent}/test.out, but in {toy_run} it is "
         f"source={toy_run.parent}/test.in, target={toy_run.parent}/test.out; name one test set for all with --source"),
        ("target_language: out", "target_language: fr",
         f"{run}: data.target_language is 'fr', but in {toy_run} it is 'out'; name one test set for all with --source"),
    ]:  # fmt: skip
        (run / "config.yaml").write_text(config.replace(old, new))
        check_error(["evaluate", toy_run, run], message)
        status, stdout, _ = evaluate(toy_run, run, f"--source={toy}/test.in", f"--target={toy}/test.out")
        assert status == 0
        assert stdout.count("p = ") == 3


def test_mistakes_are_named_before_anything_is_translated(toy_run, greedy, worse, tmp_path, monkeypatch, check_error):
    other = tmp_path / "no"
    for arguments, message in [
        ([toy_run, other], f"{other}: not a run folder"),
        ([toy_run, greedy, toy_run], f"{toy_run}: is named 2 x: name each once"),
        ([toy_run, greedy, os.path.relpath(toy_run)], f"{toy_run}: is named 2 x: name each once"),
        ([toy_run, "--translations", worse, "--translations", worse], f"{worse}: is named 2 x"),
        ([toy_run, greedy, "--translations", worse], "--translations takes one RUN, for the test set and the language"),
        ([toy_run, greedy, "--output", tmp_path / "x"], "--output writes the translations of one RUN"),
        ([toy_run, "--output", tmp_path], "is a folder; name a file"),
        ([toy_run, "--plot", tmp_path / "no" / "a.png"], "there is no folder"),
    ]:
        check_error(["evaluate", *arguments], message)
    monkeypatch.setenv("SACREBLEU_SEED", "0")
    check_error(["evaluate", toy_run, "--bootstrap", 40], "SACREBLEU_SEED is '0'")
    check_error(["evaluate", toy_run, greedy], "SACREBLEU_SEED is '0'")


@pytest.mark.parametrize("language", ["ja", "ko"])
def test_a_language_whose_tokenizer_is_absent_is_refused(toy, toy_run, language, check_error):
    if importlib.util.find_spec({"ja": "MeCab", "ko": "mecab_ko"}[language]):
        pytest.skip("it is installed here")
    shutil.copytree(toy_run, toy / "run")
    config = (toy / "run" / "config.yaml").read_text()
    (toy / "run" / "config.yaml").write_text(config.replace("target_language: out", f"target_language: {language}"))
    message = f"data.target_language is '{language}', and sacreBLEU's tokenizer for it is not installed: pip"
    check_error(["evaluate", toy / "run"], message)


def test_runs_may_follow_options():
    assert parse(["evaluate", "a", "b", "--json", "c", "--bootstrap", "100", "d"]).runs == ["a", "b", "c", "d"]


@pytest.mark.parametrize("number", ["39", "-1", "x"])
def test_too_few_samples_for_an_interval(number, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["evaluate", "run", "--bootstrap", number])
    assert f"'{number}' is not a number from 40 up: with fewer no 95 % can be told" in capsys.readouterr().err


def test_an_ensemble_is_one_system(toy_run, greedy, evaluate, tmp_path, check_error):
    (tmp_path / "out").mkdir()
    output = tmp_path / "out" / "ensemble.txt"
    status, out, log = evaluate(toy_run, greedy, "--ensemble", "--json", "--output", output)
    assert status == 0
    assert f"{toy_run} + {greedy}: translated 50 sentences" in log
    record = json.loads(out)
    _, alone, _ = evaluate(toy_run, "--json")  # the two are of the same weights, and the first one's search is taken
    assert record["run"] == f"{toy_run} + {greedy}"
    assert record["bleu"] == json.loads(alone)["bleu"]
    assert len(output.read_text().splitlines()) == 50
    check_error(["evaluate", toy_run, "--ensemble"], "--ensemble takes two RUN or more")
    check_error(["evaluate", toy_run, greedy, "--ensemble", "--overlap"], "ask for it without --ensemble")
    files = ["--translations", output]
    check_error(["evaluate", toy_run, greedy, "--ensemble", *files], "--translations takes one RUN")


def test_with_a_threshold(toy_run, evaluate):
    whole, same, pruned = (
        json.loads(evaluate(toy_run, "--json", "--beam-size", "4", *threshold)[1])["bleu"]
        for threshold in ([], ["--beam-threshold", "1000"], ["--beam-threshold", "1e-9"])
    )
    assert pruned != whole == same


def test_with_a_shortlist(toy_run, greedy, evaluate, check_error):
    assert main(["lexicon", str(greedy)]) == 0
    _, whole, _ = evaluate(greedy, "--json")
    status, listed, _ = evaluate(greedy, "--json", "--shortlist")
    assert status == 0
    assert json.loads(listed)["bleu"]["score"] == pytest.approx(json.loads(whole)["bleu"]["score"], abs=2.0)
    missing = f"{toy_run}: a shortlist needs lexicon.safetensors"
    check_error(["evaluate", greedy, toy_run, "--shortlist"], missing)  # before it translates
