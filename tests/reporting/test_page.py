"""The page shows every number, says where it comes from, and needs nothing but itself."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.records.audits import AuditRecord, Overlap, write_audit
from pipeline.records.errors import UserError
from pipeline.records.metrics import Digests, MetricRecord, MetricValue, write_metric_record
from pipeline.reporting.leaderboard import collect_rows
from pipeline.reporting.page import Figure, render_page, verdict

DIGESTS = Digests(**{name: f"{place + 11:064x}" for place, name in enumerate(Digests.model_fields)})
KINDS = {"random": "random", "pixels": "pixels", "others_vit": "foreign", "second_random": "random"}
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c63f80f00010101001bb6ee560000000049454e44ae426082"
)


class Tags(HTMLParser):
    """Collect what a browser would load or jump to, and which elements are left open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.loaded += [given[name] for name in ("src", "srcset", "data", "poster") if name in given]
        (self.loaded if tag == "link" else self.links).extend([given["href"]] if "href" in given else [])
        self.ids += [given["id"]] if "id" in given else []
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Pass over elements that close themselves."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def made_up_value(metric: str, target: str, point: float, reach: float = 0.0123456789) -> MetricValue:
    positives = None if target == "macro" else 31
    return MetricValue(
        metric=metric,
        target=target,
        value=point,
        low=point - reach,
        high=point + reach,
        n=211,
        n_patients=97,
        positives=positives,
        undefined_resamples=0.0 if target == "macro" else 0.02,
    )


def made_up_record(encoder: str, values: list[MetricValue], control: str | None = None) -> MetricRecord:
    return MetricRecord(
        kind="comparison" if control else "metrics",
        benchmark="findings",
        corpus="phantom",
        split="test",
        encoder=encoder,
        control=control,
        protocol="linear",
        control_protocol=None,
        fraction=0.5,
        seed=7,
        regularisation={"edema <&>": 0.03125},
        n_train=555,
        quarantined=0,
        excluded={"uncertain edema": 13},
        values=values,
        settings={"probe": {"kind": "linear_probe", "penalties": [0.1, 1.0]}},
        digests=DIGESTS,
        versions={"torch": "2.11.0"},
        device="a very particular device",
        decoder="a very particular decoder",
    )


def write(results: Path, record: MetricRecord) -> None:
    name = f"linear-{record.control}" if record.control else "linear"
    write_metric_record(results / "evaluate" / record.benchmark / record.encoder / f"{name}.json", record)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for place, encoder in enumerate(["mae", "random", "pixels"]):
        values = [
            made_up_value(metric, target, 0.9 - 0.1 * place - offset / 7)
            for offset, (metric, target) in enumerate(
                (metric, target) for metric in ("auroc", "auprc") for target in ("edema <&>", "macro")
            )
        ]
        write(tmp_path, made_up_record(encoder, values))
    differences = [made_up_value("auroc", "macro", 0.1), made_up_value("auroc", "edema <&>", -0.001)]
    write(tmp_path, made_up_record("mae", differences, control="random"))
    (tmp_path / "pixel.png").write_bytes(PIXEL)
    return tmp_path


def page_of(results: Path, name: str = "index.html") -> str:
    figures = [Figure(results / "pixel.png", "Loss of mae", "One gray pixel.")]
    path = results / "report" / name
    render_page(path, list(results.glob("evaluate/**/*.json")), figures, results, "A & B", KINDS, notice="Synthetic.")
    return path.read_text()


def test_the_page_holds_every_number_of_the_leaderboard_and_every_record_path(results: Path) -> None:
    page = page_of(results)
    paths = sorted(results.glob("evaluate/**/*.json"))
    rows = collect_rows(paths, results, KINDS)
    assert len(rows) == 12
    shown = dict(re.findall(r'<data value="([^"]+)">([^<]+)</data>', page))
    for row in rows:
        for number in (row.value, row.low, row.high):
            assert shown[repr(number)] == f"{number:.3f}"
    for path in paths:
        assert f"<code>{path.relative_to(results).as_posix()}</code>" in page


def test_the_page_holds_all_that_a_number_came_from(results: Path) -> None:
    page = page_of(results)
    for digest in DIGESTS.model_dump().values():
        assert page.count(digest) == 4
    for fact in (
        "2.11.0",
        "0.03125",
        "555",
        "211",
        "97",
        "31 of 211",
        "uncertain edema",
        "a very particular device",
        "50 %",
    ):
        assert fact.replace(" %", "\N{NO-BREAK SPACE}%") in page


def test_the_page_loads_nothing_and_every_link_ends_inside_it(results: Path) -> None:
    page = page_of(results)
    tags = Tags(page)
    assert tags.open == []
    assert [address[:22] for address in tags.loaded] == ["data:image/png;base64,"]
    assert not re.search(r"https?://|url\(|@import|<script", page)
    assert len(tags.ids) == len(set(tags.ids))
    assert {link.removeprefix("#") for link in tags.links} <= set(tags.ids)


def test_text_from_records_and_callers_is_escaped(results: Path) -> None:
    page = page_of(results)
    assert "<h1>A &amp; B</h1>" in page
    assert "edema &lt;&amp;&gt;" in page
    assert "edema <&>" not in page


def test_the_highest_value_is_marked_and_controls_come_last(results: Path) -> None:
    page = page_of(results)
    assert re.findall(r'class="best"><data value="([^"]+)"', page) == [repr(0.9 - 1 / 7)]
    header = page[page.index('<table class="leaderboard">') :]
    assert re.findall(r"<th scope=\"col\"[^>]*>(\w+)</th>", header)[:4] == [
        "benchmark",
        "mae",
        "pixels",
        "random",
    ]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.001, 0.2, "better"),
        (-0.2, -0.001, "worse"),
        (-0.001, 0.2, "no difference shown"),
        (0.0, 0.2, "no difference shown"),
        (-0.2, 0.0, "no difference shown"),
    ],
)
def test_a_comparison_names_a_direction_only_where_the_interval_excludes_zero(
    low: float, high: float, expected: str
) -> None:
    assert verdict(low, high) == expected


