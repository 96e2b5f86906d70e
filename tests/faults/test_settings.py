"""Settings: config files, overrides, devices, and options of search."""

import pytest
import torch

TRAIN = "train config.yaml --run new"


def test_fault_23_search_that_makes_no_sense(run, answer):
    for options, message in [
        ("--beam-size 0", "'0' is not a number from 1 up"),
        ("--beam-size 1000000", "search: beam_size is 1000000: input should be less than or equal to 10000"),
        ("--n-best 6 --beam-size 5", "n_best is 6, but a beam of 5 finds no more than 5: set beam_size to 6"),
        ("--sample --beam-size 2", "sample draws one translation, beam_size is 2: leave one of them out"),
        ("--top-k 3", "top_k is for sampling: set sample too, or leave it out"),
        ("--temperature 2", "temperature is for sampling"),
        ("--sample --temperature 0", "temperature is 0.0: input should be greater than or equal to 0.001"),
        ("--sample --top-p 1.5", "top_p is 1.5: input should be less than or equal to 1"),
        ("--sample --seed -1", "seed is -1: input should be greater than or equal to 0"),
        ("--length-penalty nan", "length_penalty is nan: input should be a finite number"),
        ("--length-penalty 1e300", "length_penalty is 1e+300: input should be less than or equal to 10"),
        ("--beam-threshold 0", "beam_threshold is 0.0: input should be greater than 0"),
        ("--coverage-penalty -1", "coverage_penalty is -1.0: input should be greater than or equal to 0"),
        ("--min-length-ratio 3", "min_length_ratio is 3, more than max_length_ratio, 2"),
        ("--max-length-ratio 1e300", "max_length_ratio is 1e+300: input should be less than or equal to 100"),
        ("--no-repeat-ngram-size -1", "no_repeat_ngram_size is -1: input should be greater than or equal to 0"),
    ]:
        answer(f"translate run a {options}", message)


def test_fault_27_numbers_out_of_range(corpus, answer):
    for setting, message in [
        ("training.learning_rate=0", "input should be greater than 0"),
        ("training.learning_rate=1e9", "input should be less than or equal to 10"),
        ("training.warmup_steps=-1", "input should be greater than or equal to 0"),
        ("model.encoder.dropout=1.0", "input should be less than 1"),
        ("model.encoder.num_layers=0", "input should be greater than or equal to 1"),
        ("model.decoder.hidden_size=1.5", "input should be a valid integer"),
        ("training.max_steps=null", "max_epochs and max_steps are both null: training would never end; give one"),
    ]:
        answer(f"{TRAIN} {setting}", setting.partition("=")[0].rpartition(".")[2], message)
    heads = "model.attention.projection=query_key_value model.attention.num_heads=3"
    answer(f"{TRAIN} {heads}", "attention.num_heads is 3, which does not divide the attention's size 7")


def test_fault_49_number_format_that_a_cpu_does_not_have(corpus, answer):
    answer(f"{TRAIN} training.device=cpu training.precision=float16", "use auto, bfloat16 or float32")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_fault_49_device_that_is_not_there(run, answer):
    answer("translate run a --device cuda", "device is 'cuda', but this machine has no CUDA GPU that torch can use")
    answer(f"{TRAIN} training.device=cuda", "device is 'cuda', but this machine has no CUDA GPU that torch can use")


def test_fault_52_yaml_that_says_something_else(corpus, answer):
    text = (corpus / "config.yaml").read_text()
    for change, message in [
        (text + "training: {seed: 3}\n", "training is there twice, first in line 12: join the two (line 14, column 1)"),
        (text.replace("source_language: in", "source_language: no"), "put it in quotes"),
        (
            text.replace("  source_language", "\tsource_language"),
            "cannot start any token (line 2, column 1; indent with",
        ),
        (text.replace("test.out}", "test.out"), "expected ',' or '}'"),
        ("data: !!python/object/apply:os.system [echo]\n", "could not determine a constructor for the tag"),
    ]:
        (corpus / "mine.yaml").write_text(change)
        answer("train mine.yaml --run new", "mine.yaml: ", message)
    assert not (corpus / "new").exists()


def test_fault_53_settings_that_there_are_not(corpus, answer):
    for override, message in [
        ("training.sede=1", "unknown key training.sede; did you mean seed?"),
        ("trianing.seed=1", "unknown key trianing; did you mean training?"),
        ("training.seed", "override 'training.seed': write it as section.key=value, for example training.seed=2"),
        ("training.seed=", "training.seed is None: input should be a valid integer"),
        ("training.seed=[", "override 'training.seed=[': not valid YAML: "),
        ("training.seed=2001-99-99", "override 'training.seed=2001-99-99': not valid YAML: month must be"),
        ("training=5", "training is 5: expected a section, which has settings by name"),
        ("data.source_language.x=1", "override 'data.source_language.x=1': source_language is a value, not a section"),
        ("model.attention.score=aditive", "model.attention.score is 'aditive': use one of additive, "),
        ("model.attention.score=mine:Score", "cannot import it: No module named 'mine'"),
        ("model.encoder.cell=rnn", "model.encoder.cell is 'rnn': input should be 'gru', 'lstm' or 'transformer'"),
    ]:
        answer(f"{TRAIN} {override}", message)


def test_fault_60_models_to_start_from_that_do_not_fit(run, answer):
    for settings, message in [
        ("training.start_from=gone", "gone"),
        ("training.start_from=train.in", "train.in"),
        ("training.start_from=run model.decoder.cell=lstm", "run: training cannot start from it with other settings"),
        ("training.start_from=run tokenizer.vocabulary_size=30", "tokenizer.vocabulary_size"),
    ]:
        answer(f"{TRAIN} {settings}", message)
