"""Side-by-side measurements against what a user would otherwise run: `python -m benchmarks [NAME]`.

Each benchmark is a module `benchmarks/<name>.py` whose docstring says what is compared with what, and
whose `run()` returns its `Measure`s.
"""
