"""Models on the Hugging Face hub: downloading one, and putting one there."""

import logging
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seq2seq.errors import ConfigError, UserError

NAME = re.compile(r"(?P<repo>[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*)(@(?P<revision>(?!.*\.\.)\w[\w./+-]*))?", re.ASCII)
LIBRARY = "seq2seq-attention"


def split_name(name: str) -> tuple[str, str | None]:
    """`owner/name` or `owner/name@revision`, apart.

    Raises:
        UserError: It is neither.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise UserError(f"{name}: no name on the hub; one is owner/name, or owner/name@revision")
    return match["repo"], match["revision"]


def download(name: str, files: Sequence[str]) -> Path:
    """Fetch those of the files that a model has, or find them in the hub's cache; returns their folder.

    Raises:
        ConfigError: It is no name on the hub, there is no such model or revision, or the hub cannot be reached.
    """
    if NAME.fullmatch(name) is None:
        raise ConfigError(
            f"{name}: not a run folder: there is none of that name; a model on the hub is owner/name, "
            "or owner/name@revision"
        )
    from huggingface_hub import snapshot_download  # not needed for a folder
    from huggingface_hub.utils import tqdm

    bars = []

    class Bar(tqdm):
        """Leaves nothing behind: most often all is in the cache."""

        def __init__(self, *args: Any, **settings: Any):
            super().__init__(*args, **settings | {"leave": False})
            bars.append(self)

    repo, revision = split_name(name)
    patterns = list(files)
    try:
        with _quiet():
            folder = snapshot_download(
                repo, revision=revision, allow_patterns=patterns, library_name=LIBRARY, tqdm_class=Bar
            )
    except Exception as error:  # those of the hub, of its HTTP library and of the disk have no common class
        raise ConfigError(f"{name}: there is no such folder, and {_reason(error, revision)}") from error
    finally:
        for bar in reversed(bars):  # the library leaves some open; the first one stands where text goes on
            bar.close()
    return Path(folder)


def upload(
    folder: Path,
    repo: str,
    files: Sequence[str],
    revision: str | None = None,
    private: bool | None = None,
    token: str | None = None,
) -> str:
    """Put a folder on the hub, whole and in one commit; of `files`, those that it does not have are removed there.

    Makes the model, and the branch `revision`, if they are not there. Returns the name of what was put there, with its
    commit.

    Raises:
        UserError: The hub cannot be reached or does not take it, or the model is there and not private as asked.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi(library_name=LIBRARY, token=token)
    mine = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    try:
        with _quiet():
            api.create_repo(repo, private=private, exist_ok=True)
            if private and not api.model_info(repo).private:
                raise UserError(f"{repo}: not pushed: it is there already, and public; make it private first")
            if revision is not None:
                api.create_branch(repo, branch=revision, exist_ok=True)
            theirs = api.list_repo_files(repo, revision=revision)
            operations = [CommitOperationAdd(name, folder / name) for name in mine]
            operations += [CommitOperationDelete(name) for name in files if name in theirs and name not in mine]
            # Not upload_folder, which may make several commits: between them the model would be half another.
            done = api.create_commit(repo, operations, commit_message="Upload a translation model", revision=revision)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{repo}: not pushed: {_reason(error, revision)}") from error
    return f"{repo}@{done.oid}"


def _reason(error: Exception, revision: str | None) -> str:
    """Why the hub did not do it, in one line."""
    from huggingface_hub import constants, errors

    if isinstance(error, errors.RevisionNotFoundError):
        return f"the model on the hub has no revision {revision}"
    if isinstance(error, errors.GatedRepoError):
        return "its owner decides who gets the model: ask on its page, then log in (`hf auth login`, or HF_TOKEN)"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "the hub has no such model, or it is private: then log in (`hf auth login`, or HF_TOKEN)"
    if isinstance(error, errors.HfHubHTTPError):
        status, said = error.response.status_code, " ".join((error.server_message or "").split())
        login = "; log in with a token that may (`hf auth login`, or HF_TOKEN)" if status in (401, 403) else ""
        return f"the hub answers with status {status}" + (f", {said}" if said else "") + login
    if isinstance(error, errors.OfflineModeIsEnabled | errors.LocalEntryNotFoundError) and constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set, which leaves only what was downloaded whole before"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return f"the hub ({constants.ENDPOINT}) cannot be reached: {_line(error.__cause__ or error)}"
    return f"the exchange with the hub ({constants.ENDPOINT}) failed: {_line(error.__cause__ or error)}"


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """The hub's progress bars are for terminals, and of its notes only errors are for us."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    logger = logging.getLogger("huggingface_hub")
    level, hide = logger.level, not sys.stderr.isatty() and not are_progress_bars_disabled()
    logger.setLevel(logging.ERROR)
    if hide:
        disable_progress_bars()
    try:
        yield
    finally:
        logger.setLevel(level)
        if hide:
            enable_progress_bars()
