"""Machine code of register tiles for named processors, judged without running it.

Run as ``python tests/benchmarks/tiles.py [processor ...]``. Each tile is compiled by llvmlite for
the processor. For the inner loop of its reduction, the table shows the number of instructions, how
many of them access the stack, and, where llvm-mca is installed and knows the processor, cycles and
the share of the peak: multiplications of vectors in a step, over those that the processor could do
in these cycles. Many stack accesses mean that pointers or sums do not fit into the registers.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import NamedTuple

from llvmlite import binding, ir

from sklearn_nn.jit import tile as tiles
from sklearn_nn.jit.tile import TileShape


class Processor(NamedTuple):
    """Target of the compiler, and what it can do."""

    triple: str
    name: str
    vector_bits: int
    units: int  # fused multiply-adds of whole vectors that begin in one cycle

    @property
    def registers(self) -> int:
        """Number of vector registers."""
        return 32 if self.vector_bits != 256 else 16


_X86, _ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"
PROCESSORS = [
    *(Processor(_X86, name, 512, 2) for name in ("skylake-avx512", "icelake-server", "znver5")),
    Processor(_X86, "sapphirerapids", 512, 2),
    Processor(_X86, "znver4", 512, 1),
    *(Processor(_X86, name, 256, 2) for name in ("haswell", "znver2", "znver3")),
    *(Processor(_ARM, name, 128, 2) for name in ("neoverse-n1", "neoverse-n2", "cortex-a76")),
    Processor(_ARM, "neoverse-v1", 128, 4),
    Processor(_ARM, "apple-m1", 128, 4),
]
#: Rows and vectors of tiles, by number of registers.
SHAPES = {32: [(14, 2), (12, 2), (8, 3), (6, 4), (12, 1)], 16: [(6, 2), (4, 3), (3, 4), (8, 1)]}
_MULTIPLY = re.compile(r"\b(vfn?madd|fmla)")
_BRANCH = re.compile(r"^\s+(j[a-z]+|b\.[a-z]+|cbn?z|tbn?z)\s.*?(\.?L[\w$]+)\s*$")
_STACK = re.compile(r"\(%rsp[,)]|\[sp\b")


def assembly(shape: TileShape, processor: Processor) -> str:
    """Return the optimized assembly of a tile."""
    module = ir.Module()
    module.triple = processor.triple
    function = tiles._define(module, shape)
    function.linkage = "external"
    target = binding.Target.from_triple(processor.triple)
    machine = target.create_target_machine(cpu=processor.name, opt=3)
    parsed = binding.parse_assembly(str(module))
    options = binding.create_pipeline_tuning_options(speed_level=3)
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(parsed, builder)
    return str(machine.emit_assembly(parsed))


def inner_loop(text: str) -> list[str]:
    """Return the instructions of the loop of one block that multiplies most."""
    best: list[str] = []
    label, block = "", []
    for line in text.splitlines():
        if found := re.match(r"^(\.?L[\w$]+):", line):
            label, block = found[1], []
        elif line.startswith("\t") and not re.match(r"^\t[.#/]", line):
            block.append(line)
            branch = _BRANCH.match(line)
            if branch and branch[2] == label and _count(block) > _count(best):
                best = list(block)
    return best


def _count(block: list[str]) -> int:
    return sum(bool(_MULTIPLY.search(line)) for line in block)


def cycles(block: list[str], processor: Processor) -> float | None:
    """Return llvm-mca's cycles of one iteration; None if it is missing or fails."""
    program = shutil.which("llvm-mca")
    if program is None:
        return None
    command = [
        program,
        f"-mtriple={processor.triple}",
        f"-mcpu={processor.name}",
        "-iterations=100",
    ]
    ran = subprocess.run(
        command, input="\n".join(block), capture_output=True, text=True, check=False
    )
    total = re.search(r"Total Cycles:\s+(\d+)", ran.stdout)
    return None if total is None or "error" in ran.stderr else int(total[1]) / 100


def main() -> None:
    """Print the table."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    names = sys.argv[1:]
    print("processor       type     tile   instructions  stack  cycles  of peak")
    for processor in PROCESSORS:
        if names and processor.name not in names:
            continue
        for bits in (32, 64):
            for rows, vectors in SHAPES[processor.registers]:
                shape = TileShape(rows, vectors, bits, processor.vector_bits, False)
                block = inner_loop(assembly(shape, processor))
                if _count(block) % (rows * vectors) or not block:
                    print(f"{processor.name:16s}float{bits}  {rows}x{vectors}: no such loop")
                    continue
                steps = _count(block) // (rows * vectors)
                stack = sum(bool(_STACK.search(line)) for line in block) // steps
                taken = cycles(block, processor)
                line = f"{processor.name:16s}float{bits}  {rows:2d}x{vectors}"
                line += f"{len(block) // steps:12d}{stack:8d}"
                if taken is not None:
                    share = rows * vectors * steps / processor.units / taken
                    line += f"{taken / steps:9.1f}{100 * share:8.0f}%"
                print(line, flush=True)


if __name__ == "__main__":
    main()
