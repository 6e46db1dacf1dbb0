"""The shipped configurations against what papers and published code say (spec Medical MAE A1, CXR-MIM B1, PaCX 1.1)."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from conftest import REPOSITORY

from pipeline.settings.config import Config, resolve
from pipeline.settings.corpora import ExclusionSettings, PhantomSource
from pipeline.settings.encoders import ForeignEncoderSettings, RandomEncoderSettings
from pipeline.settings.layouts.mimic_derived import MimicImagesLayout
from pipeline.settings.methods import CxrMimSettings, MaskedAutoencoderSettings
from pipeline.settings.pretraining import visible_patches
from pipeline.stages.check_configuration import check_configuration
from pipeline.training.schedule import learning_rate

NAMES = ("config", "full", "published", "open", "phantom")
CONFIGS: dict[str, Config] = {
    name: resolve(yaml.safe_load((REPOSITORY / "config" / f"{name}.yaml").read_text())) for name in NAMES
}
FULL, PUBLISHED, DEMO = CONFIGS["full"], CONFIGS["published"], CONFIGS["config"]
DOCUMENT = (REPOSITORY / "docs" / "pretraining.md").read_text()

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
"""Mean and standard deviation of ImageNet's channels."""
TRIPLED = {
    "encoder.channels": (1, 3),
    "encoder.mean": (0.5056, IMAGENET[0]),
    "encoder.std": (0.252, IMAGENET[1]),
    "optimization.precision": ("bfloat16", "float16"),
}
"""What the code of all three papers does: a gray image three times over, normalised as photographs are, in float16."""
NIH_APART = {"normalisation.nih_cxr14.mean": (None, 0.5056), "normalisation.nih_cxr14.std": (None, 0.252)}
QUIRKS: dict[str, dict[str, tuple[object, object]]] = {
    "pretrain.mae_vit_small": TRIPLED | NIH_APART,
    "pretrain.mae_vit_base": TRIPLED | NIH_APART,
    "pretrain.pacx_mae": TRIPLED | {"task.mask_ratio": (0.9, 0.75)},
    "pretrain.cxr_mim": TRIPLED
    | {
        "task.masking": ("gaze", "random"),
        "task.gaze_weighting": ("rescaled", "published"),
        "task.binning": ("linear", "hard"),
    },
    "controls.imagenet": {"encoder.mean": (0.5, IMAGENET[0]), "encoder.std": (0.5, IMAGENET[1])},
}
"""Each setting in which published.yaml differs, as what it is in full.yaml and there."""

MEDICAL_MAE_SMALL, MEDICAL_MAE_BASE, CHEXPERT_TRAIN, REFLACX = 191_027 + 75_312, 500_000, 223_414, 2_616
"""Images that the papers trained on; the second is rounded, as in its name."""
PLANS = {
    # run: images, epochs, warm-up epochs, batch, peak learning rate
    "mae_vit_small": (MEDICAL_MAE_SMALL, 800, 40, 2048, 1.2e-3),
    "mae_vit_base": (MEDICAL_MAE_BASE, 800, 40, 2048, 1.2e-3),
    "mae_vit_base_cross": (MEDICAL_MAE_BASE, 800, 40, 2048, 1.2e-3),
    "pacx_mae": (CHEXPERT_TRAIN, 400, 10, 512, 1.5e-4),
    "cxr_mim": (REFLACX, 400, 10, 128, 1.5e-3),
    "cxr_mim_random": (REFLACX, 400, 10, 128, 1.5e-3),
}
RATES = {  # by epoch, spec Medical MAE G
    "mae_vit_small": {0: 0, 20: 6e-4, 40: 1.2e-3, 200: 1.07348e-3, 420: 6e-4, 600: 1.9363e-4},
    "cxr_mim": {5: 7.5e-4, 10: 1.5e-3, 205: 7.505e-4, 399: 1.02e-6},
}
RUNS = [(name, run) for name in ("full", "published") for run in CONFIGS[name].pretrain]


