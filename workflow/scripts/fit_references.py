"""Rules fit_references_*: the reference lines of every task of a data set."""

from talking_models.running.job import start
from talking_models.evidence.references import run

log = start(snakemake)
files, made, params = snakemake.input, snakemake.output, snakemake.params
for *slices, predictions, metrics in zip(
    files.fit, files.val, files.eval, made.predictions, made.metrics, strict=True
):
    run(
        *slices,
        log,
        seed=params.seed,
        about=params.about,
        names=params.metrics,
        predictions=predictions,
        metrics=metrics,
    )
