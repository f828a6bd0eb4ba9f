"""What the rules of a run ask: `settings` and `jobs` of its jobs, `tables`, `pages` and
`results` of what is made of them.
"""

from talking_models.plan.results import Plan

__all__ = ["Plan"]
