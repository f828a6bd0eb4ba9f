"""`python -m talking_models.config`: the command line of `config.docs`."""

from talking_models.config.docs import main

raise SystemExit(main())
