"""Rule measure_sizes: what students and teachers weigh and cost."""

from talking_models.running.job import start
from talking_models.report.sizes import run

start(snakemake)
run(
    snakemake.params.jobs,
    snakemake.params.stamp,
    models=snakemake.input.models,
    csv=snakemake.output.csv,
    md=snakemake.output.md,
    forms=snakemake.params.forms,
)
