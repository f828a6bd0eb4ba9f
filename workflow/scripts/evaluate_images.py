"""Rule evaluate_images: predictions and metrics on the eval examples."""

from talking_models.running.job import arguments, start
from talking_models.evidence.predict_images import run

if __name__ == "__main__":
    start(snakemake)
    run(**arguments(snakemake))
