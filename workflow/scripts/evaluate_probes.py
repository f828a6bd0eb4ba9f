"""Rule evaluate_probes: the reference lines of a set of images."""

from talking_models.running.job import arguments, start
from talking_models.evidence.predict_images import run_probes

if __name__ == "__main__":
    start(snakemake)
    run_probes(**arguments(snakemake))
