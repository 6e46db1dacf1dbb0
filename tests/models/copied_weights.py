"""The weights of Hugging Face's masked autoencoder under our names."""

import re

import torch
from torch import Tensor
from transformers import ViTMAEForPreTraining

from pipeline.models.masked_autoencoder import MaskedAutoencoder

NAMES = {
    r"^vit\.embeddings\.cls_token": "encoder.cls_token",
    r"^vit\.embeddings\.position_embeddings": "encoder.pos_embed",
    r"^vit\.embeddings\.patch_embeddings\.projection": "encoder.patch_embed.proj",
    r"^vit\.layernorm\.": "encoder.norm.",
    r"^vit\.layers\.": "encoder.blocks.",
    r"^decoder\.decoder_embed\.": "decoder.embed.",
    r"^decoder\.decoder_pos_embed": "decoder.positions",
    r"^decoder\.decoder_layers\.": "decoder.blocks.",
    r"^decoder\.decoder_norm\.": "decoder.norm.",
    r"^decoder\.decoder_pred\.": "decoder.head.",
    r"\.layernorm_before\.": ".norm1.",
    r"\.layernorm_after\.": ".norm2.",
    r"\.attention\.o_proj\.": ".attn.proj.",
}
"""Ours by theirs; what is in neither column has the same name in both."""
QUERY, KEY, VALUE, TOGETHER = ".attention.q_proj.", ".attention.k_proj.", ".attention.v_proj.", ".attn.qkv."
"""Three layers there, rows of one here."""


def copy_weights(theirs: ViTMAEForPreTraining, ours: MaskedAutoencoder) -> None:
    """Let our model have their weights; every tensor of either must have its place in the other."""
    weights: dict[str, Tensor] = {}
    state = theirs.state_dict()
    for name, tensor in state.items():
        if QUERY in name:
            parts = [tensor, state[name.replace(QUERY, KEY)], state[name.replace(QUERY, VALUE)]]
            weights[_our_name(name.replace(QUERY, TOGETHER))] = torch.cat(parts)
        elif KEY not in name and VALUE not in name:
            weights[_our_name(name)] = tensor
    ours.load_state_dict(weights, strict=True)


def _our_name(name: str) -> str:
    for theirs, ours in NAMES.items():
        name = re.sub(theirs, ours, name)
    return name
