import pytest
import torch
from benchmarks.masked.shapes import Shape
from benchmarks.masked.steps import hugging_face
from copied_weights import copy_weights
from torch import Tensor

from pipeline.models.encoder import build_encoder
from pipeline.models.masked_autoencoder import MaskedAutoencoder
from pipeline.models.patches import take, to_images, to_patches
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.methods import MaskedAutoencoderSettings
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.tasks.masked_autoencoding import MaskedAutoencoding

TINY = {"architecture": "vit_tiny_patch16_224", "width": 24, "depth": 2, "heads": 2}
SMALL_DECODER = {"kind": "mae", "decoder_width": 16, "decoder_depth": 2, "decoder_heads": 2}


def autoencoder(channels: int = 1, **method: object) -> MaskedAutoencoder:
    settings = MaskedAutoencoderSettings.model_validate(SMALL_DECODER | method)
    return MaskedAutoencoder(EncoderSettings.model_validate(TINY | {"channels": channels}), settings, seed=0)


def images_and_noise(channels: int = 1, count: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, channels, 224, 224, generator=generator), torch.rand(count, 196, generator=generator)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("mask_ratio", "visible"), [(0.9, 19), (0.75, 49)])
def test_only_the_visible_patches_go_through_the_encoder(mask_ratio: float, visible: int, channels: int) -> None:
    model = autoencoder(channels, mask_ratio=mask_ratio)
    lengths: list[int] = []
    model.encoder.blocks[0].register_forward_hook(lambda _, inputs, __: lengths.append(inputs[0].shape[1]))
    prediction = model(*images_and_noise(channels))
    assert lengths == [visible + 1]  # and the class token
    assert prediction.predicted.shape == prediction.target.shape == (2, 196 - visible, 256 * channels)
    assert prediction.masked.shape == (2, 196 - visible)


def test_the_patches_with_the_lowest_noise_are_seen_and_all_others_predicted() -> None:
    images, noise = images_and_noise()
    prediction = autoencoder(mask_ratio=0.75)(images, noise)
    hidden = noise.argsort(1).argsort(1) >= 49
    assert torch.equal(torch.zeros_like(noise).scatter(1, prediction.masked, 1.0).bool(), hidden)
    assert torch.equal(prediction.target, take(to_patches(images, 16), prediction.masked))


@pytest.mark.parametrize("decoder", ["mae", "cross"])
def test_the_prediction_does_not_depend_on_what_is_hidden(decoder: str) -> None:
    model = autoencoder(mask_ratio=0.75, decoder=decoder)
    images, noise = images_and_noise(count=1)
    first = model(images, noise)
    patches = to_patches(images, 16)
    patches[0, first.masked[0]] = 7.0
    second = model(to_images(patches, 16, 1), noise)
    torch.testing.assert_close(second.predicted, first.predicted)
    assert (second.target == 7.0).all()


@pytest.mark.parametrize(
    ("mask_ratio", "kept_ratio", "kept"), [(0.9, 1.0, 177), (0.9, 0.25, 44), (0.75, 0.5, 73), (0.9, 0.001, 1)]
)
def test_a_training_step_predicts_the_kept_share_of_the_hidden_patches(
    mask_ratio: float, kept_ratio: float, kept: int
) -> None:
    model = autoencoder(decoder="cross", mask_ratio=mask_ratio, kept_ratio=kept_ratio)
    images, noise = images_and_noise()
    some, every = model(images, noise, model.kept), model(images, noise)
    assert some.predicted.shape[1] == some.target.shape[1] == kept
    assert every.predicted.shape[1] == 196 - model.visible
    assert torch.equal(some.masked, every.masked[:, :kept])
    torch.testing.assert_close(some.predicted, every.predicted[:, :kept], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("decoder", ["mae", "cross"])
def test_gradients_reach_every_trained_parameter_of_encoder_and_decoder(decoder: str) -> None:
    model = autoencoder(decoder=decoder, kept_ratio=1.0 if decoder == "mae" else 0.25)
    prediction = model(*images_and_noise(), model.kept)
    (prediction.predicted - prediction.target).square().mean().backward()
    for name, parameter in model.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.any())
        assert reached == parameter.requires_grad, name
    assert {name for name, parameter in model.named_parameters() if not parameter.requires_grad} == {
        "encoder.pos_embed",
        "decoder.positions",
    }


@pytest.mark.parametrize("decoder", ["mae", "cross"])
def test_the_model_compiles_as_one_graph(decoder: str) -> None:
    model, given = autoencoder(decoder=decoder), images_and_noise()
    with torch.autocast("cpu", torch.bfloat16):
        expected = model(*given).predicted
        model.compile(backend="eager", fullgraph=True)
        torch.testing.assert_close(model(*given).predicted, expected)


@pytest.mark.parametrize("norm_pix", [False, True])
def test_with_the_weights_of_hugging_face_the_loss_is_theirs(norm_pix: bool) -> None:
    encoder = EncoderSettings.model_validate(TINY | {"image_size": 64, "patch_size": 8, "channels": 3})
    method = MaskedAutoencoderSettings.model_validate(SMALL_DECODER | {"norm_pix": norm_pix})
    task = MaskedAutoencoding(
        PretrainingSettings.model_validate(
            {
                "task": method.model_dump(),
                "encoder": encoder.model_dump(),
                "corpora": ["made"],
                "optimization": {"steps": 1, "batch_size": 4},
                "validation_images": 1,
            }
        )
    )
    torch.manual_seed(0)
    theirs = hugging_face(Shape("", encoder, method))
    copy_weights(theirs, task.model)
    generator = torch.Generator().manual_seed(1)
    images, noise = torch.randn(4, 3, 64, 64, generator=generator), torch.rand(4, 64, generator=generator)
    loss, expected = task.reconstruction_loss(task.model(images, noise)), theirs(images, noise=noise).loss
    torch.testing.assert_close(loss, expected, rtol=0, atol=1e-5)
    loss.backward()  # type: ignore[no-untyped-call]
    expected.backward()
    ours = task.model.encoder.blocks[0].attn.proj.weight.grad
    torch.testing.assert_close(ours, theirs.vit.layers[0].attention.o_proj.weight.grad, rtol=1e-4, atol=1e-7)


def test_weights_depend_on_the_seed_alone_and_leave_the_global_generator_as_it_was() -> None:
    state = torch.random.get_rng_state()
    first, second, other = (build_encoder(EncoderSettings.model_validate(TINY), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.blocks[0].attn.qkv.weight, second.blocks[0].attn.qkv.weight)
    assert not torch.equal(first.blocks[0].attn.qkv.weight, other.blocks[0].attn.qkv.weight)
    assert torch.equal(torch.random.get_rng_state(), state)
