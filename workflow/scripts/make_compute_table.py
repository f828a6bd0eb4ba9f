"""Rule make_compute_table: time and memory of every step."""

from talking_models.job import start
from talking_models.report.compute import run

start(snakemake)
run(
    steps=snakemake.params.steps,
    stamp=snakemake.params.stamp,
    csv=snakemake.output.csv,
    md=snakemake.output.md,
)
