"""Rule make_compute_table: time and memory of every step."""

from talking_models.running.job import start
from talking_models.report.compute import run

start(snakemake)
params, made = snakemake.params, snakemake.output
run(params.steps, params.facts, params.stamp, csv=made.csv, md=made.md)
