import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from seq2seq.config import AttentionConfig, DecoderConfig, EncoderConfig, ModelConfig
from seq2seq.device import onednn_has_bfloat16
from seq2seq.inference.packing import PackedLinear, pack
from seq2seq.model.seq2seq import Seq2Seq

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="needs oneDNN")


@pytest.fixture
def model():
    config = ModelConfig(
        embedding_size=13,
        layer_norm=True,
        encoder=EncoderConfig(hidden_size=11),
        decoder=DecoderConfig(hidden_size=17),
        attention=AttentionConfig(score="additive"),
    )
    return Seq2Seq(config, 29, 31).eval()


def logits(model):
    source = torch.tensor([[5, 7, 11, 3], [13, 3, 0, 0]])
    with torch.inference_mode():
        return model(source, source > 0, torch.tensor([[2, 9, 4], [2, 8, 6]]))[0]


def test_computes_what_the_model_computes(model):
    torch.testing.assert_close(logits(pack(model, torch.float32)), logits(model), rtol=1e-4, atol=1e-5)


def test_bfloat16_is_near(model):
    torch.testing.assert_close(logits(pack(model, torch.bfloat16)).float(), logits(model), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_row_is_the_same_in_any_company(precision):
    if precision == torch.bfloat16 and not onednn_has_bfloat16():
        pytest.skip("needs a processor whose bfloat16 oneDNN multiplies")
    linear = nn.Linear(67, 257)
    packed = PackedLinear(linear.weight, linear.bias, precision)
    rows = torch.randn(131, 67)
    together = packed(rows)
    for size in (1, 5, 64):
        assert torch.equal(torch.cat([packed(part) for part in rows.split(size)]), together)


def test_every_linear_layer_is_packed_and_the_model_is_left_alone(model):
    before = {name: type(module) for name, module in model.named_modules()}
    packed = pack(model, torch.float32)
    assert not [name for name, module in packed.named_modules() if type(module) is nn.Linear]
    assert {name: type(module) for name, module in model.named_modules()} == before
    assert packed.target_embedding.weight is model.target_embedding.weight


def test_what_is_derived_from_a_linear_layer_is_left_as_it_is(model):
    class Doubled(nn.Linear):
        def forward(self, inputs):
            return 2 * super().forward(inputs)

    doubled = Doubled(17, 17)
    model.decoder.attention.query_projection = doubled
    assert isinstance(pack(model, torch.float32).decoder.attention.query_projection, Doubled)


def test_float64_has_no_packed_form(model):
    model.double()
    assert pack(model, torch.float32) is model


GROWTH = """
import sys
from pathlib import Path
import torch
from seq2seq import Translator
from seq2seq.inference.packing import PackedLinear

def pages():
    return int(Path("/proc/self/statm").read_text().split()[1])

Translator.load(sys.argv[1], "cpu")
packed, before = PackedLinear(torch.zeros(64, 64), None, torch.float32), pages()
with torch.inference_mode():
    for rows in range(1, 401):
        packed(torch.zeros(rows, 64))
print(pages() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux for the memory")
def test_code_for_shapes_that_are_gone_is_not_kept_in_translation(toy_run, monkeypatch):
    monkeypatch.delenv("LRU_CACHE_CAPACITY", raising=False)
    command = [sys.executable, "-c", GROWTH, str(toy_run)]
    growth = int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    assert growth * os.sysconf("SC_PAGE_SIZE") < 100 * 2**20  # 46 MiB; 180 where all is kept
