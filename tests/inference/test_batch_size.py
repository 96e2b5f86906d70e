"""On real text: whether a translation depends on the batch that it was in."""

from pathlib import Path

import pytest

from seq2seq import Translator


@pytest.fixture(scope="module")
def translator():
    runs = Path(__file__).parent.parent.parent / "runs"
    for name in ("multi30k", "multi30k-short"):
        if (runs / name / "model.safetensors").exists():
            return Translator.load(runs / name, "cpu")
    pytest.skip("needs a run in runs/multi30k (configs/multi30k.yaml) or runs/multi30k-short")


def translations(translator, lines, batch_tokens, **options):
    return [result.text for result in translator.translate(lines, batch_tokens=batch_tokens, **options)]


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"beam_size": 1}, {"beam_size": 5}, {"sample": True}], ids=str)
def test_a_batch_of_one_and_of_hundreds_give_the_same_in_float32(translator, multi30k, options):
    lines = (multi30k / "test2016.en").read_text(encoding="utf-8").splitlines()
    alone, together = (translations(translator, lines, size, **options) for size in (1, 20_000))
    assert sum(one != other for one, other in zip(alone, together, strict=True)) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "most"), [("bfloat16", 0.1), ("int8", 0.01)])
def test_in_fewer_bits_they_do_not_which_is_why_those_have_to_be_asked_for(translator, multi30k, precision, most):
    lines = (multi30k / "test2016.en").read_text(encoding="utf-8").splitlines()
    alone, together = (translations(translator, lines, size, beam_size=1, precision=precision) for size in (1, 20_000))
    differing = sum(one != other for one, other in zip(alone, together, strict=True))
    assert 0 < differing < most * len(lines)
