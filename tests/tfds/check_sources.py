"""Show that TFDS and the wheel give the same tables, the TFDS path being run for real.

    python tests/tfds/check_sources.py --tfds-python .venv-tfds/bin/python

Run by the main environment's Python. It rebuilds ml-100k.zip from the wheel, has the *unmodified*
TFDS builder prepare it in the environment that holds TensorFlow, reads the result here without
TensorFlow, and compares digests. What it cannot show without GroupLens's server is that their
archive has the content of the wheel: that is what the published counts and the digest are for.
"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rebuild_zip import rebuild

from talking_models.data import archives, canonical, sources, tfds

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
# TFDS knows the bytes of GroupLens's archive; those of the rebuilt one are told to it.
TRUST = """
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import checksums

url = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
tfds.builder_cls("movielens").url_infos[url] = checksums.compute_url_info({archive!r})
"""


def prepare(python: str, data_dir: Path, before: str = "") -> subprocess.CompletedProcess:
    """Run prepare_tfds.py in the other environment, after some other code."""
    code = f"import runpy, sys\nsys.path.insert(0, {str(SCRIPTS)!r})\n{before}\n"
    code += f"runpy.run_path({str(SCRIPTS / 'prepare_tfds.py')!r}, run_name='__main__')"
    # This environment's PYTHONPATH would be right there too, but the script must do without it.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [python, "-c", code, "--variant=100k", f"--data-dir={data_dir}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def main() -> None:
    """Exit status 0 if both digests are the reference, 1 with the difference if not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tfds-python", required=True, help="a Python that holds TensorFlow")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("absl").setLevel(logging.WARNING)

    with tempfile.TemporaryDirectory(prefix="talking-models-check-") as name:
        folder = Path(name)
        archive = folder / "downloads" / "manual" / "ml-100k.zip"
        archive.parent.mkdir(parents=True)
        rebuild(archives.download_wheel(folder), archive)

        refused = prepare(arguments.tfds_python, folder)
        if not refused.returncode or "NonMatchingChecksumError" not in refused.stderr:
            sys.exit(f"an archive of unknown bytes was not refused: {refused.stderr}")
        assert not list(folder.glob("**/*.array_record*")), "the refusal left files behind"
        print("an archive whose bytes TFDS does not know is refused: yes")

        made = prepare(arguments.tfds_python, folder, TRUST.format(archive=str(archive)))
        if made.returncode:
            sys.exit(f"TFDS could not prepare the rebuilt archive:\n{made.stdout}{made.stderr}")
        print(made.stdout.strip().splitlines()[-1])

        os.environ["TFDS_DATA_DIR"] = str(folder)
        assert sources.choose("100k", "auto") == "tfds", "auto must prefer what is prepared"
        digests = {
            source: canonical.content_digest(*sources.fetch("100k", source))
            for source in ("auto", "wheel")
        }
        assert tfds.lying("movielens/100k-ratings")[0], "the TFDS source read something else"
    print(f"TensorFlow imported here: {'yes' if 'tensorflow' in sys.modules else 'no'}")
    print(f"TFDS  {digests['auto']}\nwheel {digests['wheel']}")
    assert "tensorflow" not in sys.modules
    if set(digests.values()) != {sources.DIGESTS["100k"]}:
        sys.exit(f"not the same, or not the reference {sources.DIGESTS['100k']}")
    print("same content, and the reference digest")


if __name__ == "__main__":
    main()
