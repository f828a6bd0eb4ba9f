"""Rule evaluate_probes: the reference lines of a set of images."""

from pathlib import Path

from talking_models.running.job import start
from talking_models.evidence.predict_images import run_probes

if __name__ == "__main__":
    start(snakemake)
    files, params = snakemake.input, snakemake.params
    weights = zip(params.forms, map(Path, files.backbones), map(Path, files.probes), strict=True)
    probed = {id: (params.forms[id], backbone, probe) for id, backbone, probe in weights}
    run_probes(
        probed,
        files.examples,
        **snakemake.output,
        about=params.about,
        names=params.metrics,
        device=params.device,
    )
