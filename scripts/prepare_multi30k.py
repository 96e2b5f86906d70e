"""Bring Multi30k English-German (Elliott et al. 2016, arXiv:1605.00459) into data/multi30k, from the hub or a folder.

Writes train, val and test2016 (flickr 2016), each as .en and .de: one sentence a line, line-aligned.
"""

import argparse
import sys
import unicodedata
from pathlib import Path

from seq2seq.config import CorpusConfig, DataConfig
from seq2seq.data.corpus import read_corpus
from seq2seq.errors import DataError
from seq2seq.files import write_atomically

HUB = "bentrevett/multi30k"
PAIRS = {"train": 29000, "val": 1014, "test2016": 1000}
HUB_SPLITS = {"train": "train", "val": "validation", "test2016": "test"}


def prepare(folder: Path | None, output: Path, pairs: dict[str, int]) -> dict[str, int]:
    """Read all splits, check their numbers of pairs, and only then write.

    Args:
        folder: Holds the six files, plain or as .gz; by default the hub does.
        pairs: The number of pairs expected of each split.

    Returns:
        The number of pairs of each split but train whose source, up to case and NFKC, is also in train.

    Raises:
        DataError: The data cannot be read, or has another number of pairs.
        OSError: The output cannot be written.
    """
    output.mkdir(parents=True, exist_ok=True)
    places = {split: _place(folder, split) for split in pairs}
    train = places["train"]
    data = DataConfig(source_language="en", target_language="de", train=train, validation=train)
    corpora = {split: read_corpus(place, data, HUB_SPLITS[split]) for split, place in places.items()}
    for split, corpus in corpora.items():
        if corpus.length != pairs[split]:
            place = folder or f"hub dataset {HUB}"
            raise DataError(f"{place}: {split} has {corpus.length} pairs; expected {pairs[split]}")
    for split, corpus in corpora.items():
        write_atomically(output / f"{split}.en", "\n".join([*corpus.source, ""]))
        write_atomically(output / f"{split}.de", "\n".join([*corpus.target, ""]))
    seen = {_normalize(sentence) for sentence in corpora.pop("train").source}
    return {split: sum(_normalize(sentence) in seen for sentence in corpus.source) for split, corpus in corpora.items()}


def _place(folder: Path | None, split: str) -> CorpusConfig:
    if folder is None:
        return CorpusConfig(hub=HUB)
    source, target = (_plain_or_gz(folder / f"{split}.{language}") for language in ("en", "de"))
    return CorpusConfig(source=str(source), target=str(target))


def _plain_or_gz(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.exists() and not path.exists() else path


def _normalize(sentence: str) -> str:
    return unicodedata.normalize("NFKC", sentence).casefold()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="folder", type=Path, metavar="DIR", help="folder with the six files, or .gz")
    parser.add_argument("--output", type=Path, default=Path("data/multi30k"), metavar="DIR", help="(%(default)s)")
    arguments = parser.parse_args()
    try:
        overlaps = prepare(arguments.folder, arguments.output, PAIRS)
    except DataError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename or arguments.output}: cannot write: {error.strerror}", file=sys.stderr)
        return 2
    for split, count in PAIRS.items():
        overlap = f", {overlaps[split]} with a source that is also in train" if split in overlaps else ""
        print(f"{arguments.output / split}.en, .de: {count} pairs{overlap}")
    print("Next: seq2seq train configs/multi30k.yaml --run runs/multi30k")
    return 0


if __name__ == "__main__":
    sys.exit(main())
