"""Rule test_significance: every difference in the tables with its uncertainty."""

from talking_models.job import start
from talking_models.report.significance import run

log = start(snakemake)
run(
    tables=snakemake.params.tables,
    references=snakemake.params.references,
    settings=snakemake.params.settings,
    against=snakemake.params.against,
    genres=snakemake.params.genres,
    predictions=[*snakemake.input.predictions, *snakemake.input.references],
    papers=snakemake.input.papers,
    stamp=snakemake.params.stamp,
    csv=snakemake.output.csv,
    md=snakemake.output.md,
)
