"""Near-identical radiographs: how far copies lie from different images, and what finding them costs.

Real images: 1,000 of ChestX-ray14 at 64 px (264 patients), 420 of Kermany and 243 of Hannover, all pairs of
them; copies are made of those at 512 px. The peer is the usual 64-bit perceptual hash (32 x 32 pixels, the
8 x 8 coarsest cosine frequencies against their median), which was not made for images that all look alike.
Margin: the smallest distance of different patients' images in units of the distance within which 99 % of the
copies lie; below 1, some copies cannot be told from other patients. One thread, processor time.

Measured: at the default distance of 31 bits no pair of 1,372,477 of different patients and none of 9,476 of one
patient is taken for a copy (the nearest differ in 58 and 35 bits); the tail of the distances, drawn on, gives
about 2 in 10^9 pairs. Found are all copies that were shrunk to 64 px by Lanczos, stored as JPEG of quality 30, of
gamma 0.6 or 1.6, windowed or equalised, 99 % of those shrunk without smoothing, 88 % of those with local
contrast equalisation, 81 % of those cut by 1 % of each side, and next to none cut by 2 % or more.
"""

import csv
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.frame import Measure, cpu_seconds, interleaved, less_is_better, more_is_better
from pipeline.manifests.near_identical import near_pairs
from pipeline.records.errors import UserError
from pipeline.settings.audit import AuditSettings
from pipeline.shards.fingerprint import fingerprint
from pipeline.shards.gray import GrayImage, resize_short_side
from pipeline.shards.images import read_gray
from pipeline.shards.jpeg import decode_jpeg, encode_jpeg

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "realdata"
LARGE = ("kermany_pediatric_cxr", "hannover_cxr_labs")
NEAR = AuditSettings().near_identical_distance
COPIED_SHARE = 4  # every fourth large image is copied in every way
TRAINED, TESTED, SCANNED = 400_000, 30_000, 300
SHARD_SIZE, JPEG_QUALITY = 224, 95
MIMIC_SIZE = (2544, 3056)
ROUNDS = 3

Bits = NDArray[np.uint8]
Names = NDArray[np.str_]
Copier = Callable[[GrayImage], GrayImage]


def run() -> list[Measure]:
    """Measure distances, then the cost of fingerprints and of the search."""
    if not REAL_DATA.is_dir():
        raise UserError(f"{REAL_DATA} does not exist; distances are measured on the openly licensed real data there")
    with threadpool_limits(1):
        return [measure_margin(), *measure_cost(), measure_search()]


def measure_margin() -> Measure:
    """Print how far copies and different images are apart; compare the margin with the usual hash's."""
    large = [read_gray(path) for corpus in LARGE for path in sorted((REAL_DATA / corpus / "images").iterdir())]
    small = sorted((REAL_DATA / "nih_cxr14" / "images_64px").iterdir())
    images = large + [read_gray(path) for path in small]
    copied = large[::COPIED_SHARE] + [read_gray(path) for path in sorted((REAL_DATA / "nih_cxr14/images").iterdir())]
    ours, theirs = (margin(kind, images, copied, patients(small)) for kind in (our_bits, usual_bits))
    return more_is_better("nearest other patient / farthest copy", ours, theirs, "64-bit perceptual hash", "ratio")


def margin(kind: Callable[[GrayImage], Bits], images: list[GrayImage], copied: list[GrayImage], who: Names) -> float:
    """Print the distances of one kind of fingerprint and return its margin."""
    table = Table(title=f"{kind.__name__.replace('_', ' ')}: distances")
    for heading in ("pairs", "n", "least", "1 %", "median", "99 %", "most", f"<= {NEAR}"):
        table.add_column(heading, justify="left" if heading == "pairs" else "right")
    originals = np.stack([kind(image) for image in images])
    apart, same = all_distances(originals), who[:, None] == who[None, :]
    upper = np.triu(np.ones_like(same), 1)
    others = apart[upper & ~same]
    add_row(table, "different patients", others)
    add_row(table, "one patient", apart[upper & same])
    bits = np.stack([kind(image) for image in copied])
    distances = {name: distance_to(bits, [copy(image) for image in copied], kind) for name, copy in COPIES.items()}
    for name, of_copies in distances.items():
        add_row(table, name, of_copies)
    Console().print(table)
    return float(others.min() / np.quantile(np.concatenate([distances[name] for name in PLAIN]), 0.99))


