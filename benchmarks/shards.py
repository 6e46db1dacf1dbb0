"""Shard samples from full-size radiographs, against Pillow: open, convert to gray, resize by Lanczos, save.

Real radiographs of four corpora, enlarged to 2544 x 3056 pixels with grain of 1.5 gray levels, so that they take as
many bytes as those of MIMIC-CXR-JPG (1.4 to 1.5 MB); stored at a short side of 512 px and JPEG quality 95. A sample
is a file read, decoded, resized and encoded on both sides; a whole job also computes the sha256 of the source file,
the crc32 of the JPEG and the fingerprint, in the lines that say so. PSNR is that of the stored pixels before they are
encoded, against Pillow's; the least and the median of all images. One thread, processor time, medians of interleaved
rounds.
"""

import hashlib
import zlib
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from PIL import Image
from rich.console import Console
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.frame import Measure, interleaved, less_is_better, more_is_better
from pipeline.records.errors import UserError
from pipeline.settings.corpora import ShardSettings
from pipeline.shards.fingerprint import fingerprint
from pipeline.shards.gray import GrayImage, resize_short_side, size_by_short_side
from pipeline.shards.images import read_gray, read_stored
from pipeline.shards.jpeg import decode_jpeg, encode_jpeg

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "realdata"
CORPORA = ("hannover_cxr_labs", "kermany_pediatric_cxr", "nih_cxr14", "openmask_cxr")
IMAGES = 4  # of each corpus; openmask_cxr has two
WIDTH, HEIGHT = 2544, 3056
GRAIN = 1.5
EXACT, FAST = (ShardSettings.model_validate({"image_size": 512, "decoding": kind}) for kind in ("exact", "fast"))
STORED_SIZE = size_by_short_side(HEIGHT, WIDTH, EXACT.image_size)
LEAST_PSNR = 55.0
ROUNDS = 5
PEER = "Pillow"


def run() -> list[Measure]:
    """Write full-size files, then measure fidelity, whole samples and their parts."""
    if not REAL_DATA.is_dir():
        raise UserError(f"{REAL_DATA} does not exist; shards are measured on the openly licensed real data there")
    cv2.setNumThreads(1)
    with threadpool_limits(1), TemporaryDirectory() as folder:
        paths = write_full_size(Path(folder))
        size = mean(path.stat().st_size for path in paths) / 1e6
        Console().print(f"{len(paths)} files of {WIDTH} x {HEIGHT} pixels, {size:.2f} MB on average")
        return [*measure_samples(paths), *measure_fidelity(paths), *measure_parts(paths)]


