"""An ablation end to end, on the toy corpus."""

from pathlib import Path

import pytest
import yaml

import ablate as script
from seq2seq.training.curves import read_metrics

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ablate(toy, monkeypatch, capsys):
    """Runs an ablation in the folder of the toy; returns its exit status, stdout and stderr."""
    monkeypatch.chdir(toy)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # of the trainings' processes

    def run(settings: list[dict], *arguments: str, **keys) -> tuple[int, str, str]:
        content = {"base": "config.yaml", "seeds": [1, 2], "settings": settings} | keys
        Path("ablation.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        status = script.main(["ablation.yaml", "--output", "out", "--threads", "1", *arguments])
        return status, *capsys.readouterr()

    return run


TWO = [{"name": "recipe"}, {"name": "no-smoothing", "overrides": ["training.label_smoothing=0"]}]


def rows(page: str) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    return {name: rest for name, *rest in cells[2:]}


def test_end_to_end(ablate, toy):
    budget = ["training.max_steps=4", "training.validate_every=2"]
    status, stdout, stderr = ablate(TWO[:1], overrides=budget, seeds=[3])
    assert (status, stdout.splitlines()[-1]) == (0, "out/report.md"), stderr
    status, _, stderr = ablate(TWO, "--jobs", "2", overrides=budget, seeds=[3])  # what is new joins what is trained
    assert status == 0
    assert "recipe-seed3: already trained" in stderr
    assert "no-smoothing-seed3: trained" in stderr

    def best(name: str) -> float:
        return max(each["bleu"] for each in read_metrics(toy / "out" / name / "run" / "metrics.jsonl")["validation"])

    recipe, other = (best(f"{name}-seed3") for name in ("recipe", "no-smoothing"))
    page = (toy / "out" / "report.md").read_text(encoding="utf-8")
    table = rows(page)
    assert table["recipe"] == [f"{recipe:.2f}", "–", f"{recipe:.2f}", "0", "–"]
    assert table["no-smoothing"] == [
        f"{other:.2f}", f"{other - recipe:+.2f}", f"{other:.2f}", "0", "`training.label_smoothing=0`",
    ]  # fmt: skip
    assert "    python scripts/ablate.py ablation.yaml --output out" in page

    status, stdout, _ = ablate(
        [*TWO, {"name": "new"}], "--page-only", "--report", "docs/page.md", overrides=budget, seeds=[3, 1]
    )
    assert status == 0
    table = rows((toy / "docs" / "page.md").read_text(encoding="utf-8"))
    assert table["new"] == ["–"] * 6
    assert table["recipe"] == [f"{recipe:.2f}", "–", f"{recipe:.2f}", "–", "0", "–"]


@pytest.mark.parametrize(
    ("settings", "keys", "message"),
    [
        (TWO, {"seeds": []}, "seeds is []: list should have at least 1 item"),
        (TWO, {"base": "nowhere.yaml"}, "setting recipe: nowhere.yaml: cannot read the config"),
        ([*TWO, {"name": "far", "overrides": ["model.zzz=1"]}], {}, "setting far: config.yaml: unknown key"),
        ([*TWO, {"name": "Recipe"}], {}, "settings need names of their own: recipe, Recipe"),
    ],
)
def test_mistakes_are_named_before_anything_is_trained(ablate, settings, keys, message):
    status, stdout, stderr = ablate(settings, **keys)
    assert (status, stdout, stderr.count("\n")) == (2, "", 1)
    assert message in stderr
    assert not Path("out").exists()


def test_a_failed_training_is_told_by_the_status(ablate, toy):
    (toy / "out" / "recipe-seed1" / "run").mkdir(parents=True)
    (toy / "out" / "recipe-seed1" / "run" / "config.yaml").write_text("data: {}\n")
    status, _, stderr = ablate(TWO[:1], overrides=["training.max_steps=2"], seeds=[1])
    assert status == 1
    assert "recipe-seed1: training failed" in stderr


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "ablate").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_ablations_are_in_order(path, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    ablation = script.check(script.read_yaml(path, script.Ablation), script.Ablation, path)
    assert len(script.candidates_of(ablation, tmp_path)) == len(ablation.seeds) * len(ablation.settings)
    assert ablation.settings[0].overrides == []
