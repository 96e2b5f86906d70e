"""The page: what the results say is written between two marks of each section; all else on it stays."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from benchmark.batches import Batches
from benchmark.breakdown import Breakdown
from benchmark.contest import Contest
from benchmark.scaling import Scaling, draw
from benchmark.tables import (
    batches_table,
    breakdown_table,
    scaling_table,
    start_table,
    training_table,
    translation_table,
)
from benchmark.train import SETTINGS
from seq2seq.config import Section
from seq2seq.errors import UserError
from seq2seq.files import write_atomically

Result = TypeVar("Result", bound=Section)


def write_report(results: Path, page: Path) -> list[Path]:
    """Bring the sections of all that has been measured up to date; returns the files written.

    Raises:
        UserError: There is nothing, a result is of another version, or the page lacks a section.
    """
    makers: dict[str, Callable[[], str | None]] = {
        "train": lambda: _training(results),
        "translate": lambda: _translation(results),
        "start": lambda: _of(results / "start.json", Contest, start_table),
        "breakdown": lambda: _of(results / "breakdown.json", Breakdown, breakdown_table),
        "scaling": lambda: _scaling(results, page),
        "batches": lambda: _of(results / "batches.json", Batches, batches_table),
    }
    tables = {name: text for name, make in makers.items() if (text := make()) is not None}
    if not tables:
        raise UserError(f"{results}: nothing to report: no measurement has been made")
    text = page.read_text(encoding="utf-8")
    for name, content in tables.items():
        text = _replace(text, name, content, page)
    written = [page]
    if "scaling" in tables:
        written.append(_picture(page))
        draw(_read(results / "scaling.json", Scaling), _picture(page))
    write_atomically(page, text)
    return written


def _training(results: Path) -> str | None:
    paths = {name: results / f"train-{name}.json" for name in SETTINGS}
    contests = {name: _read(path, Contest) for name, path in paths.items() if path.exists()}
    return training_table(contests) if contests else None


def _translation(results: Path) -> str | None:
    paths = {int(path.stem.removeprefix("translate-beam-")): path for path in results.glob("translate-beam-*.json")}
    contests = {beam: _read(paths[beam], Contest) for beam in sorted(paths)}
    return translation_table(contests) if contests else None


def _scaling(results: Path, page: Path) -> str | None:
    table = _of(results / "scaling.json", Scaling, scaling_table)
    picture = f"![Target tokens a second of training over four sizes]({_picture(page).name})"
    return None if table is None else f"{picture}\n\n{table}"


def _picture(page: Path) -> Path:
    return page.with_name(f"{page.stem}-scaling.png")


def _of(path: Path, kind: type[Result], table: Callable[[Result], str]) -> str | None:
    return table(_read(path, kind)) if path.exists() else None


def _read(path: Path, kind: type[Result]) -> Result:
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UserError(f"{path}: not a result of this version: measure again") from error


def _replace(text: str, name: str, content: str, page: Path) -> str:
    """Put the content between the marks of a section."""
    begin, end = f"<!-- benchmark: {name} -->\n", f"<!-- end: {name} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise UserError(f"{page}: no section to write {name} into: it stands between {begin.strip()} and {end}")
    return f"{before}{begin}\n{content}\n\n{end}{after}"
