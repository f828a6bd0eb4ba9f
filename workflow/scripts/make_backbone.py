"""Rule make_backbone: a pre-trained model, as all image jobs read it."""

from talking_models.running.job import start
from talking_models.models import MODELS

start(snakemake)
settings = snakemake.params.settings
MODELS.get(settings["kind"]).make_backbone(
    settings, weights=next(iter(snakemake.input), None), output=snakemake.output[0]
)
