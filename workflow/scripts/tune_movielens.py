"""Rules tune_teacher and tune_student: a search on the folds of the training rows."""

from pathlib import Path

from talking_models.job import start
from talking_models.tuning.jobs import configs_of_tasks, search
from talking_models.tuning.space import grid, trials

log = start(snakemake)
params = snakemake.params
files = dict(snakemake.output.items())
teachers, chosen = (snakemake.input.get(name, []) for name in ("teachers", "chosen"))
search(
    rows=snakemake.input.rows,
    movies=snakemake.input.movies,
    genres=params.genres,
    configs=configs_of_tasks(params.config, params.genres, chosen, bool(params.choose)),
    trials=grid(params.choose)
    or trials(params.config, params.search["trials"], with_id_dropout=not chosen),
    search=params.search,
    teachers=teachers,
    journal=Path(files["curves"]).with_name("journal.log"),
    code=params.code,
    outputs=files,
    log=log,
)
