"""Several processes of one program on this machine, as if each were a host of its own.

One process drives all GPUs or TPU chips of a machine, so this is for trying what several hosts do,
on virtual CPU devices. Where one process ends badly, the others are ended too.
"""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import IO

import tyro

from softnce_jax.errors import InputError

VARIABLE = "SOFTNCE_HOSTS"  # what train/distributed.py reads
GRACE_SECONDS = 5  # that the other processes have to end by themselves
# What gloo says of connections, and jax's last words where the process that it reports to is gone.
CONNECTED = re.compile(r"\[Gloo\] Rank \d+ is connected")
LAST_WORDS = re.compile(r"[EF]\d{4} .*(coordination_service|client\.h)")


@dataclasses.dataclass(frozen=True)
class Launch:
    """Runs a program as several processes of this machine that train as one.

    For example: experiments/launch.py --processes 2 --devices 2 -- experiments/finetune.py
    """

    command: tyro.conf.Positional[tuple[str, ...]]
    """After --, the program and its flags."""
    processes: int = 2
    """How many."""
    devices: int | None = None
    """Virtual CPU devices of each; without it, the devices that a process finds."""


def launch(config: Launch) -> None:
    """Runs the processes to their end, passing SIGTERM and Ctrl-C on to all.

    Raises:
      InputError: no program, or no process.
      SystemExit: one ended badly; with its status, 128 + n where signal n killed it.
    """
    if not config.command or config.processes < 1:
        raise InputError("give --processes of 1 or more, and after -- a program and its flags")
    hosts = start(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: pass_on(hosts, number))
    printing = Printing(hosts)
    bad = watch(hosts)
    if bad is not None:
        end(hosts)
    printing.finish()
    if bad is None:
        return
    status = hosts[bad].returncode
    if status < 0:  # it could not say so itself
        name = signal.Signals(-status).name
        print(
            f"error: {name} ended host {bad}, so all were ended; the same command resumes",
            file=sys.stderr,
        )
    sys.exit(128 - status if status < 0 else status)


def start(config: Launch) -> list[subprocess.Popen]:
    """The processes, each knowing which one it is."""
    environment = dict(os.environ)
    if config.devices is not None:
        flags = f"--xla_force_host_platform_device_count={config.devices}"
        environment["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
        environment["JAX_PLATFORMS"] = "cpu"
    address = f"127.0.0.1:{free_port()}"
    return [
        subprocess.Popen(
            [sys.executable, *config.command],
            env=environment | {VARIABLE: f"{host}/{config.processes}@{address}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # a terminal's Ctrl-C comes to all, once, from here
        )
        for host in range(config.processes)
    ]


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def pass_on(hosts: Sequence[subprocess.Popen], number: int) -> None:
    """Sends a signal to the processes that still run."""
    for host in hosts:
        if host.poll() is None:
            host.send_signal(number)


def watch(hosts: Sequence[subprocess.Popen]) -> int | None:
    """Waits until one has ended badly, and says which, or until all have ended well."""
    while not (bad := [host for host, process in enumerate(hosts) if process.poll()]):
        if all(process.returncode == 0 for process in hosts):
            return None
        time.sleep(0.05)

    def blame(host: int) -> int:
        # Another host's death shows as an error, or as jax's abort; a signal comes from outside.
        status = hosts[host].returncode
        return 2 if status == -signal.SIGABRT else int(status > 0)

    return min(bad, key=blame)


def end(hosts: Sequence[subprocess.Popen]) -> None:
    """Gives the processes a while to end by themselves, then kills them."""
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any(host.poll() is None for host in hosts):
        time.sleep(0.05)
    pass_on(hosts, signal.SIGKILL)
    for host in hosts:
        host.wait()


class Printing:
    """Copies what the processes print, an error that several of them report only once."""

    def __init__(self, hosts: Sequence[subprocess.Popen]):
        self._told: set[str] = set()
        streams = [(h.stdout, sys.stdout) for h in hosts] + [(h.stderr, sys.stderr) for h in hosts]
        self._threads = [
            threading.Thread(target=self._copy, args=pair, daemon=True) for pair in streams
        ]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Returns once all is copied."""
        for thread in self._threads:
            thread.join(GRACE_SECONDS)

    def _copy(self, source: IO[str], target: IO[str]) -> None:
        dying = False
        for line in source:
            line = line.rstrip("\n")
            dying = dying or LAST_WORDS.match(line) is not None
            error = line.startswith("error:")
            # A progress bar begins its line with an empty one.
            empty = target is sys.stderr and not line
            if CONNECTED.match(line) or (dying and not error) or line in self._told or empty:
                continue
            if error:
                self._told.add(line)
            print(line, file=target, flush=True)
