"""Rule download_weights: a timm model's weights from the hub."""

from talking_models.running.job import start
from talking_models.models.weights import download

start(snakemake)
download(snakemake.params.name, snakemake.output[0])
