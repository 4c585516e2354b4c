"""What is new for a page: facts about units, of which it is told only those that changed since it last heard."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Facts = Mapping[str, Any]


@dataclass
class Changes:
    """Facts about the units of one desk, and since when they hold.

    Args:
        version: counts the changes.

    Example:
        >>> changes = Changes()
        >>> changes.note({"c:1": {"state": "waiting"}, "c:2": {"state": "ready"}})
        >>> heard = changes.version
        >>> changes.note({"c:1": {"state": "ready"}, "c:2": {"state": "ready"}})
        >>> changes.since(heard)
        {'c:1': {'state': 'ready'}}
    """

    version: int = 0
    _since: dict[str, tuple[Facts, int]] = field(default_factory=dict)

    def note(self, found: Mapping[str, Facts]) -> None:
        """Take in what holds of all units now; one that went and comes again is new."""
        changed = {name for name, facts in found.items() if name not in self._since or self._since[name][0] != facts}
        self.version += bool(changed)
        self._since = {
            name: (facts, self.version if name in changed else self._since[name][1]) for name, facts in found.items()
        }

    def since(self, version: int) -> dict[str, Facts]:
        """What changed after a version."""
        return {name: facts for name, (facts, at) in self._since.items() if at > version}
