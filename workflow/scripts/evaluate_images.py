"""Rule evaluate_images: predictions and metrics on the eval examples."""

from talking_models.running.job import start
from talking_models.evidence.predict_images import run

if __name__ == "__main__":
    start(snakemake)
    params = snakemake.params
    run(
        **snakemake.input,
        **snakemake.output,
        about=params.about,
        names=params.metrics,
        device=params.device,
    )
