"""A trained model as a folder to share: what loading it needs, what is known of it, and nothing of this machine."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.config_file import save_config
from seq2seq.errors import ConfigError, UserError
from seq2seq.files import write_atomically, written_whole
from seq2seq.sharing.hub import split_name, upload
from seq2seq.sharing.model_card import model_card
from seq2seq.sharing.model_files import save_weights
from seq2seq.sharing.model_folder import CONFIG, DATA, FILES, LEXICON, SCORES, WEIGHTS, read_counts
from seq2seq.sharing.scores import ModelScores, check_scores, read_scores
from seq2seq.sharing.shared_config import without_folders

if TYPE_CHECKING:
    from seq2seq.inference.translator import Translator


def export_model(
    translator: "Translator", folder: Path, test_scores: dict[str, Any] | None = None, name: str | None = None
) -> None:
    """Write a new folder with a model, whole or not at all; its card calls it by the name, or else the folder's.

    Raises:
        UserError: The folder exists or cannot be written, or what is known of the model is damaged.
    """
    if folder.exists():
        raise ConfigError(f"{folder}: exists; name another folder")
    config = without_folders(translator.config)
    origin = translator.folder
    counts = None if origin is None else read_counts(origin)
    scores = ModelScores() if origin is None else read_scores(origin, config)
    lexicon = None if origin is None or not (origin / LEXICON).exists() else translator.lexicon
    if test_scores is not None:
        scores = scores.model_copy(update={"test": check_scores(test_scores, "scores")})
    try:
        with written_whole(folder) as new:
            save_config(config, new / CONFIG)
            translator.tokenizer.save(new / "tokenizer")
            save_weights(translator.model, new / WEIGHTS)
            if lexicon is not None:
                lexicon.save(new / LEXICON)
            if counts is not None:
                write_atomically(new / DATA, json.dumps(counts, indent=2) + "\n")
            if scores != ModelScores():
                write_atomically(new / SCORES, json.dumps(scores.model_dump(exclude_none=True), indent=2) + "\n")
            size = (new / WEIGHTS).stat().st_size
            card = model_card(name or folder.name, translator, config, size, counts, scores)
            write_atomically(new / "README.md", card)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot write the folder: {error.strerror or error}") from error


def push_model(translator: "Translator", name: str, test_scores: dict[str, Any] | None, **options: Any) -> str:
    """Export to a folder of the system's for a moment, and from there to the hub.

    Raises:
        UserError: It is no name, or the hub does not take the model.
    """
    repo, revision = split_name(name)
    if revision is not None:
        raise UserError(f"{name}: to push to a branch, give its name as revision={revision!r}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        export_model(translator, folder, test_scores, name=repo)
        return upload(folder, repo, FILES, **options)
