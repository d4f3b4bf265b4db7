"""`torch.nn.MultiheadAttention` written out image by image; PyTorch's own form counts images and heads in one axis."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional


def written_out(module: torch.nn.Module) -> torch.nn.Module:
    """Let the attention layers of a module, which is a copy, compute what they do with an axis for the images alone."""
    for part in module.modules():
        if type(part) is torch.nn.MultiheadAttention:
            part.__class__ = WrittenOut
    return module


class WrittenOut(torch.nn.MultiheadAttention):
    """The same layer, with the same numbers, where it has neither masks nor extra keys."""

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *masks: Any, **options: Any
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the values that attention picks, and the weights with which it does, averaged over the heads."""
        needs_weights, averaged = options.get("need_weights", True), options.get("average_attn_weights", True)
        masked = masks or any(options.get(name) is not None for name in ("key_padding_mask", "attn_mask"))
        if masked or query.dim() != 3 or self.bias_k is not None or self.add_zero_attn or options.get("is_causal"):
            return super().forward(query, key, value, *masks, **options)
        if not self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        q, k, v = (self._heads(x, number) for number, x in enumerate((query, key, value)))
        weights = torch.softmax(q @ k.transpose(-2, -1) * (1 / math.sqrt(self.head_dim)), -1)
        result = self.out_proj((weights @ v).transpose(1, 2).flatten(2))
        if not self.batch_first:
            result = result.transpose(0, 1)
        return result, (weights.mean(1) if averaged else weights) if needs_weights else None

    def _heads(self, x: torch.Tensor, number: int) -> torch.Tensor:
        """Return one of queries, keys and values as (N, heads, L, features of a head)."""
        if self._qkv_same_embed_dim:
            weight = self.in_proj_weight.chunk(3)[number]
        else:
            weight = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)[number]
        bias = None if self.in_proj_bias is None else self.in_proj_bias.chunk(3)[number]
        values = functional.linear(x, weight, bias)
        return values.view(*values.shape[:2], self.num_heads, self.head_dim).transpose(1, 2)
