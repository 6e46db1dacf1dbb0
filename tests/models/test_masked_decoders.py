import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from pipeline.models.masked_decoders import AttentionDecoder, CrossDecoder
from pipeline.settings.methods import MaskedAutoencoderSettings

ROWS, PIXELS, WIDTH = 4, 64, 24
VISIBLE = torch.tensor([[3, 0, 9, 12], [1, 2, 4, 15]])
HIDDEN = torch.stack([torch.tensor([place for place in range(16) if place not in row]) for row in VISIBLE.tolist()])

Decoder = AttentionDecoder | CrossDecoder


def decoder_of(kind: type[Decoder], depth: int = 2, heads: int = 4) -> Decoder:
    settings = MaskedAutoencoderSettings(kind="mae", decoder_width=32, decoder_depth=depth, decoder_heads=heads)
    torch.manual_seed(0)
    return kind(WIDTH, ROWS, PIXELS, settings)


def encoded_tokens() -> Tensor:
    return torch.randn(2, 5, WIDTH, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", [AttentionDecoder, CrossDecoder])
def test_every_wanted_patch_gets_its_pixels(kind: type[Decoder]) -> None:
    assert decoder_of(kind)(encoded_tokens(), VISIBLE, HIDDEN).shape == (2, 12, PIXELS)


@pytest.mark.parametrize("kind", [AttentionDecoder, CrossDecoder])
@pytest.mark.parametrize(("depth", "heads"), [(1, 4), (3, 2)])
def test_decoders_have_the_blocks_and_heads_of_the_settings(kind: type[Decoder], depth: int, heads: int) -> None:
    blocks = decoder_of(kind, depth, heads).blocks
    assert [block.heads if kind is CrossDecoder else block.attn.num_heads for block in blocks] == [heads] * depth


@pytest.mark.parametrize("kind", [AttentionDecoder, CrossDecoder])
def test_the_order_of_tokens_does_not_matter_only_their_places(kind: type[Decoder]) -> None:
    decoder, tokens = decoder_of(kind), encoded_tokens()
    turned = torch.cat([tokens[:, :1], tokens[:, 1:].flip(1)], dim=1)
    first = decoder(tokens, VISIBLE, HIDDEN)
    torch.testing.assert_close(decoder(turned, VISIBLE.flip(1), HIDDEN.flip(1)).flip(1), first, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(decoder(turned, VISIBLE, HIDDEN), first, atol=1e-3)


@pytest.mark.parametrize("kind", [AttentionDecoder, CrossDecoder])
def test_every_trained_parameter_and_every_encoded_token_gets_a_gradient(kind: type[Decoder]) -> None:
    decoder, tokens = decoder_of(kind), encoded_tokens().requires_grad_()
    decoder(tokens, VISIBLE, HIDDEN).square().mean().backward()
    assert tokens.grad is not None
    assert (tokens.grad.abs().sum(-1) > 0).all()
    for name, parameter in decoder.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.any())
        assert reached == parameter.requires_grad, name


@pytest.mark.parametrize("count", [1, 3])
def test_cross_attention_predicts_a_patch_alike_whatever_else_is_asked(count: int) -> None:
    decoder, tokens = decoder_of(CrossDecoder), encoded_tokens()
    whole = decoder(tokens, VISIBLE, HIDDEN)
    torch.testing.assert_close(decoder(tokens, VISIBLE, HIDDEN[:, :count]), whole[:, :count], rtol=1e-4, atol=1e-5)


def test_full_attention_predicts_a_patch_otherwise_where_others_are_not_asked() -> None:
    decoder, tokens = decoder_of(AttentionDecoder), encoded_tokens()
    alone = decoder(tokens, VISIBLE, HIDDEN[:, :1])
    assert not torch.allclose(alone, decoder(tokens, VISIBLE, HIDDEN)[:, :1], atol=1e-3)


@pytest.mark.parametrize("depth", [1, 3])
def test_what_the_last_block_leaves_out_changes_nothing(depth: int) -> None:
    decoder, tokens = decoder_of(AttentionDecoder, depth).double(), encoded_tokens().double()
    x = torch.cat([decoder.embedded(tokens, VISIBLE), decoder.blanks(HIDDEN)], dim=1)
    for block in decoder.blocks:
        x = block(x)
    torch.testing.assert_close(decoder(tokens, VISIBLE, HIDDEN), decoder.pixels(x[:, 5:]), rtol=1e-10, atol=1e-12)


def test_a_quarter_of_the_patches_costs_cross_attention_a_fraction() -> None:
    def operations(wanted: Tensor) -> int:
        with FlopCounterMode(display=False) as counter:
            decoder_of(CrossDecoder)(encoded_tokens(), VISIBLE, wanted)
        return counter.get_total_flops()

    assert operations(HIDDEN[:, :3]) < 0.5 * operations(HIDDEN)
