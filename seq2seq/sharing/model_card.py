"""The model card, README.md: what a shared model is, learned from what, how good it is, and how it is used."""

import json
import re
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from seq2seq.config import Config, CorpusConfig
from seq2seq.evaluation.metrics import METRICS
from seq2seq.sharing.hub import LIBRARY
from seq2seq.sharing.model_folder import own_classes
from seq2seq.sharing.scores import EvaluationScores, ModelScores
from seq2seq.visualization.attention_views import describe

if TYPE_CHECKING:
    from seq2seq.inference.translator import Translator

NAMES = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER"}
COUNTS = ("read", "kept", "source_tokens", "target_tokens", "sha256")
"""Of a split, as data.json has them, in the order of the table's columns."""


def model_card(
    name: str, translator: "Translator", config: Config, size: int, counts: dict[str, Any] | None, scores: ModelScores
) -> str:
    """The card's text: YAML that the hub reads, then Markdown.

    Args:
        name: What `Translator.load` takes.
        translator: The model and its tokenizer.
        config: Its settings as they are shared.
        size: Of the weights' file, in bytes.
        counts: What data.json says of the data.
        scores: What scores.json says.
    """
    data, quoted = config.data, shlex.quote(name)
    blocks = [
        f"---\n{_metadata(name, config, scores)}\n---",
        f"# {name.rpartition('/')[2]}",
        f"Translates from `{data.source_language}` to `{data.target_language}`.",
        "## What it is",
        _architecture(translator, config, size),
        "## Use",
        f"With the Python package `{LIBRARY}`, a sentence or a file, one line in, one line out:",
        f'```sh\nseq2seq translate {quoted} "Hello."\nseq2seq translate {quoted} < in.txt > out.txt\n```',
        f"```python\n{_python(name, list(own_classes(config).values()))}```",
        *_note_on_classes(config),
        "## Scores",
        *_scores(config, scores),
        "## Data",
        *_data(config, counts),
        "## Files",
        "`config.yaml` has all settings, `tokenizer/` the sentencepiece vocabulary, `model.safetensors` the weights, "
        "`data.json` the counts and hashes of the data and `scores.json` the scores, where they are known. "
        "Nothing here is code.",
    ]
    return "\n\n".join(blocks) + "\n"


def _metadata(name: str, config: Config, scores: ModelScores) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    data, task = config.data, f"translation {config.data.source_language}-{config.data.target_language}"
    results = [
        EvalResult(
            task_type="translation",
            task_name=task,
            dataset_type="text",
            dataset_name=corpus,
            dataset_split=split,
            metric_type=metric,
            metric_name=NAMES[metric],
            metric_value=round(score.score, 2),
            metric_config=score.signature,
        )
        for split, corpus, known in _splits(config, scores)
        for metric, score in known.known.items()
    ]
    attention = config.model.attention.score.rpartition(":")[2]
    card = ModelCardData(
        language=_languages(data.source_language, data.target_language),
        library_name=LIBRARY,
        pipeline_tag="translation",
        tags=["translation", "rnn", "attention", config.model.decoder.style, attention],
        metrics=[metric for metric in METRICS if any(result.metric_type == metric for result in results)] or None,
        model_name=name.rpartition("/")[2],
        eval_results=results or None,
    )
    if not results:
        card.pop("model_name")
    return card.to_yaml()


def _languages(*codes: str) -> list[str] | None:
    """The languages' codes as the hub takes them, ISO 639, without region or script; none if one is no such code."""
    languages = [re.split(r"[-_]", code)[0].lower() for code in codes]
    are_codes = all(re.fullmatch(r"[a-z]{2,3}", language) for language in languages)
    return list(dict.fromkeys(languages)) if are_codes else None


