"""Names of the reference lines. Standard library only: Snakefiles import this."""

GENRE_MEAN, USER_MOVIE_BIAS = "genre-mean", "user-movie-bias"
REFERENCES = {"Genre mean": GENRE_MEAN, "User and movie bias": USER_MOVIE_BIAS}
"""Row names with their ids; tables mark what is worse than the last one."""
