"""The optimizer and the course of its learning rate."""

import math

import torch
from torch import nn

from seq2seq.config import TrainingConfig


def build_optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980) or AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101), without
    what is frozen."""
    optimizer = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
    trained = trained_parameters(model)
    return optimizer(trained, lr=config.learning_rate, betas=config.betas, weight_decay=config.weight_decay, fused=True)


def trained_parameters(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def learning_rate(config: TrainingConfig, step: int, total_steps: int) -> float:
    """The rate of optimizer step 1, 2, ..., total_steps: a pure function, so there is no scheduler state to lose.

    It rises linearly over the warm-up steps. Then, with r the share of the remaining steps that are still to come:
    `constant` and `plateau` keep it (the loop multiplies in what the latter has come down to), `inverse_sqrt`
    multiplies it by sqrt(warmup / step) (Vaswani et al. 2017, section 5.3), `linear` by r, `cosine` by
    (1 + cos(pi (1 - r))) / 2 (Loshchilov & Hutter 2017, arXiv:1608.03983).
    """
    warmup = config.warmup_steps
    if step <= warmup:
        return config.learning_rate * step / warmup
    remaining = (total_steps - step + 1) / max(1, total_steps - warmup)
    factor = {
        "constant": 1.0,
        "plateau": 1.0,
        "inverse_sqrt": math.sqrt(max(1, warmup) / step),
        "linear": remaining,
        "cosine": (1 + math.cos(math.pi * (1 - remaining))) / 2,
    }[config.schedule]
    return config.learning_rate * factor
