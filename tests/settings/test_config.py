import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import REPOSITORY

from pipeline.records.errors import UserError
from pipeline.settings.config import resolve
from pipeline.settings.schema import schema_text
from pipeline.stages.check_configuration import check_configuration

CONFIGS = [REPOSITORY / "config" / f"{name}.yaml" for name in ("config", "full", "open", "phantom", "published")]


@pytest.fixture
def demo() -> dict[str, Any]:
    return yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())


def put(config: dict[str, Any], place: list[str], value: object) -> None:
    """Set the value at a place of a configuration."""
    for part in place[:-1]:
        config = config[part]
    config[place[-1]] = value


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_shipped_configuration_is_valid(path: Path) -> None:
    assert resolve(yaml.safe_load(path.read_text())).corpora


def test_the_schema_in_the_repository_is_that_of_the_models() -> None:
    shipped = (REPOSITORY / "workflow" / "schemas" / "config.schema.yaml").read_text()
    assert shipped == schema_text(), "run `make docs`"


def test_resolving_a_resolved_configuration_changes_nothing(demo: dict[str, Any]) -> None:
    resolved = resolve(demo)
    assert resolve(resolved.model_dump(mode="json")) == resolved


@pytest.mark.parametrize(
    ("place", "key", "sentence"),
    [
        (
            ["pretrain", "mae_demo", "task"],
            "mask_ration",
            "'pretrain.mae_demo.task.mask_ration'; did you mean 'mask_ratio'?",
        ),
        (["corpora", "phantom_nih", "source"], "patient", "did you mean 'patients'?"),
        (["benchmarks", "phantom_nih_view", "target"], "colum", "did you mean 'column'?"),
        ([], "benchmark", "'benchmark'; did you mean 'benchmarks'?"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_valid_one(
    demo: dict[str, Any], place: list[str], key: str, sentence: str
) -> None:
    put(demo, [*place, key], 1)
    with pytest.raises(UserError, match="unknown key") as refused:
        resolve(demo)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        (
            ["benchmarks", "phantom_nih_view", "corpus"],
            "phantom_nhi",
            "there is no corpus 'phantom_nhi'; did you mean 'phantom_nih'?",
        ),
        (
            ["protocols", "ridge", "encoders"],
            ["pixel"],
            "there is no encoder 'pixel'; did you mean 'pixels'?",
        ),
        (["controls", "random", "like"], "mae", "there is no pretraining run or foreign encoder 'mae'"),
        (["pretrain", "mae_demo", "encoder", "patch_size"], 7, "patch_size 7 does not divide image_size 64"),
        (["pretrain", "mae_demo", "encoder", "heads"], 3, "heads 3 does not divide width 128"),
        (["pretrain", "mae_demo", "task", "decoder_heads"], 7, "decoder_heads 7 does not divide decoder_width 64"),
        (["pretrain", "mae_demo", "task", "mask_ratio"], 0.99, "leaves 0 of 64 patches visible"),
        (["benchmarks", "phantom_nih_view", "target", "positive"], "PA", "positive and negative are both 'PA'"),
        (["pretrain", "mae_demo", "optimization", "warmup_steps"], 10**6, "must be below steps"),
        (["pretrain", "mae_demo", "task", "mask_ratio"], 1.5, "'pretrain.mae_demo.task.mask_ratio'"),
    ],
)
def test_a_wrong_value_is_named_by_its_key(
    demo: dict[str, Any], place: list[str], value: object, sentence: str
) -> None:
    put(demo, place, value)
    with pytest.raises(UserError, match=re.escape(sentence)):
        resolve(demo)


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        (
            ["benchmarks", "phantom_nih_findings", "target", "findings"],
            ["noduel"],
            "no finding 'noduel'; did you mean 'nodule'?",
        ),
        (["benchmarks", "phantom_chexpert_sex", "target", "positive"], "Male", "there is no value of 'sex' 'Male'"),
    ],
)
def test_words_that_do_not_exist_are_found_before_anything_runs(
    demo: dict[str, Any], place: list[str], value: object, sentence: str
) -> None:
    put(demo, place, value)
    with pytest.raises(UserError, match=re.escape(sentence)):
        check_configuration(resolve(demo))


def test_open_data_is_one_setting() -> None:
    raw = yaml.safe_load((REPOSITORY / "config" / "open.yaml").read_text())
    config = resolve(raw | {"open_data": "elsewhere"})
    roots = [corpus.source.root for corpus in config.corpora.values() if corpus.source.kind == "local"]
    assert roots == ["elsewhere/nih_cxr14", "elsewhere/kermany_pediatric_cxr", "elsewhere/hannover_cxr_labs"]


def test_every_setting_says_what_it_is() -> None:
    schema = yaml.safe_load(schema_text())
    models = [schema, *schema["$defs"].values()]
    silent = [
        f"{model['title']}.{name}"
        for model in models
        for name, field in model.get("properties", {}).items()
        if "description" not in field and name not in ("kind", "format")
    ]
    assert silent == []
