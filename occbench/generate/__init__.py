"""Recipe to dataset: the recipe, the plan and the run."""
