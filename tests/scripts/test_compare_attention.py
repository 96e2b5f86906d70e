"""A comparison end to end, on the toy corpus."""

import fcntl
import json
from pathlib import Path

import pytest
import yaml
from matplotlib.image import imread

import compare_attention as script
from seq2seq.cli import main as cli
from seq2seq.training.curves import read_metrics

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "compare_attention.py"


THREE = [
    {"name": "additive"},
    {"name": "two_heads", "overrides": [f"model.attention.{o}" for o in (
        "score=scaled_dot", "num_heads=2", "projection=query_key_value",
    )]},
    {"name": "none", "overrides": ["model.attention.score=none"]},
]  # fmt: skip


@pytest.fixture
def compare(toy, monkeypatch, capsys):
    """Runs a comparison of settings in the folder of the toy; returns its exit status, stdout and stderr."""
    monkeypatch.chdir(toy)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # of the trainings' processes

    def run(settings: list[dict], *arguments: str, **keys) -> tuple[int, str, str]:
        content = {"base": "config.yaml", "sentence": "a b c", "settings": settings} | keys
        Path("comparison.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        status = script.main(["comparison.yaml", "--output", "out", "--threads", "1", *arguments])
        return status, *capsys.readouterr()

    return run


def refused(result: tuple[int, str, str]) -> str:
    status, stdout, stderr = result
    assert (status, stdout) == (2, "")
    assert stderr.count("\n") == 1
    assert not Path("out").exists()
    return stderr


def section(page: str, title: str) -> list[list[str]]:
    """The cells of the first table under a title, without its two head lines."""
    lines = page.partition(f"## {title}\n")[2].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| ---"))
    rows = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_end_to_end(compare, toy):
    # a first session in which one setting cannot go on: the others do, and it is named with its log
    two = ["--jobs", "2", "--timing-rounds", "3", "--timing-steps", "2"]
    budget, begun = ["training.max_steps=6"], toy / "out" / "none" / "run"
    assert cli(["train", "config.yaml", *THREE[2]["overrides"], "training.max_steps=4", "--run", str(begun)]) == 0
    with open(begun / "train.log", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as another training there has it
        status, stdout, stderr = compare(THREE, *two, overrides=budget)
    assert (status, stdout.splitlines()[-1]) == (1, "out/report.md")
    assert "none: training failed with exit status 2\n    seq2seq: error: out/none/run: another training is" in stderr
    assert "compare_attention: training failed: none\n" in stderr
    page = (toy / "out" / "report.md").read_text(encoding="utf-8")
    assert "Not in here, as their training has not finished: none." in page
    assert [row[0] for row in section(page, "Results")] == ["additive", "two_heads"]

    # another model under the name of a trained one is refused before anything is trained
    other = [{"name": "additive", "overrides": ["model.embedding_size=17"]}, THREE[2]]
    status, _, stderr = compare(other)
    assert status == 2
    assert "setting additive: model.embedding_size: not as in out/additive/run: name another output\n" in stderr

    # the same again: only what is not finished is trained, from where it was
    before = (toy / "out" / "additive" / "run" / "train.log").read_bytes()
    status, stdout, stderr = compare(THREE, *two, "--report", "docs/page.md", overrides=budget)
    assert (status, stdout) == (0, "docs/page.md\n")
    assert "additive: already trained" in stderr
    assert "none: training goes on" in stderr
    assert "resuming after step 4" in (begun / "train.log").read_text(encoding="utf-8")
    assert (toy / "out" / "additive" / "run" / "train.log").read_bytes() == before

    page = (toy / "docs" / "page.md").read_text(encoding="utf-8")
    results = {row[0]: row[1:] for row in section(page, "Results")}
    assert list(results) == ["additive", "two_heads", "none"]
    assert results["none"][-3:] == ["–", "–", "–"]
    assert results["additive"][2] == "1.00"
    best = max(r["bleu"] for r in read_metrics(toy / "out" / "additive" / "run" / "metrics.jsonl")["validation"])
    assert results["additive"][3] == f"{best:.1f}"
    assert results["additive"][-1] == "100 %"
    sizes, *lengths = section(page, "BLEU by source length")
    assert sum(int(cell.strip("*")) for cell in sizes[1:-1]) == 50
    assert [row[0] for row in lengths] == list(results)
    assert [row[1] for row in section(page, "How it was made")] == [
        "–",
        ", ".join(f"`{override}`" for override in THREE[1]["overrides"]),
        "`model.attention.score=none`",
    ]
    assert "    python scripts/compare_attention.py comparison.yaml --output out --threads 1" in page
    assert "overrides for all: `training.max_steps=6`; seed 1." in page
    assert str(toy) not in page
    pictures = ["attention", "attention-two_heads", "bleu_by_length", "learning_curves"]
    assert sorted(path.stem for path in (toy / "docs" / "page").iterdir()) == pictures
    for name in pictures:
        assert f"(page/{name}.png)" in page
        assert imread(toy / "docs" / "page" / f"{name}.png").std() > 0.01

    timing_file = toy / "out" / "timing.json"
    speed = json.loads(timing_file.read_text())
    assert {name: len(values) for name, values in speed["tokens_per_second"].items()} == dict.fromkeys(results, 3)
    assert all(value > 0 for values in speed["tokens_per_second"].values() for value in values)

    # once more: nothing is computed again, and the page is made anew
    times = {path: path.stat().st_mtime_ns for path in (toy / "out").rglob("*.json*")}
    status, stdout, stderr = compare(THREE, *two, overrides=budget)
    assert (status, stdout) == (0, "out/report.md\n")
    for name in results:
        assert f"{name}: already trained" in stderr
    assert "speed: already measured; remove out/timing.json to repeat it" in stderr
    assert {path: path.stat().st_mtime_ns for path in (toy / "out").rglob("*.json*")} == times
    assert section((toy / "out" / "report.md").read_text(encoding="utf-8"), "Results") == section(page, "Results")


@pytest.mark.parametrize(
    ("settings", "keys", "message"),
    [
        ([{"nmae": "a"}], {}, r"unknown key settings.0.nmae; did you mean name?"),
        (THREE, {"bas": "x"}, "unknown key bas; did you mean base?"),
        ([], {}, "settings is []: list should have at least 1 item"),
        ([{"name": "../a"}], {}, "settings.0.name is '../a': string should match pattern"),
        ([{"name": "a"}, {"name": "A"}], {}, "settings need names of their own: a, A"),
        (THREE, {"base": "nowhere.yaml"}, "setting additive: nowhere.yaml: cannot read the config"),
        ([*THREE, {"name": "new", "overrides": ["model.attention.score=new"]}], {},
         "setting new: model.attention.score is 'new': use one of additive, dot"),
        ([*THREE, {"name": "sizes", "overrides": ["model.attention.score=dot", "model.attention.projection=query",
          "model.attention.size=17"]}], {}, "setting sizes: model.attention.score: Dot compares vectors of one size"),
        ([*THREE, {"name": "heads", "overrides": ["model.attention.num_heads=3"]}], {},
         "setting heads: config.yaml: model: attention.num_heads=3: several heads need"),
        ([*THREE, {"name": "longer", "overrides": ["training.max_steps=13"]}], {},
         "setting longer: training.max_steps: must be as in additive"),
        (THREE, {"overrides": ["zzz=1"]}, "setting additive: config.yaml: unknown key"),
    ],
)  # fmt: skip
def test_mistakes_are_named_before_anything_is_trained(compare, settings, keys, message):
    assert message in refused(compare(settings, **keys))


def test_a_report_is_a_page_and_needs_a_training(compare):
    assert "page.html: a report's name ends with .md" in refused(compare(THREE, "--report", "page.html"))
    status, _, stderr = compare(THREE, "--phases", "report")
    assert status == 2
    assert "out: nothing to report: no setting has been trained to the end" in stderr


SHIPPED = sorted((ROOT / "configs" / "compare").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_comparisons_are_in_order(path, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    comparison = script.load_comparison(path)
    assert len(script.check_candidates(comparison, tmp_path)) == len(comparison.settings)
    assert comparison.settings[-1].overrides == ["model.attention.score=none"]
    assert len(comparison.settings) <= 16
