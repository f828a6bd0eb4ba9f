"""Rule collect_tuned: what all searches chose, in one file."""

from talking_models import __version__
from talking_models.job import start
from talking_models.tuning.tuned import collect

log = start(snakemake)
params = snakemake.params
collect(
    dict(zip(params.experiments, snakemake.input, strict=True)),
    {
        "data": f"MovieLens {snakemake.wildcards.variant}, training rows only",
        "search": params.search,
        "talking_models": __version__,
    },
    snakemake.output[0],
)
