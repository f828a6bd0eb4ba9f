"""Rules fit_references_*: the reference lines of every task of a data set."""

from talking_models.running.job import start
from talking_models.evidence.references import run

log = start(snakemake)
files, made = snakemake.input, snakemake.output
for task in zip(files.fit, files.val, files.eval, made.predictions, made.metrics, strict=True):
    run(*task, snakemake.params.about, snakemake.params.metrics, log)
