"""Rule judge_claims: a verdict on each of the paper's claims."""

from talking_models.job import start
from talking_models.report.claims import run

log = start(snakemake)
run(
    predictions=snakemake.input.predictions,
    papers=snakemake.input.papers,
    genres=snakemake.params.genres,
    stamp=snakemake.params.stamp,
    csv=snakemake.output.csv,
    md=snakemake.output.md,
)
