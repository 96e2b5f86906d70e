"""Which weights are kept, and when more steps are not worth it."""

import logging
from pathlib import Path

from seq2seq.config import Config, TrainingConfig
from seq2seq.sharing.model_files import save_weights
from seq2seq.training.curves import plot_curves
from seq2seq.training.preparation import TrainingData
from seq2seq.training.records import Records
from seq2seq.training.state import Progress, Scores, TrainingState
from seq2seq.training.stopping import Interrupted, StopSignals
from seq2seq.training.validation import NUM_SAMPLES, Validation, validate

log = logging.getLogger(__name__)


def validate_and_keep_best(
    state: TrainingState, data: TrainingData, config: Config, run: Path, records: Records | None, stop: StopSignals
) -> None:
    """Score the model; keep it if it is the best. After a signal the validation stays due.

    Args:
        records: Of the process that writes; the others have none.
    """
    progress, settings = state.progress, state.settings
    try:
        with stop.may_interrupt(state.processes.count == 1):  # several must stay together
            result = validate(state, data, config)
    except Interrupted:
        return
    progress.validation_due = False
    scores = Scores(result.bleu, result.chrf, result.loss)
    if scores.better_than(progress.best, settings.early_stopping_metric):
        progress.best, progress.stale_validations, progress.plateau_validations = scores, 0, 0
    else:
        progress.stale_validations += 1
        progress.plateau_validations += 1
    if settings.schedule == "plateau" and progress.plateau_validations >= settings.plateau_patience:
        progress.rate_factor *= settings.plateau_factor
        progress.plateau_validations = 0
        log.info("step %d: no better since; the learning rate falls to %g of its height", progress.step,
                 progress.rate_factor)  # fmt: skip
    if settings.keep_best:
        progress.kept[str(progress.step)] = scores
        ranked = sorted(progress.kept, key=lambda step: progress.kept[step].rank(settings.early_stopping_metric))
        for step in ranked[: -settings.keep_best]:
            del progress.kept[step]
    if records is not None:
        write_down(state, data, run, records, result)


def write_down(state: TrainingState, data: TrainingData, run: Path, records: Records, result: Validation) -> None:
    """Save the weights if they are to be kept; then the record, the learning curves and the log."""
    progress, is_best = state.progress, state.progress.stale_validations == 0
    if is_best:
        save_weights(state.judged, run / "model.safetensors")
    if str(progress.step) in progress.kept:
        (run / "best").mkdir(exist_ok=True)
        save_weights(state.judged, run / "best" / f"step_{progress.step}.safetensors")
    for path in (run / "best").glob("step_*.safetensors"):
        if path.stem.removeprefix("step_") not in progress.kept:
            path.unlink()
    records.append(
        {
            "kind": "validation", "step": progress.step, "loss": result.loss, "perplexity": result.perplexity,
            "bleu": result.bleu, "chrf": result.chrf, "seconds": progress.seconds,
        },
    )  # fmt: skip
    if records.board is not None:
        records.board.show(progress.step, result.samples)
    plot_curves(records.path, run / "learning_curves.png")
    log.info(
        "step %d, epoch %d: validation loss %.3f, perplexity %.2f, BLEU %.2f, chrF %.2f%s",
        progress.step, progress.epoch + 1, result.loss, result.perplexity, result.bleu, result.chrf,
        " (best)" if is_best else "",
    )  # fmt: skip
    for source, reference, translation in list(zip(*data.validation_text, result.translations, strict=True))[
        :NUM_SAMPLES
    ]:
        log.info("  source      %s", source)
        log.info("  reference   %s", reference)
        log.info("  translation %s", translation)


def is_finished(progress: Progress, settings: TrainingConfig, total_steps: int) -> bool:
    if progress.validation_due:
        return False
    given_up = settings.patience is not None and progress.stale_validations >= settings.patience
    return progress.step >= total_steps or given_up
