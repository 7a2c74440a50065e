"""`python -m echostream` is `echostream`."""

from echostream.cli import main

main()
