"""What one run has been told, episode by episode: what prompts are made of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Told:
    """An episode as far as it has been told: one observation more than subgoals, and K parts in each subgoal."""

    instruction: str
    observations: tuple[str, ...]
    subgoals: tuple[tuple[str, ...], ...] = ()
    rewards: tuple[float, ...] = ()

    def after(self, subgoal: tuple[str, ...], observation: str, reward: float) -> "Told":
        """The same episode, one step later."""
        observations = (*self.observations, observation)
        return Told(self.instruction, observations, (*self.subgoals, subgoal), (*self.rewards, reward))
