"""Prepare MovieLens or an image data set with TensorFlow Datasets; a command by itself, in
requirements-tfds.txt's environment:

    python workflow/scripts/prepare_tfds.py --variant 100k --data-dir DIR
    python workflow/scripts/prepare_tfds.py --dataset cifar10 --data-dir DIR

Files that TFDS cannot download, or that are there already (ml-100k.zip), belong into
DIR/downloads/manual. Then `TFDS_DATA_DIR=DIR snakemake ...` reads it, without TensorFlow.
"""

from __future__ import annotations

import argparse
import sys

from talking_models.data.tfds_prepare import prepare
from talking_models.errors import SourceError


def main() -> None:
    """Parse the command line, prepare, print the folder; exit status 1 and the reason if not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--variant", default="100k", help="100k, 1m, latest-small, 20m or 25m")
    which.add_argument("--dataset", help="of images: a TFDS name: cifar10, imagenet2012, ...")
    parser.add_argument("--data-dir", required=True, help="where TFDS keeps prepared data sets")
    arguments = parser.parse_args()
    name = arguments.dataset or f"movielens/{arguments.variant}-ratings"
    try:
        folder = prepare(name, arguments.data_dir)
    except SourceError as error:
        sys.exit(f"prepare_tfds: {error}")
    print(f"prepared {folder}")


if __name__ == "__main__":
    main()
