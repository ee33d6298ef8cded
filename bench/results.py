"""What was measured: figures by server and work, and what failed."""

from dataclasses import dataclass, field, replace
from statistics import median

from bench.servers import OURS, OVER_TLS, SERVERS, Server
from bench.works import ALL_WORKS, WORKS, Target, Work


@dataclass
class Results:
    servers: tuple[Server, ...]
    works: tuple[Work, ...]
    # By server and work, a round after the other: a figure, or why there is none.
    outcomes: dict[tuple[str, str], list[float | str]] = field(default_factory=dict)

    @property
    def plain(self) -> "Results":
        """Without those over TLS."""
        return self._only([server for server in self.servers if not server.tls])

    @property
    def over_tls(self) -> "Results":
        return self._only([server for server in self.servers if server.tls])

    def _only(self, servers: list[Server]) -> "Results":
        works = [work for work in self.works if any(map(work.is_for, servers))]
        return replace(self, servers=tuple(servers), works=tuple(works))

    def add(self, server: Server, work: Work, outcome: float | str) -> None:
        self.outcomes.setdefault((server.name, work.name), []).append(outcome)

    def figures(self, server: str, work: str) -> list[float]:
        found = self.outcomes.get((server, work), [])
        return [outcome for outcome in found if not isinstance(outcome, str)]

    def failures(self, server: str, work: str) -> list[str]:
        found = self.outcomes.get((server, work), [])
        return [outcome for outcome in found if isinstance(outcome, str)]

    def median(self, server: str, work: str) -> float | None:
        figures = self.figures(server, work)
        return median(figures) if figures else None

    def spread(self, server: str, work: str) -> tuple[float, float] | None:
        figures = self.figures(server, work)
        return (min(figures), max(figures)) if figures else None

    def ratio(self, server: str, work: str) -> float | None:
        """How many times our figure another server's is."""
        other, ours = self.median(server, work), self.median(OURS.name, work)
        return other / ours if other is not None and ours else None

    def against(self, target: Target) -> float | None:
        """Our figure as the target measures it."""
        ours = self.median(target.ours, target.work)
        if target.against is None or ours is None:
            return ours
        other = self.median(target.against, target.work)
        return ours / other if other else None

    @property
    def failed(self) -> list[tuple[str, str]]:
        """The servers and works that failed at least once."""
        return [key for key in self.outcomes if self.failures(*key)]

    @property
    def complete(self) -> bool:
        """Whether this may become the page: nothing left out, and ours measured in every round."""
        if self.servers != (*SERVERS, *OVER_TLS) or self.works != ALL_WORKS:
            return False
        ours = [(OURS.name, work.name) for work in WORKS]
        return all(self.figures(*key) and not self.failures(*key) for key in ours)
