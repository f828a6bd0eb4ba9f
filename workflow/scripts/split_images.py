"""Rule split_images: fit, val and eval examples of a set of images."""

from talking_models.running.job import start
from talking_models.data.splits import split_images

start(snakemake)
split_images(snakemake.params.settings, snakemake.params.protocol, snakemake.output)
