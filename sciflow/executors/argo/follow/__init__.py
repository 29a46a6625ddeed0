"""One workflow looked after: orders done, news told, and what they mean for the tasks of a run."""
