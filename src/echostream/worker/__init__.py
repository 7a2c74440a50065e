"""The queue's worker process: takes jobs, runs them through the pipeline, tells how they go."""
