"""Stage of rule audit_leakage: fail the build where anything tested on was trained on."""

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from pipeline.manifests.leakage import AUDITED_COLUMNS, FINGERPRINT_SCHEMA, Corpora, Pair, audit, require_no_leak
from pipeline.records.audits import KINDS, AuditRecord, write_audit
from pipeline.settings.audit import AuditSettings

log = logging.getLogger(__name__)


def audit_leakage(
    manifests: Mapping[str, Path],
    indexes: Mapping[str, Path],
    pairs: Sequence[Pair],
    settings: AuditSettings,
    confidential: Collection[str],
    audit_file: Path,
) -> None:
    """Compare the parts of every pair and publish what they share.

    Args:
        manifests: Manifest file of each corpus in a pair.
        indexes: Shard index of each corpus in a pair that has shards.
        pairs: Each part an encoder or probe is fitted on, with each part its numbers are reported on.
        settings: When images are near-identical, and which overlaps are accepted.
        confidential: Corpora of which neither log nor record may name an image.
        audit_file: JSON file to publish; written only where nothing is shared that is not accepted.

    Raises:
        UserError: A trained and a tested part share a patient, a study or an image, and that is not accepted.
    """
    corpora = Corpora(
        manifests={name: pl.read_parquet(path, columns=list(AUDITED_COLUMNS)) for name, path in manifests.items()},
        fingerprints={name: _fingerprints(path) for name, path in indexes.items()},
        confidential=confidential,
    )
    record = audit(corpora, pairs, settings)
    _log_findings(record)
    require_no_leak(record)
    write_audit(audit_file, record)


def _fingerprints(index: Path) -> pl.DataFrame:
    table = pq.read_table(index, columns=FINGERPRINT_SCHEMA.names())
    return pl.DataFrame(pl.from_arrow(table)).cast(FINGERPRINT_SCHEMA)


def _log_findings(record: AuditRecord) -> None:
    """Name what is shared, image by image where that may be told: a build that stops publishes no record."""
    for overlap in record.compared:
        for kind, count in overlap.shared().items():
            reason = f", accepted: {overlap.accepted[kind]}" if kind in overlap.accepted else ""
            log.info("%s and %s share %d %s%s", overlap.trained, overlap.tested, count, KINDS[kind], reason)
        for twins in overlap.twins or ():
            log.info("  %s looks like %s (%d bits differ)", twins.tested, twins.trained, twins.distance)
