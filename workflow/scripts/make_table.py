"""Rule make_table: one table, for programs and for people."""

from talking_models.running.job import start
from talking_models.report.tables import run

start(snakemake)
files, params = snakemake.input, snakemake.params
run(
    params.table,
    metrics=files.metrics,
    references=files.references,
    predictions=files.predictions,
    histories=files.histories,
    lines=files.lines,
    choices=files.choices,
    facts=params.facts,
    stamp=params.stamp,
    csv=snakemake.output.csv,
    md=snakemake.output.md,
)
