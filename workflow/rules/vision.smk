# Vision: a pre-trained transformer as teacher, a student for each data set, experiment and seed.
#
#   snakemake --cores 2 vision
#
# Needs: CONFIG.vision; vision_teacher.smk's backbone and classifiers; image sets prepared in
#        TFDS_DATA_DIR (`make tfds-images`; not for digits).
# Makes: {RESULTS}/vision/{dataset}/slices/{slice}.yaml
#            which examples are fit, minival (both of the train split) and eval
#        {RESULTS}/vision/{dataset}/students/{experiment}/seed{seed}/
#            models.safetensors, history.csv, throughput.csv, config.yaml
#            predictions.parquet, metrics.csv  by evaluate_vision_student, which alone reads eval
#
# A killed training job goes on from checkpoint.safetensors in its folder. What it logs for
# TensorBoard lies beside its log: `tensorboard --logdir {RESULTS}/logs/vision` shows all jobs.


rule vision:
    """Every vision table, as a file and as a page of the report."""
    input:
        vision_tables(),
        expand(f"{RESULTS}/pages/{{page}}.html", page=CONFIG.vision.tables),
    localrule: True


rule split_images:
    """Say which examples of a data set are fit, minival and eval."""
    output:
        **{slice: f"{VISION}/{{dataset}}/slices/{slice}.yaml" for slice in VISION_SLICES},
    log:
        f"{RESULTS}/logs/vision/{{dataset}}/split_images.log",
    benchmark:
        f"{RESULTS}/benchmarks/vision/{{dataset}}/split_images.tsv"
    conda:
        VISION_ENV
    container:
        VISION_IMAGE
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
    params:
        minival=lambda wildcards: CONFIG.vision.minival(wildcards.dataset),
        code=fingerprint("talking_models.data.vision"),
    script:
        "../scripts/split_images.py"


rule train_vision_student:
    """Train one student by one experiment's method on one data set, with one seed."""
    input:
        unpack(vision_training_inputs),
    output:
        **{name: f"{VISION_STUDENT}/{file}" for name, file in VISION_MODELS.items()},
    log:
        f"{RESULTS}/logs/vision/{{dataset}}/train_vision_student/{{experiment}}/seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/vision/{{dataset}}/train_vision_student/{{experiment}}/seed{{seed}}.tsv"
    wildcard_constraints:
        experiment=VISION_EXPERIMENTS,
    conda:
        VISION_ENV
    container:
        VISION_IMAGE
    threads: VISION_THREADS * CONFIG.vision.device.devices
    resources:
        **vision_device(CONFIG.vision.device.devices),
        mem_mb=per_attempt(16000),
        runtime=per_attempt(720),
    params:
        config=lambda wildcards: CONFIG.vision.job(wildcards.experiment, int(wildcards.seed)),
        code=lambda wildcards: vision_code(CONFIG.vision.experiments[wildcards.experiment].method),
    script:
        "../scripts/train_vision.py"


rule evaluate_vision_student:
    """Predict the eval slice with one student."""
    input:
        models=f"{VISION_STUDENT}/models.safetensors",
        examples=f"{VISION}/{{dataset}}/slices/eval.yaml",
    output:
        predictions=f"{VISION_STUDENT}/predictions.parquet",
        metrics=f"{VISION_STUDENT}/metrics.csv",
    log:
        f"{RESULTS}/logs/vision/{{dataset}}/evaluate_vision_student/{{experiment}}/seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/vision/{{dataset}}/evaluate_vision_student/{{experiment}}/seed{{seed}}.tsv"
    wildcard_constraints:
        experiment=VISION_EXPERIMENTS,
    conda:
        VISION_ENV
    container:
        VISION_IMAGE
    threads: VISION_THREADS
    resources:
        **vision_device(1),
        mem_mb=per_attempt(8000),
        runtime=per_attempt(120),
    params:
        config=lambda wildcards: {
            "experiment": wildcards.experiment,
            "device": CONFIG.vision.device.model_dump(),
        },
        code=fingerprint("talking_models.evaluation.vision"),
    script:
        "../scripts/evaluate_vision_student.py"
