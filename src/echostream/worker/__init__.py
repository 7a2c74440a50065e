"""The worker process: takes jobs from the queue, runs the pipeline on them, reports progress."""
