"""A language model on this machine: llama.cpp in a process of its own.

`models` finds and describes the file, `server` starts and reaches the process, `host` is what runs
in it, `llama` is the library there, and `model` is the adapter that uses all of this.
"""
