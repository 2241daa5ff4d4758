"""Counts how often each of some byte strings (hex) stands in the memory of a process that is at rest."""

import sys

pid, needles = sys.argv[1], [bytes.fromhex(text) for text in sys.argv[2:]]
counts = [0] * len(needles)
with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
    for line in maps:
        span, mode, *_ = line.split()
        start, end = (int(bound, 16) for bound in span.split("-"))
        if not mode.startswith("rw") or start >= 1 << 63:
            continue
        try:
            memory.seek(start)
            content = memory.read(end - start)
        except OSError:
            continue  # a mapping that cannot be read, such as of a device
        counts = [count + content.count(needle) for count, needle in zip(counts, needles)]
print(*counts)
