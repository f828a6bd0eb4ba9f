# Vision: a pre-trained transformer as teacher, a student for each data set, experiment and seed.
#
#   snakemake --cores 2 vision
#
# Needs: CONFIG.vision; image sets prepared in TFDS_DATA_DIR (`make tfds-images`; not for digits);
#        for `weights: hub`, the hub, or the file that the first rule makes put there by hand.
# Makes: data/vision/weights/{model}.safetensors, as the hub gives them
#        {RESULTS}/vision/teacher/backbone.safetensors
#        {RESULTS}/vision/{dataset}/slices/{slice}.yaml
#            which examples are fit, minival (both of the train split) and eval
#        {RESULTS}/vision/{dataset}/teacher/probe.safetensors and accuracy.csv
#        {RESULTS}/vision/{dataset}/teacher/finetuned/, the files of a student, where an experiment
#            wants a teacher that was trained on the data set
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


rule download_weights:
    """Fetch a timm model's weights from the Hugging Face hub."""
    output:
        "data/vision/weights/{model}.safetensors",
    log:
        f"{RESULTS}/logs/vision/download_weights/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/vision/download_weights/{{model}}.tsv"
    conda:
        VISION_ENV
    container:
        VISION_IMAGE
    threads: 1
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
    params:
        code=fingerprint("talking_models.models.vit_weights"),
    script:
        "../scripts/download_weights.py"


rule make_backbone:
    """Check the teacher's weights, and resample its position embedding to the image size."""
    input:
        weights=teacher_weights(),
    output:
        BACKBONE,
    log:
        f"{RESULTS}/logs/vision/make_backbone.log",
    benchmark:
        f"{RESULTS}/benchmarks/vision/make_backbone.tsv"
    conda:
        VISION_ENV
    container:
        VISION_IMAGE
    threads: 1
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(10),
    params:
        model=CONFIG.vision.model.model_dump(include={"name", "image_size", "options"}),
        code=fingerprint("talking_models.models.vit_weights"),
    script:
        "../scripts/make_backbone.py"


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


rule probe_teacher:
    """Train the teacher's classifier for one data set on its frozen features."""
    input:
        backbone=BACKBONE,
        fit=f"{VISION}/{{dataset}}/slices/fit.yaml",
        minival=f"{VISION}/{{dataset}}/slices/minival.yaml",
    output:
        probe=f"{VISION}/{{dataset}}/teacher/probe.safetensors",
        accuracy=f"{VISION}/{{dataset}}/teacher/accuracy.csv",
    log:
        f"{RESULTS}/logs/vision/{{dataset}}/probe_teacher.log",
    benchmark:
        f"{RESULTS}/benchmarks/vision/{{dataset}}/probe_teacher.tsv"
    conda:
        VISION_ENV
    container:
        VISION_IMAGE
    threads: VISION_THREADS
    resources:
        **vision_device(1),
        mem_mb=per_attempt(16000),
        runtime=per_attempt(240),
    params:
        config=CONFIG.vision.model_dump(include={"probe", "device"}),
        code=fingerprint("talking_models.training.probe"),
    script:
        "../scripts/probe_teacher.py"


rule finetune_teacher:
    """Train the whole teacher on one data set, for experiments that want such a teacher."""
    input:
        backbone=BACKBONE,
        fit=f"{VISION}/{{dataset}}/slices/fit.yaml",
        minival=f"{VISION}/{{dataset}}/slices/minival.yaml",
    output:
        **{name: f"{FINETUNED}/{file}" for name, file in VISION_MODELS.items()},
    log:
        f"{RESULTS}/logs/vision/{{dataset}}/finetune_teacher.log",
    benchmark:
        f"{RESULTS}/benchmarks/vision/{{dataset}}/finetune_teacher.tsv"
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
        config=CONFIG.vision.teacher_job(),
        code=vision_code("scratch"),
    script:
        "../scripts/train_vision.py"


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
