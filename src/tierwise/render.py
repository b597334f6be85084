"""From an executed notebook to one self-contained HTML file, the same bytes for the same results.

What differs between two runs of the same notebook (ids, memory addresses, process numbers, the
chunks in which text arrived) is taken out before the page is made.
"""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from tierwise.files import (
    OWN_SECTIONS,
    STEPS,
    SUBJECTS,
    params,
    read_json,
    section_of,
)
from tierwise.imports import code_version, watched

TEMPLATE = Path(__file__).parent / "template"
WIDGET = "application/vnd.jupyter.widget-view+json"


def html(notebook: Any, root: Path) -> str:
    """The page; `notebook.metadata.tierwise` must hold what `describe` gives."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        extra_template_basedirs=[str(TEMPLATE.parent)],
        template_name=TEMPLATE.name,
        anchor_link_text="#",
        embed_images=True,
        filters={"inline_svg": inline_svg, "typeset": typeset, "spoken": spoken, "digest": digest},
    )
    resources = {"metadata": {"path": str(root / "notebooks")}}
    page, _ = exporter.from_notebook_node(canonical(notebook, root), resources)
    return page.rstrip() + "\n"


def describe(root: Path, application: str, step: str, steps: list[str]) -> dict[str, Any]:
    """What the report's header and footer say."""
    own = section_of(step) in OWN_SECTIONS
    first = step if own else "build_features"
    path = root / "metrics" / application / f"{first}.json"
    facts = read_json(path) if path.is_file() else {}
    way = pages_beside(root, application, step) if own else STEPS
    return {
        "application": application,
        "step": step,
        "steps": [name for name in steps if name in way or name == step],
        "data_version": str(facts.get("data_version") or "")[:10],
        "data_until": str(facts.get("data_until") or "")[:10],
        "simulated": bool(facts.get("simulated")),
        "code_version": code_version(watched(root / "notebooks" / f"{step}.ipynb")),
    }


def pages_beside(root: Path, application: str, step: str) -> tuple[str, ...]:
    """The pages of the same subject that this application has, in order."""
    told = params(root)
    subject = next(one for one in SUBJECTS.values() if section_of(step) in one)
    there = [section for section in subject if application in (told.get(section) or {})]
    return tuple(step for section in there for step in OWN_SECTIONS[section])


def canonical(notebook: Any, root: Path) -> Any:
    """The same notebook without hidden cells and without anything that varies between runs."""
    import nbformat

    result = nbformat.v4.new_notebook()
    result.metadata = nbformat.from_dict(
        {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python", "pygments_lexer": "python"},
            "tierwise": notebook.metadata["tierwise"],
        }
    )
    shown = [
        c for c in notebook.cells if c.source.strip() and "hide" not in c.metadata.get("tags", [])
    ]
    styler_ids: dict[str, str] = {}
    for cell in shown:
        if cell.cell_type == "code":
            outputs = merged(output for output in cell.outputs if is_shown(output))
            cell.outputs = [scrubbed(output, str(root), styler_ids) for output in outputs]
            cell.execution_count = None
    result.cells = join_silent(shown)
    for index, cell in enumerate(result.cells):
        alt = cell.metadata.get("alt") or cell.metadata.get("tierwise", {}).get("heading", "")
        cell.metadata = nbformat.from_dict({"alt": alt})
        cell.id = f"{index:02d}-{hashlib.sha256(cell.source.encode()).hexdigest()[:8]}"
    return result


def is_shown(output: Any) -> bool:
    """Standard error holds progress and warnings of the machine; a widget needs a live kernel."""
    return output.get("name") != "stderr" and WIDGET not in output.get("data", {})


def merged(outputs: Any) -> list[Any]:
    """Neighbouring pieces of standard output as one: how it was cut depends on timing."""
    result: list[Any] = []
    for output in outputs:
        last = result[-1] if result else None
        if last and last.output_type == output.output_type == "stream":
            last.text += output.text
        else:
            result.append(output)
    return result


def scrubbed(output: Any, root: str, styler_ids: dict[str, str]) -> Any:
    """The output with every text in it scrubbed; an execute_result becomes a display."""
    if output.output_type == "stream":
        output.text = scrub(output.text, root, styler_ids)
    elif output.output_type == "execute_result":
        output.execution_count = None
    for kind, content in output.get("data", {}).items():
        if isinstance(content, str) and (kind.startswith("text/") or kind == "image/svg+xml"):
            output.data[kind] = scrub(content, root, styler_ids)
    return output


def scrub(text: str, root: str, styler_ids: dict[str, str]) -> str:
    """Addresses, process numbers and the project's path out, pandas' random table ids numbered."""
    text = re.sub(r"\S*ipykernel_\d+/\d+\.py", "cell", text)
    text = re.sub(r"\b0x[0-9a-f]{6,16}\b", "0x0", text)
    for found in re.findall(r'<table id="T_([0-9a-f]{5})"', text):
        styler_ids.setdefault(found, f"{len(styler_ids) + 1:05d}")
    for found, number in styler_ids.items():
        text = text.replace(f"T_{found}", f"T_{number}")
    return text.replace(f"{root}/", "").replace(root, ".")


def join_silent(cells: list[Any]) -> list[Any]:
    """Neighbouring code cells as one where the earlier shows nothing: one link to their code."""
    result: list[Any] = []
    for cell in cells:
        last = result[-1] if result else None
        if last and last.cell_type == cell.cell_type == "code" and not last.outputs:
            cell.source = f"{last.source}\n\n{cell.source}"
            result[-1] = cell
        else:
            result.append(cell)
    return result


def inline_svg(svg: str, alt: str) -> str:
    """Only the <svg> element, named for screen readers; matplotlib adds a prologue and a date."""
    from markupsafe import escape

    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)


def typeset(text: str) -> str:
    """Paragraphs on how to read a figure look like captions; a number keeps its percent sign."""
    text = re.sub(r"<p><em>(?=How to read|When not to trust)", '<p class="caption"><em>', text)
    return re.sub(r"(?<=\d) %", "\u00a0%", text)


def digest(script: str) -> str:
    """The name by which a page's security policy allows a script."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def spoken(name: str) -> str:
    """bank_calls -> Bank calls."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
