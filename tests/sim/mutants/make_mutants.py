#!/usr/bin/env python3
"""Writes a copy of the actors' sources, and of those of the simulation that a mutant names, into which the mutants of
mutants.txt are built, chosen at run time.

usage: make_mutants.py <root of the tree> <folder for the copy>

A mutant whose text is not found exactly once is left out, and is named in mutant_list.cpp as stale: its test fails.
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
SWITCH = '#include "tests/sim/mutants/mutant_switch.hpp"\n'


def read_mutants(text):
    mutants = []
    for line in text.splitlines():
        if line.startswith("mutant "):
            name, _, rule = line[len("mutant "):].partition(": ")
            mutants.append({"name": name, "rule": rule, "hunks": [([], [])], "options": "", "checker": "",
                            "tests": "", "stories": ""})
        elif line.startswith(("file ", "options ", "checker ", "tests ", "stories ")):
            key, _, value = line.partition(" ")
            mutants[-1][key] = value
        elif line.startswith(("-", "+")):
            mutants[-1]["hunks"][-1][0 if line[0] == "-" else 1].append(line[1:])
        elif line.startswith("@"):
            mutants[-1]["hunks"].append(([], []))
    return mutants


def apply(mutant, sources):
    """True if the mutant is in the copy now."""
    text = sources.get(mutant["file"], "")
    switch = f'::cmirror::sim::mutant_is("{mutant["name"]}")'
    for old_lines, new_lines in mutant["hunks"]:
        old = "\n".join(old_lines) + "\n"
        if text.count(old) != 1:
            return False
        text = text.replace(old, "\n".join(new_lines).replace("MUTANT", switch) + "\n")
    sources[mutant["file"]] = text
    return True


def literal(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main():
    root, copy = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    sources = {str(path.relative_to(root)): path.read_text() for path in sorted((root / "actors").rglob("*.?pp"))}
    mutants = read_mutants((HERE / "mutants.txt").read_text())
    for mutant in mutants:
        if mutant["file"] not in sources and (root / mutant["file"]).exists():
            sources[mutant["file"]] = (root / mutant["file"]).read_text()
    rows = []
    for mutant in mutants:
        alive = apply(mutant, sources)
        rows.append(f'    {{{literal(mutant["name"])}, {literal(mutant["rule"])}, {literal(mutant["options"])}, '
                    f'{literal(mutant["checker"])}, {literal(mutant["tests"])}, {"true" if alive else "false"}}},')
    if copy.exists():
        stale = {str(path.relative_to(copy)) for path in (copy / "actors").rglob("*.?pp")} - set(sources)
        for name in stale:
            (copy / name).unlink()
    sources = {name: SWITCH + text if name.endswith(".cpp") or "mutant_is" in text else text
               for name, text in sources.items()}
    sources["mutant_list.cpp"] = (
        '#include "tests/sim/mutants/mutant_switch.hpp"\n\nnamespace cmirror::sim {\n\n'
        "const std::vector<Mutant>& all_mutants() {\n    static const std::vector<Mutant> all{\n"
        + "\n".join(rows) + "\n    };\n    return all;\n}\n\n}  // namespace cmirror::sim\n")
    for name, text in sources.items():
        path = copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # What has not changed is not compiled again.
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


if __name__ == "__main__":
    main()
