"""EchoStream: local transcription and checked insights for recordings."""

import os

__version__ = "0.1.0"

# The matrices that numpy multiplies for us are small. By default each product is shared by threads
# of all cores, which on 16 cores took ten times the CPU time and was no faster.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
