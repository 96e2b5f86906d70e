import copy
import math
import random

import pytest
import torch

from seq2seq import Translator
from seq2seq.device import choose_device, choose_precision
from seq2seq.errors import ConfigError, UserError


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


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_aligning_its_own_translations_finds_what_search_found(translator, length_penalty):
    search = translator.config.search.model_copy(update={"length_penalty": length_penalty})
    translator = Translator(
        translator.model, translator.tokenizer, translator.config.model_copy(update={"search": search})
    )
    sources = [" ".join(random.Random(n).choices("abcdefgh", k=2 + n % 5)) for n in range(30)] + ["", " "]
    found = translator.translate(sources, beam_size=3)
    aligned = translator.align(sources, [result.text for result in found])
    same_pieces = [pair for pair in zip(found, aligned, strict=True) if pair[0].tokens == pair[1].tokens]
    assert len(same_pieces) > 20
    for one, other in same_pieces:
        assert (other.source, other.text, other.source_tokens) == (one.source, one.text, one.source_tokens)
        assert other.score == pytest.approx(one.score, abs=1e-4)
        torch.testing.assert_close(other.weights, one.weights, atol=1e-4, rtol=0)


def test_aligning_keeps_order_and_ignores_company(translator):
    targets = ["c b a", "h h h h h h h h h", "", "", "zebra 日本", "a", "b"]
    config = translator.config.model_copy(
        update={"search": translator.config.search.model_copy(update={"batch_tokens": 30})}
    )
    for divided in (translator, Translator(translator.model, translator.tokenizer, config)):
        together = divided.align(SOURCES, targets)
        for source, target, result in zip(SOURCES, targets, together, strict=True):
            (alone,) = translator.align([source], [target])
            assert (result.source, result.text, result.tokens) == (source, target, alone.tokens)
            assert result.score == pytest.approx(alone.score, abs=1e-5)
            torch.testing.assert_close(result.weights, alone.weights, atol=1e-5, rtol=0)


def test_aligning_blank_lines(translator):
    to_end, nothing, impossible = translator.align(["a b", "", " \t"], ["", " ", "a"])
    assert (to_end.tokens, to_end.text) == (["</s>"], "")
    assert to_end.weights.shape == (1, 1, len(to_end.source_tokens))
    assert -math.inf < to_end.score < 0
    assert (nothing.source, nothing.text, nothing.score, nothing.tokens) == ("", " ", 0.0, [])
    assert (impossible.source, impossible.text, impossible.score, impossible.tokens) == (" \t", "a", -math.inf, [])
    assert translator.align([], []) == []


def test_aligning_needs_one_target_a_source(translator):
    with pytest.raises(UserError, match="2 sources and 1 targets: give one target for each source"):
        translator.align(["a", "b"], ["b"])


def test_aligning_with_a_model_whose_weights_are_not_numbers(translator):
    broken = copy.deepcopy(translator.model)
    with torch.no_grad():
        broken.output_layer.weight.fill_(math.nan)
    with pytest.raises(UserError, match="the model gives no token a probability"):
        Translator(broken, translator.tokenizer, translator.config).align(["a"], ["b"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_absent_gpu_is_named(toy_run):
    with pytest.raises(ConfigError, match="device is 'cuda', but this machine has no CUDA GPU"):
        Translator.load(toy_run, "cuda")


def test_precision_by_name_and_by_processor():
    cpu = choose_device("cpu")
    assert choose_precision("bfloat16", cpu) is torch.bfloat16
    assert choose_precision("auto", cpu) in (torch.float32, torch.bfloat16)