def measure_cost() -> list[Measure]:
    """Compare a fingerprint with what else writing an image to a shard costs: small files, and MIMIC-CXR's size."""
    with TemporaryDirectory() as folder:
        small = [path for corpus in LARGE for path in sorted((REAL_DATA / corpus / "images").iterdir())[:50]]
        return [cost("512 px", small), cost("2544 x 3056 px", enlarged(small[:8], Path(folder)))]


def cost(size: str, paths: list[Path]) -> Measure:
    """Compare a fingerprint with decoding, resizing and encoding files of one size."""
    images = [resize_short_side(read_gray(path), SHARD_SIZE) for path in paths]
    seconds = interleaved([partial(for_each, fingerprint, images), partial(for_each, prepare, paths)], ROUNDS)
    ours, theirs = (1e3 * total / len(paths) for total in seconds)
    return less_is_better(f"fingerprint a file of {size}", ours, theirs, "decode, resize to 224 px, encode", "CPU-ms")


def enlarged(paths: list[Path], folder: Path) -> list[Path]:
    """Write images anew in the size of MIMIC-CXR's."""
    for path in paths:
        large = cv2.resize(read_gray(path), MIMIC_SIZE, interpolation=cv2.INTER_CUBIC)
        (folder / path.name).write_bytes(encode_jpeg(np.asarray(large, dtype=np.uint8), JPEG_QUALITY))
    return sorted(folder.iterdir())


