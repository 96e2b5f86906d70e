import copy
import math
import random
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import get_args
from unittest.mock import patch

import pytest
import torch

from seq2seq import Translator
from seq2seq.cli.arguments import SEARCH_PRECISIONS
from seq2seq.config import SearchConfig
from seq2seq.data.tokenizer import EOS
from seq2seq.device import choose_device, choose_precision
from seq2seq.errors import ConfigError, UserError
from seq2seq.inference.batch_search import BatchSearch
from seq2seq.inference.options import SearchChanges, SearchOptions
from seq2seq.training.run_lexicon import learn_run_lexicon


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


def test_options_have_the_same_names_everywhere():
    assert set(SearchChanges.__annotations__) | {"beam_size"} == set(SearchOptions.model_fields)


def test_precisions_are_those_of_the_config():
    assert get_args(SearchConfig.model_fields["precision"].annotation) == SEARCH_PRECISIONS


def test_unknown_option_is_refused_by_name(translator):
    with pytest.raises(ConfigError, match=r"search: unknown key beem_size; did you mean beam_size\?"):
        translator.translate(["a"], **{"beem_size": 2})


def test_n_best_is_sorted_and_each_has_its_text(translator):
    results = translator.translate(SOURCES, beam_size=6, n_best=6)
    assert [result.text for result in results] == [result.text for result in translator.translate(SOURCES, beam_size=6)]
    assert sum(len(result.alternatives) for result in results) > len(SOURCES)
    for result in results:
        everything = [result, *result.alternatives]
        assert len({each.text for each in everything}) == len(everything) <= 6
        assert [each.score for each in everything] == sorted((each.score for each in everything), reverse=True)


def test_log_probabilities_of_tokens(translator):
    for result in translator.translate(SOURCES, beam_size=3):
        assert len(result.token_log_probs) == len(result.tokens)
        assert result.log_prob == pytest.approx(math.fsum(result.token_log_probs), abs=1e-6)
        (given,) = translator.align([result.source], [result.text])
        if given.tokens == result.tokens:
            assert given.token_log_probs == pytest.approx(result.token_log_probs, abs=1e-4)


@pytest.mark.parametrize("normalization", ["exponent", "gnmt", "reward"])
def test_score_of_search_is_that_of_forced_decoding(translator, normalization):
    options = {"length_normalization": normalization, "length_penalty": 0.7, "coverage_penalty": 0.4}
    found = translator.translate(SOURCES, beam_size=3, **options)
    given = translator.align(SOURCES, [result.text for result in found], **options)
    same = [pair for pair in zip(found, given, strict=True) if pair[0].tokens == pair[1].tokens]
    assert len(same) > 4
    for one, other in same:
        assert one.score == pytest.approx(other.score, abs=1e-4)


def test_ensemble_scores_what_it_finds(translator):
    other = copy.deepcopy(translator.model)
    with torch.no_grad():
        other.output_layer.weight.mul_(0.5)
    together = Translator(translator.model, translator.tokenizer, translator.config, [other])
    found = together.translate(SOURCES, beam_size=3)
    for one, given in zip(found, together.align(SOURCES, [result.text for result in found]), strict=True):
        if one.tokens == given.tokens:
            assert one.score == pytest.approx(given.score, abs=1e-4)
            torch.testing.assert_close(one.weights, given.weights, atol=1e-4, rtol=0)


def test_prefix_for_all_or_one_each(translator):
    assert all(result.text.startswith("h g") for result in translator.translate(["a b", "c"], prefix="h g"))
    first, second, blank = translator.translate(["a b", "c", " "], prefix=["h", "", "h"])
    assert first.text.startswith("h")
    assert second.text == translator.translate(["c"])[0].text
    assert blank.text == ""
    with pytest.raises(UserError, match="1 prefixes for 2 sentences: give one for each, or one for all"):
        translator.translate(["a", "b"], prefix=["x"])


def test_long_source_is_cut_and_said_so(translator):
    long, short = translator.translate(["a b c d e f g h", "a"], max_source_length=3)
    assert len(long.source_tokens) == 4
    assert long.num_unread == len(translator.translate(["a b c d e f g h"])[0].source_tokens) - 4
    assert short.num_unread == 0
    (given,) = translator.align(["a b c d e f g h"], [long.text], max_source_length=3)
    assert given.num_unread == long.num_unread


def test_stream_equals_one_call(translator):
    chunks = [SOURCES[:3], [], SOURCES[3:]]
    for options in ({"beam_size": 3}, {"sample": True, "temperature": 3.0}):
        together = [result.text for result in translator.translate(SOURCES, **options)]
        assert [result.text for result in translator.translate_stream(chunks, **options)] == together


def test_sample_depends_on_the_place_in_the_input_not_on_the_batch(translator):
    texts = ["a b c d"] * 20

    def sample(batch_tokens, seed=1):
        results = translator.translate(texts, sample=True, temperature=3.0, seed=seed, batch_tokens=batch_tokens)
        return [result.text for result in results]

    assert len(set(sample(4096))) > 5
    assert sample(4096) == sample(1) == sample(30)
    assert sample(4096, seed=2) != sample(4096)


