"""Rule make_curve: a curve along splits, for programs and for people."""

from talking_models.running.job import start
from talking_models.report.curves import run

start(snakemake)
params = snakemake.params
run(
    snakemake.input.predictions,
    snakemake.input.costs,
    snakemake.input.choices,
    params.about,
    params.stamp,
    csv=snakemake.output.csv,
    md=snakemake.output.md,
)
