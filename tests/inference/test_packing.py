import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from seq2seq.config import AttentionConfig, DecoderConfig, EncoderConfig, ModelConfig
from seq2seq.device import choose_search_precision, has_vnni, onednn_has_bfloat16, onednn_has_int8
from seq2seq.errors import ConfigError
from seq2seq.inference.packing import PackedLinear, QuantizedLinear, pack
from seq2seq.model.seq2seq import Seq2Seq

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="needs oneDNN")


needs_int8 = pytest.mark.skipif(not onednn_has_int8(), reason="needs an x86 processor")


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


@needs_int8
def test_int8_is_near(model):
    torch.testing.assert_close(logits(pack(model, torch.int8)), logits(model), rtol=0.05, atol=0.05)


def multiples(rows, largest):
    scale = rows.abs().amax(dim=1, keepdim=True) / largest
    return (rows / scale).round() * scale


@needs_int8
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("vnni", "largest"), [(True, 127), (False, 63)])
def test_int8_is_the_product_of_what_is_rounded(bias, vnni, largest):
    if vnni and not has_vnni():
        pytest.skip("needs a processor that adds up products of 8-bit integers in 32 bits")
    linear, rows = nn.Linear(67, 257, bias=bias), torch.randn(13, 67) * torch.logspace(-3, 3, 13).unsqueeze(1)
    expected = nn.functional.linear(multiples(rows, largest), multiples(linear.weight, 127), linear.bias)
    with torch.inference_mode():
        found = QuantizedLinear(linear.weight, linear.bias, vnni)(rows.unflatten(0, (1, 13)))[0]
    size = rows.abs().amax(dim=1, keepdim=True)
    torch.testing.assert_close(found / size, expected / size, rtol=1e-5, atol=1e-5)


@needs_int8
def test_int8_of_zeros_and_of_what_is_no_number():
    linear = nn.Linear(7, 5)
    rows = torch.stack([torch.zeros(7), torch.full((7,), torch.nan), torch.ones(7)])
    with torch.inference_mode():
        found = QuantizedLinear(linear.weight, linear.bias, has_vnni())(rows)
    assert torch.equal(found[0], linear.bias)
    assert found[1].isnan().all()
    assert found[2].isfinite().all()


SUMS = """
import torch
from seq2seq.inference.packing import QuantizedLinear
for sign in (1.0, -1.0):
    found = QuantizedLinear(torch.full((8, 64), sign), None, vnni=False)(torch.ones(2, 64))
    assert torch.allclose(found, torch.tensor(64 * sign)), found
"""


@needs_int8
def test_int8_sums_do_not_overflow_on_processors_that_add_up_in_16_bits():
    older = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    subprocess.run([sys.executable, "-c", SUMS], check=True, env=older)


def test_int8_is_refused_where_there_is_none(monkeypatch):
    with pytest.raises(ConfigError, match=r"'int8', which only x86 .* the device is cuda; use bfloat16 or float32"):
        choose_search_precision("int8", torch.device("cuda"))
    monkeypatch.setattr("seq2seq.device.onednn_has_int8", lambda: False)
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(ConfigError, match="the device is aarch64"):
        choose_search_precision("int8", torch.device("cpu"))
    assert choose_search_precision("bfloat16", torch.device("cuda")) is torch.bfloat16


@pytest.mark.parametrize(
    "precision", [torch.float32, torch.bfloat16, pytest.param(torch.int8, marks=needs_int8)], ids=str
)
def test_a_row_is_the_same_in_any_company(precision):
    if precision == torch.bfloat16 and not onednn_has_bfloat16():
        pytest.skip("needs a processor whose bfloat16 oneDNN multiplies")
    linear = nn.Linear(67, 257)
    if precision == torch.int8:
        packed = QuantizedLinear(linear.weight, linear.bias, has_vnni())
    else:
        packed = PackedLinear(linear.weight, linear.bias, precision)
    rows = torch.randn(131, 67)
    together = packed(rows)
    for size in (1, 5, 64):
        assert torch.equal(torch.cat([packed(part) for part in rows.split(size)]), together)


@pytest.mark.parametrize("precision", [torch.float32, pytest.param(torch.int8, marks=needs_int8)], ids=str)
def test_every_linear_layer_is_packed_and_the_model_is_left_alone(model, precision):
    before = {name: type(module) for name, module in model.named_modules()}
    packed = pack(model, precision)
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
