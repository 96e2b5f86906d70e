"""What a trained setting is worth, measured on its own translations of the validation split."""

import hashlib
import sys

from pydantic import ValidationError

from compare.comparison import Candidate
from seq2seq.config import Section
from seq2seq.data.corpus import read_corpus
from seq2seq.evaluation.by_length import LengthBucket, bleu_by_source_length
from seq2seq.evaluation.metrics import Score, score_translations
from seq2seq.files import write_atomically
from seq2seq.inference.translator import Translator
from seq2seq.visualization.attention_statistics import AttentionStatistics, attention_statistics


class Example(Section):
    """The comparison's sentence as the setting translates it, for its picture."""

    text: str
    source_tokens: list[str]
    tokens: list[str]
    weights: list[list[list[float]]]
    """[heads, target tokens, source tokens]; no heads without attention."""


class Measures(Section):
    fingerprint: str
    """Of what was measured: another one makes them void."""
    parameters: int
    bleu: Score
    chrf: Score
    attention: AttentionStatistics | None
    """None without attention."""
    by_length: list[LengthBucket]
    example: Example


def measure(candidate: Candidate, sentence: str) -> Measures:
    """Translate and score the validation split with the config's beam; taken from measures.json where it is there."""
    path = candidate.folder / "measures.json"
    weights = (candidate.run / "model.safetensors").read_bytes()
    fingerprint = hashlib.sha256(weights + f"{candidate.digest} {sentence}".encode()).hexdigest()[:16]
    try:
        measures = Measures.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):  # of another version of this file, perhaps
        measures = None
    if measures is None or measures.fingerprint != fingerprint:
        measures = _measure(candidate, sentence, fingerprint)
        write_atomically(path, measures.model_dump_json() + "\n")
    return measures


def _measure(candidate: Candidate, sentence: str, fingerprint: str) -> Measures:
    translator = Translator.load(candidate.run, candidate.config.training.device)
    data = candidate.config.data
    corpus = read_corpus(data.validation, data, "validation")
    print(f"{candidate.name}: translating the validation split", file=sys.stderr)
    results = translator.translate(corpus.source, show_progress=sys.stderr.isatty())
    texts = [result.text for result in results]
    scores = score_translations(texts, corpus.target, data.target_language, ["bleu", "chrf"])
    (example,) = translator.translate([sentence])
    return Measures(
        fingerprint=fingerprint,
        parameters=sum(parameter.numel() for parameter in translator.model.parameters()),
        bleu=scores["bleu"],
        chrf=scores["chrf"],
        attention=attention_statistics(result.weights for result in results),
        by_length=bleu_by_source_length(corpus.source, texts, corpus.target, data.target_language),
        example=Example(
            text=example.text,
            source_tokens=example.source_tokens,
            tokens=example.tokens,
            weights=example.weights.tolist(),
        ),
    )
