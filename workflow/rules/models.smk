# Pre-trained models of images: their weights, and what gives a teacher the classes of a data set.
#
# Needs: CONFIG.models; data.smk's slices; for `weights: hub`, the hub; without a network
#        data/weights/{model}.safetensors, put there by hand.
# Makes: data/weights/{model}.safetensors, as the hub gives them
#        {RESULTS}/models/{model}.safetensors, as all jobs read them
#        {RESULTS}/{data}/{split}/all/{model}/probe.safetensors and accuracy.csv


BACKBONES = [model for model in CONFIG.models if CONFIG.model_kind(model).family == "images"]


rule download_weights:
    """Fetch a timm model's weights from the Hugging Face hub."""
    output:
        "data/weights/{model}.safetensors",
    log:
        f"{LOGS}/models/download_weights/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/models/download_weights/{{model}}.tsv"
    wildcard_constraints:
        model=one_of(BACKBONES),
    conda:
        PLAN.image_environment
    container:
        image(PLAN.image_step)
    threads: 1
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
    params:
        name=lambda wildcards: CONFIG.models[wildcards.model].name,
        code=fingerprint("talking_models.models.weights"),
    script:
        "../scripts/download_weights.py"


rule make_backbone:
    """Check a model's weights, and bring them to the image size."""
    input:
        weights=lambda wildcards: PLAN.weights(wildcards.model),
    output:
        f"{RESULTS}/models/{{model}}.safetensors",
    log:
        f"{LOGS}/models/make_backbone/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/models/make_backbone/{{model}}.tsv"
    wildcard_constraints:
        model=one_of(BACKBONES),
    conda:
        PLAN.image_environment
    container:
        image(PLAN.image_step)
    threads: 1
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(10),
    params:
        settings=lambda wildcards: CONFIG.form(wildcards.model),
        code=lambda wildcards: fingerprint(
            "talking_models.models.weights", *PLAN.code_of_models(wildcards.model)
        ),
    script:
        "../scripts/make_backbone.py"


rule probe_teacher:
    """Train a teacher's classifier for one data set on its frozen features."""
    input:
        backbone=lambda wildcards: PLAN.backbone(wildcards.model),
        fit=f"{SLICES}/fit.yaml",
        val=f"{SLICES}/val.yaml",
    output:
        probe=PROBE,
        accuracy=f"{TASK}/{{model}}/accuracy.csv",
    log:
        f"{LOGS}/{{data}}/{{split}}/probe_teacher/{{task}}/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/{{data}}/{{split}}/probe_teacher/{{task}}/{{model}}.tsv"
    wildcard_constraints:
        data=one_of(IMAGES),
        model=one_of(BACKBONES),
    conda:
        PLAN.image_environment
    container:
        image(PLAN.image_step)
    threads: PLAN.image_threads
    resources:
        **PLAN.device(),
        mem_mb=per_attempt(16000),
        runtime=per_attempt(240),
    params:
        config=lambda wildcards: {
            "settings": CONFIG.form(wildcards.model, probe=True),
            "device": CONFIG.device.of_results(devices=1),
        },
        code=lambda wildcards: fingerprint(
            "talking_models.training.probe",
            "talking_models.models.weights",
            *PLAN.code_of_models(wildcards.model),
            *PLAN.code_of_data(wildcards.data),
        ),
    script:
        "../scripts/probe_teacher.py"