def leaves(plain: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the place and the value of every leaf of nested mappings."""
    if not isinstance(plain, dict):
        yield place, plain
        return
    for key, value in plain.items():
        yield from leaves(value, f"{place}.{key}" if place else key)


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, tuple[object, object]]:
    """Return the values of both at each place where they differ; none for a value that is not there."""
    first, second = dict(leaves(ours)), dict(leaves(theirs))
    places = [*first, *(place for place in second if place not in first)]
    pairs = {place: (first.get(place), second.get(place)) for place in places}
    return {place: pair for place, pair in pairs.items() if pair[0] != pair[1]}


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_configuration_says_only_what_there_is(name: str) -> None:
    check_configuration(CONFIGS[name])


def test_published_runs_differ_from_the_default_ones_in_the_named_quirks_alone() -> None:
    full, published = FULL.model_dump(mode="json"), PUBLISHED.model_dump(mode="json")
    for block in ("pretrain", "controls"):
        assert set(published[block]) <= set(full[block])
        for name, settings in published[block].items():
            expected = QUIRKS.get(f"{block}.{name}", {})
            assert differences(full[block][name], settings) == expected, f"{block}.{name}"


def test_published_runs_are_scored_on_benchmarks_of_the_default_ones() -> None:
    assert PUBLISHED.benchmarks.items() <= FULL.benchmarks.items()
    assert PUBLISHED.features == FULL.features
    assert PUBLISHED.bootstrap == FULL.bootstrap
    for name, protocol in PUBLISHED.protocols.items():
        assert protocol.probe == FULL.protocols[name].probe


def test_everything_that_was_published_runs_both_ways() -> None:
    assert set(FULL.pretrain) - set(PUBLISHED.pretrain) == {"mae_vit_base_cross", "cxr_mim_random"}
    assert PUBLISHED.pathvars["results"] != FULL.pathvars["results"]


@pytest.mark.parametrize(("name", "run"), RUNS)
def test_a_run_has_the_steps_batch_and_rate_of_its_paper(name: str, run: str) -> None:
    images, epochs, warmup, batch, peak = PLANS[run]
    plan, whole_batches = CONFIGS[name].pretrain[run].optimization, images // batch
    assert (plan.batch_size, plan.steps, plan.warmup_steps) == (batch, epochs * whole_batches, warmup * whole_batches)
    assert plan.learning_rate == pytest.approx(peak)
    assert (plan.betas, plan.weight_decay, plan.clip_norm) == ((0.9, 0.95), 0.05, None)
    assert plan.min_learning_rate == (1e-6 if run.startswith("cxr_mim") else 0)


@pytest.mark.parametrize(("run", "epoch", "rate"), [(run, *pair) for run, of in RATES.items() for pair in of.items()])
def test_a_run_has_the_learning_rate_of_its_paper_at_each_epoch(run: str, epoch: int, rate: float) -> None:
    images, _, _, batch, _ = PLANS[run]
    optimization = FULL.pretrain[run].optimization
    assert learning_rate(epoch * (images // batch), optimization) == pytest.approx(rate, rel=5e-3)


@pytest.mark.parametrize(
    ("name", "run", "visible"),
    [("full", "mae_vit_base", 19), ("full", "pacx_mae", 19), ("published", "pacx_mae", 49), ("full", "cxr_mim", 49)],
)
def test_a_run_shows_as_many_patches_as_its_paper_or_its_code(name: str, run: str, visible: int) -> None:
    settings = CONFIGS[name].pretrain[run]
    assert visible_patches(settings.task, settings.encoder.rows**2) == visible


@pytest.mark.parametrize(
    ("run", "architecture", "decoder"),
    [
        ("mae_vit_small", "vit_small_patch16_224", (512, 2, 16)),
        ("mae_vit_base", "vit_base_patch16_224", (512, 8, 16)),
        ("pacx_mae", "vit_base_patch16_224", (512, 8, 16)),
        ("cxr_mim", "vit_base_patch16_224", (256, 1, 8)),
    ],
)
def test_a_run_has_the_networks_of_its_paper(run: str, architecture: str, decoder: tuple[int, int, int]) -> None:
    for config in (FULL, PUBLISHED):
        task, encoder = config.pretrain[run].task, config.pretrain[run].encoder
        assert (encoder.architecture, encoder.image_size, encoder.patch_size) == (architecture, 224, 16)
        assert (task.decoder_width, task.decoder_depth, task.decoder_heads) == decoder


def test_masked_autoencoders_predict_pixels_as_they_are_and_all_of_them() -> None:
    for name, run in RUNS:
        task = CONFIGS[name].pretrain[run].task
        if isinstance(task, MaskedAutoencoderSettings):
            assert not task.norm_pix
            assert (task.decoder, task.kept_ratio) == (("cross", 0.25) if run.endswith("cross") else ("mae", 1.0))


def test_the_run_without_gaze_differs_from_cxr_mim_in_gaze_alone() -> None:
    for config, ours, control in (
        (FULL, "cxr_mim", "cxr_mim_random"),
        (DEMO, "cxr_mim_demo", "cxr_mim_random_demo"),
    ):
        runs = (config.pretrain[ours].model_dump(mode="json"), config.pretrain[control].model_dump(mode="json"))
        assert differences(*runs) == {
            "task.masking": ("gaze", "random"),
            "task.gaze_weighting": ("rescaled", "off"),
        }
        assert control in config.comparisons[ours]


def test_every_run_stands_beside_the_same_architecture_untrained() -> None:
    for config in (FULL, PUBLISHED, DEMO):
        probed = config.protocols["linear_probe"].encoders
        controls = {name: control for name, control in config.controls.items() if name in probed}
        untrained = [config.pretrain[c.like].encoder for c in controls.values() if isinstance(c, RandomEncoderSettings)]
        for name in config.pretrain:
            assert name in probed
            assert config.pretrain[name].encoder in untrained


def test_a_run_that_starts_from_imagenet_stands_beside_imagenet_alone() -> None:
    for config in (FULL, PUBLISHED):
        assert config.pretrain["cxr_mim"].initial == "imagenet"
        assert isinstance(config.controls["imagenet"], ForeignEncoderSettings)
        assert "imagenet" in config.protocols["linear_probe"].encoders


def test_small_lesions_are_scored_alone() -> None:
    for config, benchmarks in (
        (FULL, ["nih_small_lesions"]),
        (DEMO, ["phantom_nih_small_lesions", "phantom_chexpert_small_lesions"]),
    ):
        for name in benchmarks:
            target = config.benchmarks[name].target
            assert target.kind == "findings"
            assert set(target.findings) <= {"nodule", "mass", "lung_lesion"}


def test_nobody_of_mimic_is_both_trained_and_tested_on() -> None:
    corpora, tested = FULL.corpora, {benchmark.corpus for benchmark in FULL.benchmarks.values()}
    trained = {corpus for run in FULL.pretrain.values() for corpus in run.corpora}
    drawn = {name for name, corpus in corpora.items() if isinstance(corpus.layout, MimicImagesLayout)} | {"mimic_cxr"}
    assert (trained & drawn, tested & drawn) == ({"mimic_cxr", "reflacx"}, {"medmod"})
    gives_up = ExclusionSettings(patients_of="medmod", in_splits=("test",), from_splits=("train", "val"))
    assert gives_up in corpora["mimic_cxr"].splits.exclude
    assert ExclusionSettings(patients_of="reflacx") in corpora["medmod"].splits.exclude


def test_patients_of_mimic_are_parted_alike_in_the_phantom() -> None:
    for name, corpus in CONFIGS["phantom"].corpora.items():
        if name == "mimic_cxr" or isinstance(corpus.layout, MimicImagesLayout):
            assert corpus.splits.exclude == FULL.corpora[name].splits.exclude


def test_nobody_of_the_demo_is_in_two_cohorts() -> None:
    lent = {corpus.layout.images_of for corpus in DEMO.corpora.values() if isinstance(corpus.layout, MimicImagesLayout)}
    sources = [corpus.source for name, corpus in DEMO.corpora.items() if name not in lent]
    numbers = [
        number
        for source in sources
        if isinstance(source, PhantomSource)
        for number in range(source.first_patient, source.first_patient + source.patients)
    ]
    assert len(numbers) == len(set(numbers))


def test_the_demo_reads_where_radiologists_looked() -> None:
    task = DEMO.pretrain["cxr_mim_demo"].task
    assert isinstance(task, CxrMimSettings)
    assert task.reads_gaze
    assert DEMO.corpora["phantom_reflacx"].source == DEMO.corpora["phantom_mimic"].source


@pytest.mark.parametrize("run", sorted(FULL.pretrain))
def test_the_document_describes_each_run(run: str) -> None:
    optimization = FULL.pretrain[run].optimization
    line = next(line for line in DOCUMENT.splitlines() if line.startswith(f"| `{run}` |"))
    assert f"{optimization.steps:,}" in line
    assert f"{optimization.batch_size:,}" in line
    assert f"{optimization.learning_rate:.1e}".replace("e-0", "e-") in line


def test_the_document_names_every_setting_in_which_published_runs_differ() -> None:
    named = {place.removesuffix(".mean").removesuffix(".std") for of in QUIRKS.values() for place in of}
    keys = {place.split(".")[1] if place.startswith(("task", "optim")) else place.split(".")[0] for place in named}
    assert keys == {"mask_ratio", "masking", "gaze_weighting", "binning", "precision", "encoder", "normalisation"}
    assert [key for key in keys if f"`{key}" not in DOCUMENT] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["full", "published"])
def test_the_workflow_plans_every_run(name: str) -> None:
    arguments = ("--profile", "profiles/local", "--configfile", f"config/{name}.yaml", "--dry-run", "--", "pretrain")
    command = [sys.executable, "-m", "snakemake", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for run in CONFIGS[name].pretrain:
        assert f"results/{name}/encoders/{run}/model.safetensors" in done.stdout
