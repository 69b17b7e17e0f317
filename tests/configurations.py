"""Random configurations of all estimators: what must hold for any of them is checked.

    python tests/configurations.py 17 42             # these seeds, with tracebacks
    python tests/configurations.py --from 0 --to 10000 --jobs 2

Many are run in processes of their own, a chunk of seeds each: one that crashes or hangs is named by
its seed, and the others go on. Failures are counted by kind at the end, with their seeds.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import faulthandler
import subprocess
import sys
import tempfile
import threading
import time
import traceback

#: Seconds without a word of a process after which it is said to hang: kernels may have to be
#: compiled first.
_PATIENCE = 600
_CHUNK = 500
#: How many seeds of a kind of failure are shown.
_SHOWN = 12


def run_here(seeds, until=None, without=()):
    """Check configurations in this process, and write lines before, about and after each."""
    from helpers.configurations.cases import draw
    from helpers.configurations.checks import check, described

    for seed in seeds:
        if until is not None and time.monotonic() > until:
            break
        print(f"begin\t{seed}", flush=True)
        try:
            faults, diverged = check(draw(seed), without)
        except Exception as error:  # of the generator itself
            faults, diverged = [error], False
        for kind, seen in dict(map(described, faults)).items():
            print(f"fault\t{seed}\t{kind}\t{' '.join(seen.split())[:400]}")
        print(f"end\t{seed}\t{'diverged' if diverged else ''}", flush=True)


class Chunk:
    """A range of seeds, run in processes of their own.

    Attributes
    ----------
    faults : list of (seed, kind, seen)
    n_done, n_diverged : int
    """

    def __init__(self, first, last, until=None, without=(), say=None):
        self.first, self.last, self.until, self.without = first, last, until, without
        self.say = say
        self.faults, self.n_done, self.n_diverged = [], 0, 0

    def run(self):
        """Run all seeds, in one process after another where they crash."""
        first = self.first
        while first < self.last:
            if self.until is not None and time.monotonic() > self.until:
                break
            first = self._run_from(first)
        return self

    def _note(self, *fault):
        """Note a fault, and print it."""
        self.faults.append(fault)
        if self.say is not None:
            self.say(fault)

    def _run_from(self, first):
        """Run seeds from `first` on in one process; the first seed that is left to do."""
        seconds = [] if self.until is None else [str(max(0.1, self.until - time.monotonic()))]
        command = [sys.executable, "-X", "faulthandler", __file__, "--here", str(first)]
        command += [str(self.last), *seconds]
        for name in self.without:
            command += ["--without", name]
        with tempfile.TemporaryFile("w+") as errors:
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True
            ) as process:  # fmt: skip
                begun, ended = self._follow(process)
            errors.seek(0)
            seen = " ".join(errors.read().split())[:800]
        if begun is not None:
            self._note(begun, f"the process ended with {process.returncode}", seen)
            self.n_done += 1
            return begun + 1
        if process.returncode == 0:
            return self.last
        if ended is None:
            raise RuntimeError(f"seeds from {first}: {process.returncode} is returned: {seen}")
        # Memory that was written to where it should not be may show afterwards.
        self._note(ended, f"the process ended with {process.returncode} after it", seen)
        return ended + 1

    def _follow(self, process):
        """Read what a process says.

        Returns
        -------
        begun, ended : int or None
            The seed that it has begun and not ended, and the last that it has ended.
        """
        begun = ended = None
        timer = threading.Timer(_PATIENCE, process.kill)
        timer.start()
        for line in process.stdout:
            timer.cancel()
            timer = threading.Timer(_PATIENCE, process.kill)
            timer.start()
            word, seed, *rest = line.rstrip("\n").split("\t")
            if word == "begin":
                begun = int(seed)
            elif word == "end":
                self.n_done += 1
                self.n_diverged += rest == ["diverged"]
                begun, ended = None, int(seed)
            elif word == "fault":
                self._note(int(seed), *rest)
        timer.cancel()
        return begun, ended


def run_many(first, last, jobs=1, seconds=None, say=None, without=()):
    """Check the configurations of seeds from `first` to before `last`.

    Parameters
    ----------
    first, last : int
    jobs : int
        Processes at a time.
    seconds : float or None
        After so long no other is begun.
    say : callable or None
        Called with every fault.
    without : sequence of str
        Relations whose names hold one of these are left out.

    Returns
    -------
    done : Chunk
        All seeds that were run.
    """
    until = None if seconds is None else time.monotonic() + seconds
    done = Chunk(first, last)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        chunks = [
            pool.submit(Chunk(start, min(start + _CHUNK, last), until, without, say).run)
            for start in range(first, last, _CHUNK)
        ]
        for chunk in map(concurrent.futures.Future.result, chunks):
            done.faults += chunk.faults
            done.n_done += chunk.n_done
            done.n_diverged += chunk.n_diverged
    return done


def summary(done):
    """Return the faults by kind, with seeds, as a text."""
    seeds = collections.defaultdict(dict)
    for seed, kind, seen in done.faults:
        seeds[kind][seed] = seen
    failed = {seed for seed, *_ in done.faults}
    passed = done.n_done - len(failed) - done.n_diverged
    head = (
        f"{done.n_done} configurations: {passed} passed, {len(failed)} failed; training diverged "
        f"and said so in {done.n_diverged}"
    )
    lines = [head]
    for kind, found in sorted(seeds.items(), key=lambda item: -len(item[1])):
        shown = ", ".join(map(str, list(found)[:_SHOWN])) + ", ..." * (len(found) > _SHOWN)
        lines.append(f"{len(found):6} {kind}: seeds {shown}")
        lines.append(f"       {next(iter(found.values()))[:300]}")
    return "\n".join(lines)


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=float, help="seeds to run here, with tracebacks")
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--to", dest="last", type=int)
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--seconds", type=float, help="begin no other after so long")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument(
        "--without", action="append", default=[], metavar="NAME",
        help="leave out relations that have this in their name, such as 'NumPy scalars'",
    )  # fmt: skip
    parser.add_argument("--show", action="store_true", help="only show the configurations")
    options = parser.parse_args()
    if options.here:
        first, last, *seconds = options.seeds
        until = time.monotonic() + seconds[0] if seconds else None
        run_here(range(int(first), int(last)), until, options.without)
        return 0
    if options.last is not None:
        begin = time.perf_counter()
        done = run_many(
            options.first, options.last, options.jobs, options.seconds,
            lambda fault: print(*fault, flush=True), options.without,
        )  # fmt: skip
        seconds = time.perf_counter() - begin
        each = 1e3 * seconds / max(1, done.n_done)
        print(f"{summary(done)}\n{seconds:.0f} s, {each:.0f} ms each")
        return int(bool(done.faults))
    return show(map(int, options.seeds), options.show, options.without)


def show(seeds, only_show, without):
    """Show configurations and run them here; whether any fails."""
    from helpers.configurations.cases import draw
    from helpers.configurations.checks import check

    bad = 0
    for seed in seeds:
        case = draw(seed)
        print(case)
        if only_show:
            continue
        faults, diverged = check(case, without)
        for fault in faults:
            traceback.print_exception(fault)
        print("diverged" if diverged else f"{len(faults)} faults")
        bad += bool(faults)
    return int(bool(bad))


if __name__ == "__main__":
    faulthandler.enable()
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
