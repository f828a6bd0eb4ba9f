"""Rule make_vision_table: one table of accuracies, for programs and for people."""

from talking_models.job import start
from talking_models.report.accuracy import run

start(snakemake)
run(
    table=snakemake.wildcards.table.removeprefix("table"),
    spec=snakemake.params.table,
    metrics=snakemake.input.metrics,
    predictions=snakemake.input.predictions,
    slices=snakemake.input.slices,
    paper=next(iter(snakemake.input.get("paper", [])), None),
    against=snakemake.params.against,
    stamp=snakemake.params.stamp,
    csv=snakemake.output.csv,
    md=snakemake.output.md,
)
