"""What the rules of a run ask: `jobs` of its jobs, `pages` of what is shown of them."""

from talking_models.plan.pages import Plan

__all__ = ["Plan"]