def test_each_comparison_is_worded_by_its_own_interval(results: Path) -> None:
    words = re.findall(r'<td class="verdict [a-z-]+">([^<]+)</td>', page_of(results))
    assert words == ["better", "no difference shown"]


def test_only_the_controls_that_ran_are_explained(results: Path) -> None:
    page = page_of(results)
    assert "no network at all" in page
    assert "trained by others" not in page
    assert "does not beat random and pixels shows no gain" in page
    write(results, made_up_record("others_vit", [made_up_value("auroc", "macro", 0.9)]))
    page = page_of(results)
    assert '<em class="control">others_vit</em> was trained by others; its model card says by whom' in page
    assert "does not beat random and pixels shows no gain" in page


def test_a_control_is_what_the_configuration_calls_one_whatever_its_name(results: Path) -> None:
    for encoder in ("imagenet_mae", "others_vit"):
        write(results, made_up_record(encoder, [made_up_value("auroc", "macro", 0.9)]))
    header = page_of(results).split('<table class="leaderboard">')[1]
    assert re.findall(r'<th scope="col"( class="control")?>(\w+)</th>', header)[1:6] == [
        ("", "imagenet_mae"),
        ("", "mae"),
        *((' class="control"', name) for name in ("others_vit", "pixels", "random")),
    ]


def test_only_controls_are_shown_as_such_in_comparisons(results: Path) -> None:
    write(results, made_up_record("mae", [made_up_value("auroc", "macro", 0.1)], control="cxr_mim"))
    page = page_of(results)
    assert ">mae − cxr_mim<small>" in page
    assert '>mae − <span class="control">random</span><small>' in page


def test_a_comparison_across_protocols_names_both(results: Path) -> None:
    record = made_up_record("mae", [made_up_value("auroc", "macro", 0.1)], control="pixels")
    write(results, record.model_copy(update={"control_protocol": "shallow"}))
    same = made_up_record("mae", [made_up_value("auroc", "macro", 0.1)], control="random")
    write(results, same.model_copy(update={"control_protocol": "linear"}))
    page = page_of(results)
    assert page.count("linear − shallow, 50") == 1
    assert "mae − pixels <small>linear − shallow</small>" in page
    assert "linear − linear" not in page


def test_without_comparisons_nothing_points_to_them(results: Path) -> None:
    (results / "evaluate" / "findings" / "mae" / "linear-random.json").unlink()
    tags = Tags(page_of(results))
    assert len(tags.links) == 6
    assert {link.removeprefix("#") for link in tags.links} <= set(tags.ids)


def test_samples_that_were_set_aside_in_training_are_stated_beside_the_leaderboard(results: Path) -> None:
    assert "damaged samples" not in page_of(results)
    record = made_up_record("mae", [made_up_value("auroc", "macro", 0.9)]).model_copy(update={"quarantined": 13})
    write(results, record)
    assert "mae was trained without 13 damaged samples that were set aside" in page_of(results)


def test_equal_records_give_equal_bytes(results: Path) -> None:
    assert page_of(results, "first.html") == page_of(results, "second.html")


def test_a_page_without_records_says_so(tmp_path: Path) -> None:
    render_page(tmp_path / "index.html", [], [], tmp_path, "Empty", {})
    assert "No record of a macro AUROC was given." in (tmp_path / "index.html").read_text()


def test_a_broken_record_leaves_no_page(results: Path) -> None:
    broken = results / "evaluate" / "findings" / "mae" / "linear.json"
    broken.write_text(broken.read_text().replace('"corpus"', '"korpus"'))
    with pytest.raises(UserError, match=r"mae/linear\.json is not a metric record: field 'corpus'"):
        page_of(results)
    assert not (results / "report").exists()


def test_the_audit_is_shown_with_reasons_and_without_naming_images(results: Path) -> None:
    shared = {"patients": None, "studies": None, "identical_images": 0, "near_identical_images": 3}
    twins = ({"trained": "a_key", "tested": "another_key", "distance": 4},)
    overlap = Overlap.model_validate(
        {"trained": "a/train", "tested": "b/test", "twins": twins, **shared}
        | {"accepted": {"near_identical_images": "drawn & known"}}
    )
    audit = results / "leakage.json"
    write_audit(audit, AuditRecord(clean=False, near_identical_distance=31, compared=(overlap,)))
    render_page(results / "index.html", [], [], results, "Audited", {}, audit=audit)
    page = (results / "index.html").read_text()
    assert "Not audited" not in page
    row = page[page.index("a/train") : page.index("</tr>", page.index("a/train"))]
    assert re.findall(r'<td class="amount">([^<]*)</td>', row) == ["–", "–", "0", "3"]
    assert "near-identical images: drawn &amp; known" in row
    assert "a_key" not in page
    assert Tags(page).open == []


def test_the_audit_names_the_encoders_whose_training_images_nobody_here_knows(results: Path) -> None:
    audit = results / "leakage.json"
    write_audit(audit, AuditRecord(clean=True, near_identical_distance=31, compared=()))
    render_page(results / "index.html", [], [], results, "Audited", KINDS, audit=audit, unaudited=["a_vit", "b_vit"])
    page = (results / "index.html").read_text()
    assert "Not audited is what others trained a_vit, b_vit on: the configuration names no corpus for it." in page
