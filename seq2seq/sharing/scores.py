"""What is known of a model's quality, as it is shared with it: scores.json."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from seq2seq.config import Config, Section
from seq2seq.config_file import check
from seq2seq.errors import ConfigError
from seq2seq.evaluation.metrics import METRICS, score_translations
from seq2seq.sharing.model_folder import SCORES, read_json


class MetricScore(Section, extra="ignore"):
    score: float
    signature: Annotated[str, Field(pattern=r"^[^\s`]+$")]
    """sacreBLEU's description of how it was counted."""


class EvaluationScores(Section, extra="ignore"):
    """As `seq2seq evaluate --json` prints them."""

    bleu: MetricScore | None = None
    chrf: MetricScore | None = None
    ter: MetricScore | None = None
    num_sentences: int | None = None

    @model_validator(mode="after")
    def _has_one(self) -> "EvaluationScores":
        if not self.known:
            raise ValueError('none of bleu, chrf and ter, each as {"score": ..., "signature": ...}')
        return self

    @property
    def known(self) -> dict[str, MetricScore]:
        return {name: getattr(self, name) for name in METRICS if getattr(self, name) is not None}


class ValidationScores(EvaluationScores):
    """Of greedy translations, at the step whose weights were kept."""

    step: int


class ModelScores(Section):
    validation: ValidationScores | None = None
    test: EvaluationScores | None = None


def check_scores(scores: Any, source: str | Path) -> EvaluationScores:
    """Scores that a user gives.

    Raises:
        ConfigError: They are not what `seq2seq evaluate --json` prints; the message names their source.
    """
    if not isinstance(scores, dict):
        raise ConfigError(f"{source}: not scores as `seq2seq evaluate --json` prints them")
    return check(scores, EvaluationScores, source)


def read_scores(folder: Path, config: Config) -> ModelScores:
    """What a shared model's scores.json says, or else the best validation in a run's metrics.jsonl.

    Raises:
        ConfigError: The file is damaged.
    """
    if (folder / SCORES).exists():
        scores = read_json(folder / SCORES)
        if not isinstance(scores, dict):
            raise ConfigError(f"{folder / SCORES}: damaged: expected scores of validation and test")
        return check(scores, ModelScores, folder / SCORES)
    return ModelScores(validation=_best_validation(folder / "metrics.jsonl", config))


def _best_validation(path: Path, config: Config) -> ValidationScores | None:
    from seq2seq.training.curves import read_metrics  # training needs the modules of this folder
    from seq2seq.training.state import Scores

    if not path.exists():
        return None
    records = {
        Scores(*(float(record[name]) for name in ("bleu", "chrf", "loss"))): record["step"]
        for record in reversed(read_metrics(path)["validation"])  # of equal ones the first was kept
    }
    if not records:
        return None
    best = max(records, key=lambda scores: scores.rank(config.training.early_stopping_metric))
    # The signature of any text's scores, less the version, which training had and we may not have.
    signatures = {
        name: "|".join(part for part in score.signature.split("|") if not part.startswith("version:"))
        for name, score in score_translations(["a"], ["a"], config.data.target_language, ["bleu", "chrf"]).items()
    }
    return ValidationScores(
        step=records[best],
        bleu=MetricScore(score=best.bleu, signature=signatures["bleu"]),
        chrf=MetricScore(score=best.chrf, signature=signatures["chrf"]),
    )
