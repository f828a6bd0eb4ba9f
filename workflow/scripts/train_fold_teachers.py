"""Rule train_fold_teachers: one teacher on the fit rows of each fold."""

from talking_models.running.job import start
from talking_models.changes import with_chosen
from talking_models.tuning.folds import train_fold_teachers

log = start(snakemake)
params = snakemake.params
train_fold_teachers(
    rows=snakemake.input.rows,
    items=snakemake.input.item_table,
    config=with_chosen(params.config, snakemake.input.chosen, "all", params.own),
    folds=params.folds,
    per_user=params.per_user,
    outputs=snakemake.output,
    log=log,
)
