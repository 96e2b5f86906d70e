"""Translating: memory, ends, and what a model may say."""

import pytest
import torch
from safetensors.torch import load_file

from seq2seq import Translator
from seq2seq.cli import main
from seq2seq.errors import UserError
from seq2seq.inference.search import search
from seq2seq.tensor_files import pack_tensors

LINES = ["a b c", "h", "d e f g", "b", ""]


def bias(run, **changes: float) -> None:
    """Make pieces of a model's vocabulary likelier, or less likely, by so much."""
    pieces = Translator.load(run, "cpu").tokenizer
    weights = load_file(run / "model.safetensors")
    names = pieces.target_pieces(range(pieces.target_size))
    for name, change in changes.items():
        weights["output_layer.bias"][names.index(name)] += change
    (run / "model.safetensors").write_bytes(pack_tensors(weights))


def test_fault_16_memory_too_small_for_a_batch_or_a_sentence(run, answer, monkeypatch, caplog):
    """Halved until it fits, with the same result; what is too large alone is told."""
    translator = Translator.load(run, "cpu")
    expected = [result.text for result in translator.translate(LINES)]

    def limited(room):
        def search_in(models, source, *arguments):
            if source.size(0) > room:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return search(models, source, *arguments)

        monkeypatch.setattr("seq2seq.inference.batch_search.search", search_in)

    limited(1)
    assert [result.text for result in translator.translate(LINES)] == expected
    assert "out of memory on 4 sentences of up to 5 tokens: halved; lower batch_tokens" in caplog.text
    limited(0)
    answer("translate run 'a b'", "out of memory on one sentence of", "tokens: lower beam_size, or cut the sentence")


def test_fault_16_model_too_large_for_the_memory(corpus, answer):
    answer("train config.yaml --run new model.embedding_size=100000000000",
           "out of memory: lower batch_tokens, beam_size, or the sizes under model")  # fmt: skip


def test_fault_21_bytes_that_end_lines_or_steer_terminals(run, capsys):
    """A model that says nothing else, if it is let."""
    bias(run, **{f"<0x{byte:02X}>": 50.0 for byte in (0x0A, 0x0D, 0x1B, 0x00, 0x7F)})
    assert main(["translate", "run", *LINES]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == len(LINES)
    assert not set(out) & {"\r", "\x1b", "\0", "\x7f"}


def test_fault_22_no_word_at_all(run, capsys):
    bias(run, **{"</s>": 50.0})
    assert main(["translate", "run", *LINES]) == 0
    assert capsys.readouterr().out == "\n" * len(LINES)


def test_fault_22_no_end(run, capsys):
    bias(run, **{"</s>": -50.0})
    assert main(["translate", "run", *LINES, "--scores", "--beam-size", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(LINES)
    for source, result in zip(LINES[:-1], Translator.load(run, "cpu").translate(LINES[:-1], 1), strict=True):
        assert len(result.tokens) <= 2 * len(result.source_tokens) + 10, source


def test_fault_57_one_string_in_place_of_a_list(run):
    """It was taken for the list of its characters, and each of them translated."""
    translator = Translator.load(run, "cpu")
    with pytest.raises(UserError, match=r"sentences are one string, 'I am a student\.': give a list of them"):
        translator.translate("I am a student.")
    with pytest.raises(UserError, match="targets are one string, 'a'"):
        translator.align(["a"], "a")
