"""Settings that Dreamer and DreamerV2 share."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from imaginax.errors import ConfigError
from imaginax.learning.config import ActorCriticConfig, AdamConfig
from imaginax.models.latent.config import LatentModelConfig, ObjectiveConfig
from imaginax.policies.config import ActorConfig


@dataclasses.dataclass(frozen=True)
class ImaginationConfig:
    """An actor and a critic that learn in the imagination of a latent model.

    Attributes:
        env: name of the environment (`imaginax list`).
        action_repeat: steps of the environment for which every action is held.
        episode_steps: steps of the environment after which an episode is truncated; 0 takes its own limit.
        image: height and width of what is seen; 0 takes the environment's own observation.
        environments: environments that are acted in side by side.
        prefill_steps: random decisions in each environment before the first update.
        chunks: rounds of updates and decisions after that.
        chunk_steps: decisions in each environment in a round; the step that begins an episode counts as one.
        updates: updates of model, actor and critic at the start of a round.
        batch_size: sequences an update learns from.
        sequence: steps of each sequence.
        memory: steps of each environment that replay has room for; 0 keeps all.
        prioritize_ends: whether sequences that end with an episode are drawn more often.
        exploration: standard deviation of the noise on continuous actions, in half the action range;
            probability of a random action where actions are discrete.
        rewards: what the model learns of rewards: themselves, or their hyperbolic tangent.
        eval_episodes: episodes of the final evaluation.
        model: latent dynamics and what surrounds them.
        objective: what the model learns from.
        actor: the network that acts.
        critic_hidden: units of each hidden layer of the critic.
        behaviour: how actor and critic learn.
        model_optimiser: optimiser of the model.
        actor_optimiser: optimiser of the actor.
        critic_optimiser: optimiser of the critic.
    """

    lengths: ClassVar[tuple[str, ...]] = ("chunks",)

    env: str = "control_cartpole_swingup"
    action_repeat: int = 2
    episode_steps: int = 0
    image: int = 64
    environments: int = 1
    prefill_steps: int = 2505
    chunks: int = 1000
    chunk_steps: int = 501
    updates: int = 100
    batch_size: int = 50
    sequence: int = 50
    memory: int = 0
    prioritize_ends: bool = False
    exploration: float = 0.3
    rewards: Literal["plain", "tanh"] = "plain"
    eval_episodes: int = 1
    model: LatentModelConfig = LatentModelConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    actor: ActorConfig = ActorConfig()
    critic_hidden: tuple[int, ...] = (400, 400, 400)
    behaviour: ActorCriticConfig = ActorCriticConfig()
    model_optimiser: AdamConfig = AdamConfig(6e-4, 1e-7)
    actor_optimiser: AdamConfig = AdamConfig(8e-5, 1e-7)
    critic_optimiser: AdamConfig = AdamConfig(8e-5, 1e-7)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            smallest = 0 if field.name in ("image", "memory", "episode_steps") else 1
            if type(value) is int and not smallest <= value < 2**31:
                raise ConfigError(f"{field.name} must be at least {smallest} and below 2^31, got {value}")
        if not 0.0 <= self.exploration <= 1e3:
            raise ConfigError(f"exploration must lie in [0, 1000], got {self.exploration}")
        if not self.critic_hidden or not all(1 <= units <= 1_000_000 for units in self.critic_hidden):
            raise ConfigError(
                f"critic_hidden must be numbers of units in [1, 1000000], got {self.critic_hidden}"
            )
        if not self.objective.reward:
            raise ConfigError("objective.reward must be above 0: actors learn from predicted rewards")
        ends = self.model.continuation and self.objective.continuation > 0
        if self.objective.observation == "none" and not self.objective.reward_gradient and not ends:
            raise ConfigError(
                "objective.observation none without objective.reward_gradient leaves beliefs nothing to learn"
                " from"
            )
        kept = min(self.prefill_steps, self.memory or self.prefill_steps)
        if self.sequence > kept:
            raise ConfigError(
                f"sequence ({self.sequence}) must not be longer than what replay holds at the first update,"
                f" {kept} steps of each environment: see prefill_steps and memory"
            )
