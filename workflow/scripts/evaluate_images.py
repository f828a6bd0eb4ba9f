"""Rule evaluate_images: predictions and metrics on the eval examples."""

from talking_models.running.job import start
from talking_models.evidence.predict_images import run

if __name__ == "__main__":
    start(snakemake)
    files, params = snakemake.input, snakemake.params
    run(
        files.models,
        (params.teacher, files.teacher) if params.teacher else None,
        files.examples,
        params.device,
        **snakemake.output,
        about=params.about,
        names=params.metrics,
    )
