"""For mkdocstrings: our docstrings as griffe reads them.

Doctests stand under `Example:`, which griffe knows as `Examples:`; and what comes back is described in a sentence,
whose first colon must not be taken for the end of a type.
"""

import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Rewrites the docstrings before they are parsed."""

    def on_object(self, *, obj: griffe.Object, **rest: Any) -> None:
        """Called for every object that was loaded."""
        if obj.docstring is not None:
            text = re.sub(r"(?m)^( *)Example:$", r"\1Examples:", obj.docstring.value)
            obj.docstring.value = re.sub(r"(?m)^( *)(Returns|Yields):\n( +)(?=.*:)", r"\1\2:\n\3: ", text)
