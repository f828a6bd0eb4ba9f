"""Rule make_table: one table, for programs and for people."""

from talking_models.job import start
from talking_models.report.tables import run

log = start(snakemake)
table = snakemake.params.table
run(
    table=snakemake.wildcards.table.removeprefix("table"),
    title=table["title"],
    rows=table["rows"],
    bold=table["bold"],
    tasks=snakemake.params.genres,
    metrics=snakemake.input.metrics,
    reference_rows=snakemake.params.references,
    reference_metrics=snakemake.input.references,
    paper=next(iter(snakemake.input.paper), None),
    stamp=snakemake.params.stamp,
    csv=snakemake.output.csv,
    md=snakemake.output.md,
)
