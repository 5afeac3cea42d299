"""Merge networks of several seeds into one, whose graph has no more nodes than a single network's."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from oi_hedge_strategy.training.network import CascadeNetwork, HybridReader, LSTMReader


def merge(networks: Sequence[CascadeNetwork]) -> CascadeNetwork:
    """
    Return one network whose outputs are the mean of those of `networks` before the quantiles' increments.

    The members lie side by side in block-diagonal weights. They must have been fitted on the same training
    rows, whose scale they share.

    Parameters
    ----------
    networks : sequence of CascadeNetwork
        Of the same architecture and sizes.

    """
    if len(networks) == 1:
        return networks[0]
    whole = networks[0].widened(len(networks))
    with torch.no_grad():
        _merge_reader(whole.reader, [each.reader for each in networks])
        hidden = networks[0].reader.hidden
        states = _block([each.first.weight[:, :hidden] for each in networks])
        whole.first.weight.copy_(
            torch.cat([states, torch.cat([each.first.weight[:, hidden:] for each in networks])], 1)
        )
        whole.first.bias.copy_(torch.cat([each.first.bias for each in networks]))
        whole.second.weight.copy_(_block([each.second.weight for each in networks]))
        whole.second.bias.copy_(torch.cat([each.second.bias for each in networks]))
        whole.out.weight.copy_(torch.cat([each.out.weight for each in networks], 1) / len(networks))
        whole.out.bias.copy_(torch.stack([each.out.bias for each in networks]).mean(0))
        whole.regression.weight.copy_(torch.stack([each.regression.weight for each in networks]).mean(0))
        whole.regression.bias.copy_(torch.stack([each.regression.bias for each in networks]).mean(0))
    whole.scale.load_state_dict(networks[0].scale.state_dict())
    whole.eval()
    return whole


def _merge_reader(whole: nn.Module, members: Sequence[nn.Module]) -> None:
    if isinstance(whole, HybridReader):
        hybrids = [each for each in members if isinstance(each, HybridReader)]
        whole.names.copy_(torch.cat([each.names for each in hybrids], 1))
        whole.anonymous.copy_(torch.cat([each.anonymous for each in hybrids]))
        for layer in ("first", "second"):
            for name in ("weight", "bias"):
                parts = [getattr(getattr(each, layer), name) for each in hybrids]
                getattr(getattr(whole, layer), name).copy_(torch.cat(parts))
        _merge_recurrence(whole.recurrence, [each.recurrence for each in hybrids], gates=3, pools=2)
    elif isinstance(whole, LSTMReader):
        readers = [each.recurrence for each in members if isinstance(each, LSTMReader)]
        _merge_recurrence(whole.recurrence, readers, gates=4, pools=0)


def _merge_recurrence(whole: nn.RNNBase, members: Sequence[nn.RNNBase], gates: int, pools: int) -> None:
    weights = [{name: each.detach() for name, each in member.named_parameters()} for member in members]
    merged = {"weight_ih_l0": _inputs([each["weight_ih_l0"] for each in weights], gates, pools)}
    hidden = [each["weight_hh_l0"].chunk(gates) for each in weights]
    merged["weight_hh_l0"] = torch.cat([_block([each[gate] for each in hidden]) for gate in range(gates)])
    for name in ("bias_ih_l0", "bias_hh_l0"):
        biases = [each[name].chunk(gates) for each in weights]
        merged[name] = torch.cat([each[gate] for gate in range(gates) for each in biases])
    whole.load_state_dict(merged)


def _inputs(weights: Sequence[Tensor], gates: int, pools: int) -> Tensor:
    """Return a recurrence's input weights gate by gate; members read their own pools, or all the same."""
    rows = []
    for gate in range(gates):
        parts = [each.chunk(gates)[gate] for each in weights]
        if pools:
            by_pool = [[part.chunk(pools, 1)[pool] for part in parts] for pool in range(pools)]
            rows.append(torch.cat([_block(each) for each in by_pool], 1))
        else:
            rows.append(torch.cat(parts))
    return torch.cat(rows)


def _block(parts: Sequence[Tensor]) -> Tensor:
    merged: Tensor = torch.block_diag(*parts)  # type: ignore[no-untyped-call]
    return merged
