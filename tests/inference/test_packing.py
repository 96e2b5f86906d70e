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