def measure_search() -> Measure:
    """Search a large corpus for copies of a test set; the peer compares all with all, on a part, scaled up."""
    rng = np.random.Generator(np.random.Philox(key=0))
    trained = rng.integers(0, 256, (TRAINED, 32), dtype=np.uint8)
    tested = rng.integers(0, 256, (TESTED, 32), dtype=np.uint8)
    tested[:: TESTED // 10] = trained[:10]
    if len(near_pairs(tested, trained, NEAR).first) != 10:
        raise ArithmeticError("the search does not find the copies; its time means nothing")
    ours = cpu_seconds(partial(near_pairs, tested, trained, NEAR))
    theirs = cpu_seconds(partial(compare_all, tested[:SCANNED], trained)) * TESTED / SCANNED
    return less_is_better(f"search {TRAINED} x {TESTED}", ours, theirs, "all with all in numpy, scaled", "CPU-s")


def our_bits(image: GrayImage) -> Bits:
    """Return our fingerprint, bits apart."""
    return np.unpackbits(np.frombuffer(fingerprint(image), dtype=np.uint8))


def usual_bits(image: GrayImage) -> Bits:
    """Return the usual perceptual hash of 64 bits."""
    square = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    coarse = cv2.dct(square)[:8, :8].ravel()
    return np.asarray(coarse > np.median(coarse), dtype=np.uint8)


def gamma(exponent: float, image: GrayImage) -> GrayImage:
    """Apply a power law to the gray values."""
    return np.asarray(np.round(255 * (image / 255.0) ** exponent), dtype=np.uint8)


def window(percent: float, image: GrayImage) -> GrayImage:
    """Stretch the contrast and saturate a share of the darkest and the brightest pixels."""
    low, high = np.percentile(image, [percent, 100 - percent])
    return np.asarray(np.clip((image - low) / (high - low) * 255, 0, 255), dtype=np.uint8)


def cut(share: float, image: GrayImage) -> GrayImage:
    """Cut a share of the height and width off each side."""
    rows, columns = (round(length * share) for length in image.shape)
    return image[rows : image.shape[0] - rows, columns : image.shape[1] - columns]


def jpeg(quality: int, image: GrayImage) -> GrayImage:
    """Store and read the image again."""
    return decode_jpeg(encode_jpeg(image, quality))


def stretch(side: int, interpolation: int, image: GrayImage) -> GrayImage:
    """Squeeze the image to a square."""
    return np.asarray(cv2.resize(image, (side, side), interpolation=interpolation), dtype=np.uint8)


def local_contrast(image: GrayImage) -> GrayImage:
    """Equalise contrast tile by tile."""
    return np.asarray(cv2.createCLAHE(2.0, (8, 8)).apply(image), dtype=np.uint8)


def small_bright_jpeg(image: GrayImage) -> GrayImage:
    """Change size, brightness and compression together."""
    return jpeg(75, gamma(0.7, resize_short_side(image, 128)))


PLAIN: dict[str, Copier] = {
    "64 px": lambda image: resize_short_side(image, 64),
    "224 px square": partial(stretch, 224, cv2.INTER_AREA),
    "1024 px square": partial(stretch, 1024, cv2.INTER_CUBIC),
    "JPEG quality 30": partial(jpeg, 30),
    "gamma 0.6": partial(gamma, 0.6),
    "gamma 1.6": partial(gamma, 1.6),
    "window 1 %": partial(window, 1),
    "window 5 %": partial(window, 5),
    "equalised": lambda image: np.asarray(cv2.equalizeHist(image), dtype=np.uint8),
    "small, bright, JPEG 75": small_bright_jpeg,
}
COPIES: dict[str, Copier] = PLAIN | {
    "64 px, not smoothed": partial(stretch, 64, cv2.INTER_LINEAR),
    "local contrast": local_contrast,
    "1 % cut": partial(cut, 0.01),
    "2 % cut": partial(cut, 0.02),
}


def patients(small: list[Path]) -> Names:
    """Return the patient of each image, the large ones first."""
    named = []
    for corpus in LARGE:
        with (REAL_DATA / corpus / "labels.csv").open() as stream:
            by_path = {row["path"]: f"{corpus}:{row['patient_id']}" for row in csv.DictReader(stream)}
        named += [by_path[f"images/{path.name}"] for path in sorted((REAL_DATA / corpus / "images").iterdir())]
    return np.array(named + [path.name.split("_")[0] for path in small])


def all_distances(bits: Bits) -> NDArray[np.int64]:
    """Return the distances [N, N] of all with all."""
    signs = bits.astype(np.float32) * 2 - 1
    return np.asarray(np.round((bits.shape[1] - signs @ signs.T) / 2), dtype=np.int64)


def distance_to(bits: Bits, copies: list[GrayImage], kind: Callable[[GrayImage], Bits]) -> NDArray[np.int64]:
    """Return how far each copy is from its original."""
    return np.asarray((bits != np.stack([kind(copy) for copy in copies])).sum(axis=1), dtype=np.int64)


def add_row(table: Table, name: str, distances: NDArray[np.int64]) -> None:
    """Summarise distances in a table's row."""
    quantiles = [f"{value:.0f}" for value in np.quantile(distances, [0, 0.01, 0.5, 0.99, 1])]
    table.add_row(name, f"{len(distances):,}", *quantiles, f"{(distances <= NEAR).mean():.3%}")


def prepare(path: Path) -> bytes:
    """Do what else writing an image to a shard takes."""
    return encode_jpeg(resize_short_side(read_gray(path), SHARD_SIZE), JPEG_QUALITY)


def for_each(task: Callable[[Any], object], items: Sequence[Any]) -> None:
    """Do a task for each item."""
    for item in items:
        task(item)


def compare_all(first: Bits, second: Bits) -> int:
    """Count pairs within the distance by comparing all with all."""
    theirs = second.view(np.uint64)
    return sum(int((np.bitwise_count(row ^ theirs).sum(axis=1) <= NEAR).sum()) for row in first.view(np.uint64))
