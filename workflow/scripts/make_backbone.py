"""Rule make_backbone: the teacher, as all vision jobs read it."""

from talking_models.job import start
from talking_models.models.vit_weights import make_backbone

start(snakemake)
make_backbone(
    **snakemake.params.model,
    weights=next(iter(snakemake.input), None),
    output=snakemake.output[0],
)