def test_threads_share_a_translator(translator):
    jobs = [
        ({"beam_size": 1}, SOURCES),
        ({"beam_size": 4, "n_best": 2}, SOURCES[::-1]),
        ({"sample": True}, SOURCES * 3),
        ({"beam_size": 2, "prefix": "h"}, SOURCES),
        ({"beam_size": 3, "precision": "bfloat16"}, SOURCES),
        ({"beam_size": 3, "precision": "int8"}, SOURCES),
    ] * 3

    def texts(job):
        options, sentences = job
        return [result.text for result in translator.translate(sentences, **options)]

    alone = [texts(job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(texts, jobs)) == alone


@pytest.fixture
def three_threads():
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(1)


@pytest.mark.parametrize("at_once", [None, 2])
def test_batches_searched_at_once_give_the_same(translator, three_threads, at_once):
    within, threads = [], set()

    class Watched(BatchSearch):
        def __call__(self, batch):
            threads.add(threading.current_thread())
            within.append(torch.get_num_threads())
            return super().__call__(batch)

    parallel, alone = (Translator(translator.model, translator.tokenizer, translator.config) for _ in range(2))
    parallel.at_once, alone.at_once = at_once, 1
    options: SearchChanges = {"sample": True, "temperature": 3.0, "batch_tokens": 12}
    with patch("seq2seq.inference.translator.BatchSearch", Watched):
        results = parallel.translate(SOURCES * 6, **options)
    assert threading.current_thread() not in threads
    assert 1 < len(threads) <= (at_once or 3)
    assert set(within) == {1}
    expected = alone.translate(SOURCES * 6, **options)
    assert [(one.text, one.score) for one in results] == [(one.text, one.score) for one in expected]
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 3  # a thread that begins later has as many as before


def test_failure_of_a_batch_searched_beside_others_is_told(translator, three_threads):
    broken = copy.deepcopy(translator.model)
    with torch.no_grad():
        broken.output_layer.weight[5] = math.nan
    with pytest.raises(UserError, match="NaN"):
        Translator(broken, translator.tokenizer, translator.config).translate(SOURCES * 6, 2, batch_tokens=12)
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize("cuda_graphs", [True, False])
def test_config_says_whether_a_gpu_records(translator, cuda_graphs):
    training = translator.config.training.model_copy(update={"cuda_graphs": cuda_graphs})
    config = translator.config.model_copy(update={"training": training})
    with patch("seq2seq.inference.translator.BatchSearch", side_effect=BatchSearch) as search:
        Translator(translator.model, translator.tokenizer, config).translate(["a"])
    assert search.call_args.args[-1] is cuda_graphs


def test_words_of_source_and_translation_are_aligned(translator):
    for result in translator.translate(["a b c d", "", "日本 \u200b x", "a\u00a0b"], beam_size=2):
        pairs = translator.align_words(result)
        assert [target for _, target in pairs] == sorted({target for _, target in pairs})
        assert all(source < len(result.source.split()) for source, _ in pairs)
        assert all(target < len(result.text.split()) for _, target in pairs)
        assert bool(pairs) == bool(result.text)


@pytest.fixture(scope="module")
def with_lexicon(toy_run):
    run = toy_run.parent / "with-lexicon"
    shutil.copytree(toy_run, run)
    learn_run_lexicon(run)
    return run


@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_shortlist_of_likely_pieces_translates_alike(with_lexicon, beam_size):
    translator = Translator.load_ensemble([with_lexicon, with_lexicon], "cpu")
    texts = [" ".join(random.Random(n).choices("abcdefgh", k=2 + n % 5)) for n in range(20)] + ["", "Zürich 😀"]
    expected = translator.translate(texts, beam_size, prefix="h é")
    found = translator.translate(texts, beam_size, prefix="h é", shortlist=True)
    assert sum(one.text == other.text for one, other in zip(found, expected, strict=True)) >= 20
    assert all(one.text.startswith("h é") for one in found if one.source)
    assert any(one.score > other.score for one, other in zip(found, expected, strict=True))
    allowed = set(translator.tokenizer.target_pieces(translator.lexicon.shortlist(torch.tensor([EOS])).tolist()))
    (alone,) = translator.translate(["a"], beam_size, shortlist=True, min_length_ratio=1.5)
    letters = set(translator.tokenizer.target_pieces(translator.tokenizer.encode_target(["a b c d e f g h"])[0]))
    assert set(alone.tokens) <= allowed | letters


def test_a_shortlist_needs_a_table(translator, toy_run):
    expected = rf"{toy_run}: a shortlist needs lexicon.safetensors, which is not there: `seq2seq lexicon {toy_run}`"
    with pytest.raises(ConfigError, match=expected):
        translator.translate(["a"], shortlist=True)
    with pytest.raises(ConfigError, match=expected):
        translator.translate_stream([["a"]], shortlist=True)
    loose = Translator(translator.model, translator.tokenizer, translator.config)
    with pytest.raises(ConfigError, match="RUN: a shortlist needs"):
        loose.translate(["a"], shortlist=True)


def test_a_sample_has_no_shortlist(translator):
    with pytest.raises(ConfigError, match="sample draws from the whole vocabulary, shortlist cuts it: leave one"):
        translator.translate(["a"], sample=True, shortlist=True)