def write_full_size(folder: Path) -> list[Path]:
    """Write real radiographs in the size of MIMIC-CXR's, with grain."""
    paths: list[Path] = []
    for corpus in CORPORA:
        for source in sorted((REAL_DATA / corpus / "images").iterdir())[:IMAGES]:
            large = cv2.resize(read_gray(source), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
            noise = np.random.Generator(np.random.Philox(key=len(paths))).standard_normal(large.shape, np.float32)
            grainy = np.clip(np.rint(large + GRAIN * noise), 0, 255).astype(np.uint8)
            paths.append(folder / f"{corpus}_{source.stem}.jpg")
            paths[-1].write_bytes(encode_jpeg(grainy, quality=95))
    return paths


def measure_samples(paths: list[Path]) -> list[Measure]:
    """Compare the images that one core turns into samples each second."""
    ours: dict[str, Callable[[Any], object]] = {
        "images, exact": partial(build, EXACT),
        "images, fast": partial(build, FAST),
        "images, exact, with digest, checksum and fingerprint": partial(build_checked, EXACT),
        "images, fast, with digest, checksum and fingerprint": partial(build_checked, FAST),
    }
    theirs, *seconds = interleaved([partial(for_each, task, paths) for task in (by_pillow, *ours.values())], ROUNDS)
    rates = [len(paths) / spent for spent in seconds]
    return [
        more_is_better(name, rate, len(paths) / theirs, PEER, "1/CPU-s") for name, rate in zip(ours, rates, strict=True)
    ]


def measure_fidelity(paths: list[Path]) -> list[Measure]:
    """Compare stored pixels with Pillow's; the limit is that of `exact`."""
    measures = []
    for settings in (EXACT, FAST):
        ratios = [psnr(stored(settings, path), np.asarray(resized_by_pillow(path))) for path in paths]
        for name, of_all in (("least", min(ratios)), ("median", median(ratios))):
            measure = f"{name} PSNR to Pillow's pixels, {settings.decoding}"
            measures.append(more_is_better(measure, of_all, LEAST_PSNR, "limit of exact", "dB"))
    return measures


def measure_parts(paths: list[Path]) -> list[Measure]:
    """Compare what a sample's time is made of; the decoding alone bounds what `fast` can reach."""
    contents = [path.read_bytes() for path in paths]
    halves = [decode_jpeg(content, 2 * EXACT.image_size) for content in contents]
    small = [resize_short_side(half, EXACT.image_size) for half in halves]
    return [
        part("decode whole", decode_jpeg, contents, decode_by_pillow, contents),
        part("decode for exact", partial(decode_jpeg, short_side=1024), contents, decode_by_pillow, contents),
        part("decode for fast", partial(decode_jpeg, short_side=512), contents, decode_by_pillow, contents),
        part("resize half-size pixels", resize_half, halves, shrink_by_pillow, [Image.fromarray(h) for h in halves]),
        part("encode", partial(encode_jpeg, quality=95), small, encode_by_pillow, [Image.fromarray(s) for s in small]),
    ]


def part(name: str, ours: Callable[[Any], object], mine: Any, theirs: Callable[[Any], object], its: Any) -> Measure:
    """Compare one step for all images, each side on its own form of the data."""
    seconds = interleaved([partial(for_each, ours, mine), partial(for_each, theirs, its)], ROUNDS)
    own, other = (1e3 * total / len(mine) for total in seconds)
    return less_is_better(f"{name}, an image", own, other, PEER, "CPU-ms")


def stored(settings: ShardSettings, path: Path) -> GrayImage:
    """Return the pixels that a shard stores of a file."""
    return read_stored(path.read_bytes(), path, settings).pixels


def build(settings: ShardSettings, path: Path) -> bytes:
    """Return the JPEG that a shard stores of a file."""
    return encode_jpeg(stored(settings, path), settings.jpeg_quality)


def build_checked(settings: ShardSettings, path: Path) -> tuple[str, bytes, int, bytes]:
    """Return the digest of a file, by which it is known again, its JPEG, and what the index holds of that."""
    content = path.read_bytes()
    pixels = read_stored(content, path, settings).pixels
    jpeg = encode_jpeg(pixels, settings.jpeg_quality)
    return hashlib.sha256(content).hexdigest(), jpeg, zlib.crc32(jpeg), fingerprint(pixels)


def by_pillow(path: Path) -> bytes:
    """Do what everybody writes."""
    return encode_by_pillow(resized_by_pillow(path))


def resized_by_pillow(path: Path) -> Image.Image:
    """Decode whole, convert to gray and resize."""
    with Image.open(path) as image:
        return shrink_by_pillow(image.convert("L"))


def decode_by_pillow(content: bytes) -> Image.Image:
    """Decode whole and convert to gray."""
    return Image.open(BytesIO(content)).convert("L")


def resize_half(image: GrayImage) -> GrayImage:
    """Resize an image of half the file's size as `exact` does."""
    return resize_short_side(image, EXACT.image_size)


def shrink_by_pillow(image: Image.Image) -> Image.Image:
    """Resize to the stored size."""
    return image.resize(STORED_SIZE[::-1], Image.Resampling.LANCZOS)


def encode_by_pillow(image: Image.Image) -> bytes:
    """Encode as JPEG of the stored quality."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=EXACT.jpeg_quality)
    return buffer.getvalue()


def psnr(image: GrayImage, reference: GrayImage) -> float:
    """Return the peak signal-to-noise ratio in dB."""
    return float(10 * np.log10(255**2 / np.mean((image.astype(np.float64) - reference) ** 2)))


def for_each(task: Callable[[Any], object], items: list[Any]) -> None:
    """Do a task for each item."""
    for item in items:
        task(item)
