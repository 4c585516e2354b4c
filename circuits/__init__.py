"""A circuit explorer for image classifiers: why did it say cat?

Every public name stands in `__init__.pyi`. Modules are imported when a name of theirs is first used, so that
`import circuits` is quick.
"""

import warnings

import lazy_loader

from circuits.errors import mixed_installation

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

if _mixed := mixed_installation():
    warnings.warn(_mixed, stacklevel=2)
