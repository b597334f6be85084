"""What every figure is asked: no warning, the same bytes twice, nothing left open, all tried."""

import io
import warnings

import matplotlib.pyplot as plt

STRANGE = "$\\frac$ <b>&amp;"


def svg(figure):
    """As a report gets it."""
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    return out.getvalue()


def drawn_twice(draw):
    """The bytes of two drawings, any warning an error; nothing may stay open."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = svg(draw()), svg(draw())
    assert not plt.get_fignums()
    return first, second


def untried(module, drawn):
    """Names of the figures that a module defines and that no entry of `drawn` draws."""
    functions = {
        name
        for name, thing in vars(module).items()
        if callable(thing) and getattr(thing, "__annotations__", {}).get("return") is plt.Figure
    }
    tried = {name for item in drawn.values() for name in item.__code__.co_names}
    return functions - {"finish"} - tried
