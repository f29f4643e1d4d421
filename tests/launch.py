"""Starts several processes of one program on this machine, as if each were a host of its own.

    python -m tests.launch --processes 2 --devices 2 -- experiments/finetune.py --lang ruby

One process drives all GPUs or TPU chips of a machine, so this is for trying what several processes
do, on virtual CPU devices. Clusters have launchers: srun, mpirun, the command of a TPU pod.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

VARIABLE = "SOFTNCE_HOSTS"  # what train/distributed.py reads


def environment(
    devices: int, address: str | None = None, variables: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The variables of a process with virtual CPU devices, which connects if it has an address."""
    count = f"--xla_force_host_platform_device_count={devices}"  # of two, the last one counts
    given = {"XLA_FLAGS": f"{variables.get('XLA_FLAGS', '')} {count}", "JAX_PLATFORMS": "cpu"}
    given["USE_TORCH"] = "0"  # transformers would import it where it is installed, for seconds
    return {**variables, **given} | ({VARIABLE: address} if address else {})


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def start(
    commands: Sequence[Sequence[str]],
    devices: Sequence[int],
    *,
    variables: Mapping[str, str] = os.environ,
    **options,
) -> list[subprocess.Popen]:
    """Starts a process of each command, connected to the others; returns them in their order.

    Args:
      commands: a program and its flags for each process.
      devices: of each process.
      variables: of the environment, without what connects the processes.
      **options: of `subprocess.Popen`.
    """
    address = f"127.0.0.1:{free_port()}"
    return [
        subprocess.Popen(
            [sys.executable, *map(str, command)],
            env=environment(count, f"{index}/{len(commands)}@{address}", variables),
            stdin=subprocess.DEVNULL,
            text=True,
            **options,
        )
        for index, (command, count) in enumerate(zip(commands, devices, strict=True))
    ]


def finish(processes: Sequence[subprocess.Popen]) -> list[tuple[str, str]]:
    """Waits for all processes; returns what each printed to its standard output and error."""
    with ThreadPoolExecutor(len(processes)) as readers:  # a full pipe would stop its process
        return list(readers.map(lambda process: process.communicate(), processes))


def main() -> None:
    """Runs one command as several processes; exits with the first status that is not 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--devices", type=int, default=2, help="virtual CPU devices of each")
    parser.add_argument("command", nargs="+", help="after --, the program and its flags")
    given = parser.parse_args()
    processes = start([given.command] * given.processes, [given.devices] * given.processes)
    finish(processes)
    sys.exit(next((process.returncode for process in processes if process.returncode), 0))


if __name__ == "__main__":
    main()
