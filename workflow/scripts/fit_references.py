"""Rule fit_references: the reference lines of every genre."""

from talking_models.job import start
from talking_models.evaluation.references import run

log = start(snakemake)
for genre, *files in zip(
    snakemake.params.genres,
    snakemake.input.fit,
    snakemake.input.val,
    snakemake.input.eval,
    snakemake.output.predictions,
    snakemake.output.metrics,
    strict=True,
):
    run(genre, *files, log=log)
