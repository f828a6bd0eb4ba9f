"""Rule measure_cost: what training takes, of one experiment on one task of ratings."""

from talking_models.running.job import start
from talking_models.changes import with_chosen
from talking_models.evidence.cost import run

start(snakemake)
files, params = snakemake.input, snakemake.params
run(
    rows=files.rows,
    items=files.item_table,
    config=with_chosen(params.config, files.chosen, snakemake.wildcards.task, params.own),
    teachers=dict(zip(params.config["teachers"], files.teachers, strict=True)),
    csv=snakemake.output.csv,
)
