"""Rule judge_claims: a verdict on each of the paper's claims."""

from talking_models.running.job import start
from talking_models.report.claims import run

start(snakemake)
params = snakemake.params
run(
    predictions=snakemake.input.predictions,
    histories=snakemake.input.histories,
    tables=params.tables,
    claims=params.claims,
    facts=params.facts,
    trial=params.trial,
    stamp=params.stamp,
    csv=snakemake.output.csv,
    md=snakemake.output.md,
    rst=snakemake.output.rst,
)
