# Vision's teacher: its pre-trained weights, and what gives it the classes of a data set.
#
# Needs: CONFIG.vision; vision.smk's slices; for `weights: hub`, the hub, or the file that the first
#        rule makes put there by hand.
# Makes: data/vision/weights/{model}.safetensors, as the hub gives them
#        {RESULTS}/vision/teacher/backbone.safetensors
#        {RESULTS}/vision/{dataset}/teacher/probe.safetensors and accuracy.csv
#        {RESULTS}/vision/{dataset}/teacher/finetuned/, the files of a student, where an experiment
#            wants a teacher of which all was trained on the data set


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
