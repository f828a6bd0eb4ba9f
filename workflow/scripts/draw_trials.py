"""Rule draw_trials: validation score against number of trials."""

from talking_models.job import start
from talking_models.report.figures.trials import run

start(snakemake)
run(
    trials=dict(zip(snakemake.params.methods, snakemake.input.trials, strict=True)),
    png=snakemake.output.png,
    svg=snakemake.output.svg,
)
