"""Rule draw_trials: validation score against number of trials."""

from talking_models.job import start
from talking_models.report.figures.trials import run

start(snakemake)
run(
    trials=snakemake.input.trials,
    methods=snakemake.params.methods,
    png=snakemake.output.png,
    svg=snakemake.output.svg,
)
