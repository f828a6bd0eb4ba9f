"""Rule measure_cka_images: linear CKA of one experiment's students of images with a teacher."""

from talking_models.running.job import start
from talking_models.evidence.cka_images import run

if __name__ == "__main__":
    start(snakemake)
    files, params = snakemake.input, snakemake.params
    taught = list(files.teachers)
    each = len(taught) // len(files.students)  # weights and a probe, or a model
    run(
        snakemake.wildcards.experiment,
        files.students,
        [taught[i : i + each] for i in range(0, len(taught), each)],
        params.form,
        files.examples,
        params.device,
        snakemake.output.csv,
    )
