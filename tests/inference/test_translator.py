import random

import pytest
import torch

from seq2seq import Translator
from seq2seq.device import choose_device, choose_precision
from seq2seq.errors import ConfigError


@pytest.fixture(scope="module")
def translator(toy_run):
    return Translator.load(toy_run, "cpu")


SOURCES = ["a b c", "h", "c c a b g f e d", "", "f e", " ", "b a b a b a"]


@pytest.mark.parametrize("beam_size", [1, 4])
def test_company_and_order_change_nothing(translator, beam_size):
    together = translator.translate(SOURCES, beam_size)
    for source, result in zip(SOURCES, together, strict=True):
        (alone,) = translator.translate([source], beam_size)
        assert alone.text == result.text
        assert alone.score == pytest.approx(result.score, abs=1e-5)
    shuffled = random.Random(0).sample(SOURCES, len(SOURCES))
    texts = {result.source: result.text for result in together}
    assert [result.text for result in translator.translate(shuffled, beam_size)] == [texts[s] for s in shuffled]


def test_result_has_tokens_and_weights_that_fit(translator):
    (result,) = translator.translate(["a b c"])
    assert result.source == "a b c"
    assert result.source_tokens[-1] == result.tokens[-1] == "</s>"
    assert result.weights.shape == (1, len(result.tokens), len(result.source_tokens))
    torch.testing.assert_close(result.weights.sum(dim=-1), torch.ones(1, len(result.tokens)))
    assert result.score < 0


def test_blank_lines_stay_blank(translator):
    for result in translator.translate(["", "  ", "\t"]):
        assert (result.text, result.tokens, result.score) == ("", [], 0.0)


def test_no_sentences(translator):
    assert translator.translate([]) == []


def test_unseen_script_and_emoji_translate_to_one_line(translator):
    for result in translator.translate(["😀 日本語 שלום", "</s> <s> <0x0A>", "a\u2028b"]):
        assert "\n" not in result.text
        assert "<0x" not in result.text


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_absent_gpu_is_named(toy_run):
    with pytest.raises(ConfigError, match="device is 'cuda', but this machine has no CUDA GPU"):
        Translator.load(toy_run, "cuda")


def test_precision_by_name_and_by_processor():
    cpu = choose_device("cpu")
    assert choose_precision("bfloat16", cpu) is torch.bfloat16
    assert choose_precision("auto", cpu) in (torch.float32, torch.bfloat16)
