"""Weights laid out once for many matrix products, as search has them."""

import copy

import torch
from torch import Tensor, nn

from seq2seq.device import onednn_has_bfloat16
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
        return torch.ops.mkldnn._linear_pointwise(inputs.to(self.precision), self.packed, self.bias, "none", [], "")


def pack(model: Seq2Seq, precision: torch.dtype) -> Seq2Seq:
    """The model with its linear layers made for inference in this number format, as it is now; other weights are
    shared. On a CPU they are packed; on a GPU rounded, as autocast would do at each step. Where nothing is gained, the
    model itself."""
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
            else:
                setattr(module, name, PackedLinear(child.weight, child.bias, precision))
    return packed


def _onednn_computes(precision: torch.dtype) -> bool:
    return torch.backends.mkldnn.is_available() and (precision == torch.float32 or onednn_has_bfloat16())
