"""What a trained run consists of: its parameters, with their symbols in the literature; its vocabularies and data."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from seq2seq.model.attention import Attention
from seq2seq.model.decoder import BahdanauDecoder, InputFeedingDecoder, LuongDecoder
from seq2seq.model.rnn import RecurrentStack
from seq2seq.model.scores import Additive, Bilinear, Concat, Cosine
from seq2seq.model.seq2seq import Embedding, Seq2Seq
from seq2seq.model.transformer import TransformerLayer
from seq2seq.model.windows import LocalPredictive
from seq2seq.sharing.model_files import read_model
from seq2seq.sharing.model_folder import read_counts

PARTS = ("embeddings", "encoder", "attention", "decoder", "output")
"""Always shown, in this order; what a model has besides follows under its own name."""

SYMBOLS: dict[type[nn.Module], dict[str, str]] = {
    nn.Module: {
        "query_projection.weight": "W_Q",
        "key_projection.weight": "W_K",
        "value_projection.weight": "W_V",
        "output_projection.weight": "W_O",
    },
    Attention: {"coverage_weight": "w_c"},
    LocalPredictive: {"projection.weight": "W_p", "v.weight": "v_p"},
    Additive: {"v": "v"},
    Cosine: {"log_beta": "β"},
    Bilinear: {"weight": "W"},
    Concat: {"query_weight": "W", "key_weight": "W"},
    Embedding: {"weight": "E"},
    TransformerLayer: {"feedforward.0.weight": "W_1", "feedforward.3.weight": "W_2"},
    nn.RNNBase: {"weight_ih_l*": "W", "weight_hh_l*": "U"},
    RecurrentStack: {"layer_gates.*.weight": "W", "cells.*.recurrent.weight": "U"},
    BahdanauDecoder: {
        "bridge.projection.weight": "W_s",
        "embedding_gates.weight": "W",
        "context_gates.weight": "C",
        "first_cell.recurrent.weight": "U",
        "output_layer.weight": "W_o",
    },
    InputFeedingDecoder: {
        "embedding_gates.weight": "W",
        "readout.linear.weight": "W_c",
        "output_layer.weight": "W_s",
    },
    LuongDecoder: {"readout.linear.weight": "W_c", "output_layer.weight": "W_s"},
}
"""For a module (or one derived from it) the parameters below it, `*` standing for anything, and their symbols in the
papers that the module's docstring names. A decoder's paper names the output layer too. A cell's W, U and C multiply its
input, previous state and context, and hold all gates."""

GAP = "  "
"""Between columns."""


@dataclass(frozen=True)
class Parameter:
    part: str
    symbol: str | None
    name: str
    shape: list[int]
    count: int
    share: float
    """Of all parameters."""
    also: list[str]
    """The other names of a tied parameter."""
    frozen: bool


class Inspection(NamedTuple):
    parameters: list[Parameter]
    """Each once, part by part."""
    source_size: int
    target_size: int
    joint: bool
    """Whether source and target have one vocabulary."""
    data: dict[str, Any] | None
    """What training counted, for each split; None where it left no record."""

    @property
    def total(self) -> int:
        return sum(parameter.count for parameter in self.parameters)

    @property
    def frozen(self) -> int:
        return sum(parameter.count for parameter in self.parameters if parameter.frozen)

    @property
    def parts(self) -> dict[str, int]:
        """Number of parameters in each."""
        names = dict.fromkeys([*PARTS, *(parameter.part for parameter in self.parameters)])
        return {part: sum(each.count for each in self.parameters if each.part == part) for part in names}

    def to_json(self) -> str:
        vocabulary = {"source": self.source_size, "target": self.target_size, "joint": self.joint}
        result = {
            "parameters": [asdict(parameter) for parameter in self.parameters],
            "parts": self.parts,
            "total": self.total,
            "frozen": self.frozen,
            "vocabulary": vocabulary,
            "data": self.data,
        }
        return json.dumps(result, indent=2, ensure_ascii=False)


def inspect_run(run: str | Path) -> Inspection:
    """Load a model as `Translator.load` does, and list what it consists of.

    Raises:
        ConfigError, DataError: It is no run folder, or a file in it is missing or damaged.
    """
    model, tokenizer, _, folder = read_model(run)
    return Inspection(
        list_parameters(model), tokenizer.source_size, tokenizer.target_size, tokenizer.joint, read_counts(folder)
    )


def list_parameters(model: Seq2Seq) -> list[Parameter]:
    """Each parameter once, under its first name, part by part."""
    names: dict[nn.Parameter, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(parameter, []).append(name)
    total = sum(parameter.numel() for parameter in names)
    parameters = [
        Parameter(
            part=_part(first),
            symbol=_symbol(model, first),
            name=first,
            shape=list(parameter.shape),
            count=parameter.numel(),
            share=parameter.numel() / total,
            also=others,
            frozen=not parameter.requires_grad,
        )
        for parameter, (first, *others) in names.items()
    ]
    order = list(dict.fromkeys([*PARTS, *(parameter.part for parameter in parameters)]))
    return sorted(parameters, key=lambda parameter: order.index(parameter.part))


def format_inspection(inspection: Inspection, width: int | None = None) -> str:
    """As text for a terminal of that many columns; names of parameters too long for it lose their beginning."""
    return "\n".join([*_table(inspection, width), "", _vocabulary(inspection), "", *_counts(inspection.data)])


def _table(inspection: Inspection, width: int | None) -> list[str]:
    total = inspection.total
    rows = {
        parameter.name: (
            parameter.symbol or "",
            parameter.name,
            " x ".join(f"{size:,}" for size in parameter.shape),
            *_share(parameter.count, total),
        )
        for parameter in inspection.parameters
    }
    head = ("", "parameter", "shape", "count", "share")
    columns = zip(head, ("", "", "", *_share(total, total)), *rows.values(), strict=True)
    symbol, name, shape, count, share = (max(map(len, column)) for column in columns)
    if width is not None:
        name = min(name, max(20, width - symbol - shape - count - share - 4 * len(GAP)))

    def row(*cells: str) -> str:
        label = cells[1] if len(cells[1]) <= name else "…" + cells[1][len(cells[1]) - name + 1 :]
        numbers = (text.rjust(size) for text, size in zip(cells[2:], (shape, count, share), strict=True))
        return GAP.join([cells[0].ljust(symbol), label.ljust(name), *numbers])

    def sum_row(label: str, amount: int) -> str:
        numbers = (text.rjust(size) for text, size in zip(_share(amount, total), (count, share), strict=True))
        return GAP.join([label.ljust(symbol + name + shape + 2 * len(GAP)), *numbers])

    lines = [row(*head)]
    for part, amount in inspection.parts.items():
        lines += ["", sum_row(part, amount)]
        for parameter in inspection.parameters:
            if parameter.part == part:
                lines.append(row(*rows[parameter.name]))
                notes = [f"tied: is also {also}" for also in parameter.also] + ["frozen"] * parameter.frozen
                lines += [" " * (symbol + len(GAP)) + note for note in notes]
    lines += ["", sum_row("total", total)]
    if inspection.frozen:
        lines.append(sum_row("of which frozen", inspection.frozen))
    return lines


def _share(count: int, total: int) -> tuple[str, str]:
    return f"{count:,}", f"{100 * count / total:.1f} %"


def _vocabulary(inspection: Inspection) -> str:
    if inspection.joint:
        return f"vocabulary: {inspection.source_size:,} pieces, joint (one for source and target)"
    return f"vocabularies: source {inspection.source_size:,} pieces, target {inspection.target_size:,} pieces"


def _counts(data: dict[str, Any] | None) -> list[str]:
    """What was counted, a line each, with a column for each split."""
    if data is None:
        return ["data: no counts (the run has no data.json)"]
    splits = {
        split: dict(_flatten(counts)) for split, counts in data.items() if isinstance(counts, dict) and "read" in counts
    }
    labels = dict.fromkeys(label for counts in splits.values() for label in counts)
    table = [["data", *splits]]
    table += [[label, *(_number(counts.get(label, "")) for counts in splits.values())] for label in labels]
    first, *others = (max(map(len, column)) for column in zip(*table, strict=True))
    lines = []
    for label, *cells in table:
        numbers = (cell.rjust(size) for cell, size in zip(cells, others, strict=True))
        lines.append(GAP.join([label.ljust(first), *numbers]).rstrip())
    return lines


def _flatten(counts: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in counts.items():
        label = prefix + key.replace("_", " ")
        if isinstance(value, dict):
            yield from _flatten(value, f"{label}: ")
        else:
            yield label, value


def _number(value: Any) -> str:
    """A count with its thousands apart, or the beginning of a hash."""
    return f"{value:,}" if isinstance(value, int) else str(value)[:12]


def _part(name: str) -> str:
    top, *below = name.split(".")
    if top in ("source_embedding", "target_embedding"):
        return "embeddings"
    if top == "decoder" and below[0] == "attention":
        return "attention"
    return "output" if top == "output_layer" else top


def _symbol(model: Seq2Seq, name: str) -> str | None:
    path = name.split(".")
    for depth in range(len(path)):  # from the whole model to the parameter's owner
        kinds = type(model.get_submodule(".".join(path[:depth]))).__mro__
        if depth == 0:
            kinds += type(model.decoder).__mro__
        for kind in kinds:
            for pattern, symbol in SYMBOLS.get(kind, {}).items():
                if fnmatchcase(".".join(path[depth:]), pattern):
                    return symbol
    return None
