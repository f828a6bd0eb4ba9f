"""Rule collect_provenance: what made all results."""

from talking_models.running.job import start
from talking_models.report.provenance import run

start(snakemake)
run(
    files=snakemake.input,
    results=snakemake.params.results,
    csv=snakemake.output.csv,
    rst=snakemake.output.rst,
)