def _architecture(translator: "Translator", config: Config, size: int) -> str:
    encoder, decoder = config.model.encoder, config.model.decoder
    if encoder.cell == "transformer":
        kind = f"Transformer encoder of {_layers(encoder.num_layers)} of {encoder.hidden_size} features"
    else:
        both = ", bidirectional, each direction" if encoder.bidirectional else ""
        kind = f"{encoder.cell.upper()} encoder{both} of {_layers(encoder.num_layers)} of {encoder.hidden_size} units"
    sizes = (translator.tokenizer.source_size, translator.tokenizer.target_size)
    pieces = (
        f"one vocabulary of {sizes[0]:,} {config.tokenizer.type} pieces for both languages"
        if translator.tokenizer.joint
        else f"vocabularies of {sizes[0]:,} and {sizes[1]:,} {config.tokenizer.type} pieces"
    )
    count = sum(parameter.numel() for parameter in translator.model.parameters())
    return (
        f"A recurrent encoder-decoder: {kind}; {describe(config.model)}, whose {decoder.cell.upper()} has "
        f"{_layers(decoder.num_layers)} of {decoder.hidden_size} units; {pieces}. "
        f"{count:,} parameters, {size / 1e6:.1f} MB."
    )


def _layers(count: int) -> str:
    return f"{count} layer{'s' * (count > 1)}"


def _python(name: str, classes: list[str]) -> str:
    modules = dict.fromkeys(name.partition(":")[0] for name in classes)
    return (
        "".join(f"import {module}\n" for module in modules) + "from seq2seq import Translator\n\n"
        f"translator = Translator.load({json.dumps(name, ensure_ascii=False)})\n"
        '(result,) = translator.translate(["Hello."])\n'
        "print(result.text)\n"
    )


def _note_on_classes(config: Config) -> Iterator[str]:
    classes = list(own_classes(config).values())
    if classes:
        names = ", ".join(f"`{name}`" for name in classes)
        modules = dict.fromkeys(name.partition(":")[0] for name in classes)
        options = " ".join(f"--import {module}" for module in modules)
        yield (
            f"The model uses {names}, which are not in this folder: Python must be able to import them. Loading a "
            f"model imports nothing by itself: do it before, as above; the commands take `{options}`."
        )


def _splits(config: Config, scores: ModelScores) -> Iterator[tuple[str, str, EvaluationScores]]:
    """Each split whose scores are known, its text, and the scores. Which text a test was on, they do not say."""
    if scores.validation is not None:
        yield "validation", _corpus(config.data.validation), scores.validation
    if scores.test is not None:
        number = scores.test.num_sentences
        yield "test", "a test set" + (f" of {number:,} sentences" if number is not None else ""), scores.test


def _scores(config: Config, scores: ModelScores) -> Iterator[str]:
    found = False
    for split, corpus, known in _splits(config, scores):
        found = True
        how = f", step {scores.validation.step:,}, greedy search" if split == "validation" and scores.validation else ""
        lines = [f"- {NAMES[metric]} {score.score:.2f}, `{score.signature}`" for metric, score in known.known.items()]
        yield f"{split.capitalize()} ({corpus}{how}):"
        yield "\n".join(lines)
    if not found:
        yield "None are known."


def _data(config: Config, counts: dict[str, Any] | None) -> Iterator[str]:
    data = config.data
    test = "" if data.test is None else f" To be tested on {_corpus(data.test)}."
    yield f"Trained on {_corpus(data.train)}, validated on {_corpus(data.validation)}.{test}"
    splits = {name: part for name, part in (counts or {}).items() if isinstance(part, dict) and "read" in part}
    if not splits:
        yield "No counts are known."
        return
    head = "| split | pairs | kept | source tokens | target tokens | SHA-256 of the text |"
    rows = [head, "|---|--:|--:|--:|--:|---|"]
    for name, part in splits.items():
        cells = [_cell(part.get(key, "")) for key in COUNTS]
        rows.append("| " + " | ".join([_cell(name), *cells]) + " |")
    yield "\n".join(rows)


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else re.sub(r"[^\w.-]", " ", str(value))


def _corpus(corpus: CorpusConfig) -> str:
    """A corpus by its name on the hub, or those of its files."""
    if corpus.hub is not None:
        return corpus.hub + (f" ({corpus.hub_config})" if corpus.hub_config else "")
    files = (corpus.source, corpus.target, corpus.json_file, corpus.csv, corpus.tsv, corpus.parquet)
    return " and ".join(file for file in files if file is not None)
