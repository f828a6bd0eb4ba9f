"""Rule download_weights: a timm model's weights from the hub."""

from talking_models.job import start
from talking_models.models.vit_weights import download

start(snakemake)
download(snakemake.wildcards.model, snakemake.output[0])
