"""What stands on a node for modules that only the engine's machine has, so that users' modules can be imported there.

Each file here takes another one's name in the runner's zip (see `executors.package`). Standard library only, and clean
for Python 3.9: on a node nothing is traced, and no run is started or looked at.
"""
