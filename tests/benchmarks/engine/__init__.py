"""What a run costs beside other agent libraries: ``python -m tests.benchmarks.engine``."""
