"""Rule test_significance: every difference in the tables with its uncertainty."""

from talking_models.running.job import start
from talking_models.report.significance import run

start(snakemake)
files, params = snakemake.input, snakemake.params
run(
    params.tables,
    predictions=files.predictions,
    references=files.references,
    facts=params.facts,
    stamp=params.stamp,
    csv=snakemake.output.csv,
    md=snakemake.output.md,
)
