"""The command on language models as files: models."""

import argparse
from typing import Any

from rich.table import Table

from parley.cli.console import OUT, AddCommand, AddGroup
from parley.models.weights import PUBLISHED, cache
from parley.report.tables import plain


def add(command: AddCommand, group: AddGroup) -> None:
    """The command and its options."""
    command("models", _models)


def _models(args: argparse.Namespace) -> Any:
    found: list[dict[str, Any]] = [
        {
            "name": name,
            "installed": bool(weights.parts()),
            "bytes": sum(path.stat().st_size for path in weights.parts()),
            "about": weights.about,
            "licence": weights.licence,
            "install": weights.install,
        }
        for name, weights in PUBLISHED.items()
    ]
    folder = cache()
    kept = sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []
    made = [{"path": str(path), "bytes": _size(path)} for path in kept]
    if not args.json:
        table = Table("model", "planner", "size", "what it is", "licence", "installed", box=None, header_style="bold")
        for one in found:
            size = f"{one['bytes'] / 1e6:.0f} MB" if one["installed"] else ""
            how = "yes" if one["installed"] else plain(str(one["install"]))
            table.add_row(one["name"], f"hf:{one['name']} gguf:{one['name']}", size, one["about"], one["licence"], how)
        OUT.print(table)
        total = sum(_size(path) for path in kept)
        OUT.print(f"made of them, in {folder}: {len(kept)} ({total / 1e6:,.0f} MB)", markup=False, soft_wrap=True)
    return {"models": found, "cache": str(folder), "made": made}


def _size(path: Any) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
