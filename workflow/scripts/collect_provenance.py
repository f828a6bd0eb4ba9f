"""Rule collect_provenance: what made all results."""

from talking_models.running.job import arguments, start
from talking_models.report.provenance import run

start(snakemake)
run(**arguments(snakemake))
