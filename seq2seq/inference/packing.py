"""Weights laid out once for many matrix products, as search has them."""

import copy

import torch
from torch import Tensor, nn

from seq2seq.device import has_vnni, onednn_has_bfloat16, onednn_linear
from seq2seq.model.seq2seq import OutputLayer, Seq2Seq


class PackedLinear(nn.Module):
    """A linear layer on a CPU whose weight has the order that oneDNN's kernels read it in.

    Otherwise each product puts it in that order anew, which for the few rows of a search step takes about as long as
    the product. The sum over the inputs has one order for any number of rows, too: a row's output is the same, bit for
    bit, in any company.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, precision: torch.dtype):
        super().__init__()
        self.precision = precision
        self.out_features, self.in_features = weight.shape
        self.weight = weight.detach()  # as it was: a shortlist takes rows from it
        self.packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach().to(precision), None)
        self.bias = None if bias is None else bias.detach().to(precision)

    def forward(self, inputs: Tensor) -> Tensor:
        return onednn_linear(inputs.to(self.precision), self.packed, self.bias)

    def like(self, weight: Tensor, bias: Tensor | None) -> "PackedLinear":
        return PackedLinear(weight, bias, self.precision)


class QuantizedLinear(nn.Module):
    """A linear layer on an x86 processor that multiplies 8-bit integers.

    Each row of the weight, and each vector that comes in, is rounded to whole multiples of 1/127 of its largest number
    (Dettmers et al. 2022, arXiv:2208.07339, section 3, "vector-wise quantization"). Sums of integers are exact: a
    row's output is the same, bit for bit, in any company.

    Args:
        vnni: Whether the processor adds products up in 32 bits. Without, two products of 8-bit numbers may be more
            than the 16 bits it has hold; vectors then have half as many multiples.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, vnni: bool):
        super().__init__()
        self.vnni = vnni
        self.largest, self.zero = (127, 128) if vnni else (63, 64)
        self.out_features, self.in_features = weight.shape
        self.weight = weight.detach()  # as it was: a shortlist takes rows from it
        quantized, scale = _quantize(self.weight, 127)
        self.packed = torch.ops.onednn.qlinear_prepack(quantized, None)
        self.scale = scale.squeeze(1)
        self.weight_zeros = torch.zeros(self.out_features, dtype=torch.long)
        self.bias = torch.zeros(self.out_features) if bias is None else bias.detach()

    def forward(self, inputs: Tensor) -> Tensor:
        quantized, scale = _quantize(inputs.float(), self.largest)
        unsigned = quantized.view(torch.uint8).add_(self.zero)  # what oneDNN is fast with; it overflows as it shall
        weight = (self.packed, self.scale, self.weight_zeros, None)
        to_float = (1.0, 0, torch.float32, "none", [], "")
        products = torch.ops.onednn.qlinear_pointwise(unsigned, 1.0, self.zero, *weight, *to_float)
        return torch.addcmul(self.bias, products, scale, out=products)

    def like(self, weight: Tensor, bias: Tensor | None) -> "QuantizedLinear":
        return QuantizedLinear(weight, bias, self.vnni)


def _quantize(rows: Tensor, largest: int) -> tuple[Tensor, Tensor]:
    """Integers of at most this size, and of each row the number that they are multiples of."""
    scale = rows.abs().amax(dim=-1, keepdim=True).clamp_(min=1e-30) / largest
    return (rows / scale).round_().to(torch.int8), scale


def pack(model: Seq2Seq, precision: torch.dtype) -> Seq2Seq:
    """The model with its linear layers made for inference in this number format, as it is now; other weights are
    shared. On a CPU they are packed, in int8 quantized; on a GPU rounded, as autocast would do at each step. Where
    nothing is gained, the model itself."""
    weight = model.output_layer.weight
    gains = precision != torch.float32 if weight.is_cuda else _onednn_computes(precision)
    if weight.dtype != torch.float32 or not gains:
        return model
    packed = copy.deepcopy(model, {id(weight): weight for weight in model.parameters()})
    for module in packed.modules():
        for name, child in module.named_children():
            # not what is derived from them, which may compute something else
            if type(child) is not nn.Linear and type(child) is not OutputLayer:
                continue
            if weight.is_cuda:
                for parameter, value in list(child.named_parameters()):
                    setattr(child, parameter, nn.Parameter(value.detach().to(precision), requires_grad=False))
            elif precision == torch.int8:
                setattr(module, name, QuantizedLinear(child.weight, child.bias, has_vnni()))
            else:
                setattr(module, name, PackedLinear(child.weight, child.bias, precision))
    return packed


def _onednn_computes(precision: torch.dtype) -> bool:
    return torch.backends.mkldnn.is_available() and (precision != torch.bfloat16 or onednn_has_bfloat16())
