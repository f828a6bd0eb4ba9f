"""Rules fit_references_*: the reference lines of every task of a data set."""

from talking_models.running.job import start
from talking_models.evidence.references import run

log = start(snakemake)
files, made, params = snakemake.input, snakemake.output, snakemake.params
run(
    files.fit,
    files.val,
    files.eval,
    files.whole,
    log,
    predictions=made.predictions,
    metrics=made.metrics,
    seed=params.seed,
    about=params.about,
    names=params.metrics,
)
