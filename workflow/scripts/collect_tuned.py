"""Rule collect_tuned: what all searches tried and chose, in one file each."""

from talking_models.job import start
from talking_models import __version__
from talking_models.tuning.tuned import collect, collect_trials

log = start(snakemake)
params, files = snakemake.params, snakemake.input
collect_trials(dict(zip(params.experiments, files.trials, strict=True)), snakemake.output.trials)
collect(
    dict(zip(params.experiments, files.chosen, strict=True)),
    {
        "data": f"MovieLens {snakemake.wildcards.variant}, training rows only",
        "search": params.search,
        "talking_models": __version__,
    },
    snakemake.output.chosen,
)
