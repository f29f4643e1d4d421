"""Writes source trees for tests."""

from __future__ import annotations

from pathlib import Path

NOUNS = ("anchor", "basket", "candle", "dragon", "engine", "forest", "garden", "hammer")
VERBS = ("adds", "counts", "draws", "finds", "joins", "lists", "opens", "reads", "sorts", "splits")


def write_tree(root: Path, files: dict[str, str | bytes]) -> Path:
    """Writes files by their paths below a root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def ruby_function(number: int) -> str:
    """A documented method unlike those of other numbers."""
    noun, verb = NOUNS[number % 8], VERBS[number // 8 % 10]
    lines = [f"  {noun}_{verb}_{number}_{k} = {verb}({noun}, {k + number})\n" for k in range(5)]
    comment = f"# {verb.capitalize()} the {noun} number {number} of the list.\n"
    return f"{comment}def f{number}\n{''.join(lines)}end\n"


def ruby_tree(root: Path, *, files: int = 20, each: int = 4) -> Path:
    """A tree of documented Ruby methods, all different."""
    texts = {
        f"lib{n % 5}/{n}.rb": "\n".join(ruby_function(n * each + k) for k in range(each))
        for n in range(files)
    }
    return write_tree(root, texts)
