"""Seconds that Dreamer's update takes in PyTorch, written the way its users write it: eager, modules, Adam.

Answers each line of its input, a JSON object {"what": "update", "batch", "sequence", "threads"}, with a line
{"seconds"} on its output, on a GPU if PyTorch has one. The sizes are the published ones: images of 64 x 64,
deterministic state 200, stochastic 30, 15 imagined steps. Images are encoded and decoded all at once. Install
with `pip install torch numpy`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
    from torch.distributions import Independent, Normal, TransformedDistribution, kl_divergence
    from torch.distributions.transforms import TanhTransform
except ImportError as error:
    sys.exit(f"{error}. This measurement needs torch and numpy.")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
DETERMINISTIC, STOCHASTIC, HIDDEN, ACTIONS, HORIZON = 200, 30, 200, 1, 15
FEATURES = DETERMINISTIC + STOCHASTIC


def mlp(inputs: int, layers: int, outputs: int) -> nn.Sequential:
    """Layers of 400 units with ELU."""
    made: list[nn.Module] = []
    for _ in range(layers):
        made += [nn.Linear(inputs, 400), nn.ELU()]
        inputs = 400
    return nn.Sequential(*made, nn.Linear(inputs, outputs))


class WorldModel(nn.Module):
    """Encoder, recurrent state-space model, decoder and reward."""

    def __init__(self):
        super().__init__()
        widths = (3, 32, 64, 128, 256)
        layers = [(nn.Conv2d(a, b, 4, 2), nn.ReLU()) for a, b in zip(widths, widths[1:], strict=False)]
        self.encoder = nn.Sequential(*(part for pair in layers for part in pair), nn.Flatten())
        self.from_features = nn.Linear(FEATURES, 1024)
        self.decoder = nn.Sequential(
            *(nn.ConvTranspose2d(1024, 128, 5, 2), nn.ReLU(), nn.ConvTranspose2d(128, 64, 5, 2), nn.ReLU()),
            *(nn.ConvTranspose2d(64, 32, 6, 2), nn.ReLU(), nn.ConvTranspose2d(32, 3, 6, 2)),
        )
        self.reward = mlp(FEATURES, 2, 1)
        self.before = nn.Linear(STOCHASTIC + ACTIONS, HIDDEN)
        self.cell = nn.GRUCell(HIDDEN, DETERMINISTIC)
        self.prior_hidden, self.prior = nn.Linear(DETERMINISTIC, HIDDEN), nn.Linear(HIDDEN, 2 * STOCHASTIC)
        self.posterior_hidden = nn.Linear(DETERMINISTIC + 1024, HIDDEN)
        self.posterior = nn.Linear(HIDDEN, 2 * STOCHASTIC)

    def predict(self, h, s, action):
        """The next deterministic state and the prior."""
        h = self.cell(F.elu(self.before(torch.cat([s, action], -1))), h)
        return h, _normal(self.prior(F.elu(self.prior_hidden(h))))

    def loss(self, images, actions, rewards):
        """The negative bound, and the inferred states [T B F]."""
        steps, batch = images.shape[:2]
        embedded = self.encoder(images.flatten(0, 1)).unflatten(0, (steps, batch))
        h, s = (torch.zeros(batch, width, device=DEVICE) for width in (DETERMINISTIC, STOCHASTIC))
        states, priors, posteriors = [], [], []
        for t in range(steps):
            h, prior = self.predict(h, s, actions[t])
            posterior = _normal(self.posterior(F.elu(self.posterior_hidden(torch.cat([h, embedded[t]], -1)))))
            s = posterior.rsample()
            states.append(torch.cat([s, h], -1))
            priors.append(torch.stack([prior.mean, prior.stddev]))
            posteriors.append(torch.stack([posterior.mean, posterior.stddev]))
        features = torch.stack(states)
        divergence = kl_divergence(_stacked(posteriors), _stacked(priors)).sum(-1).mean()
        decoded = self.decoder(self.from_features(features).flatten(0, 1)[..., None, None])
        image = 0.5 * ((decoded - images.flatten(0, 1)) ** 2).sum((1, 2, 3)).mean()
        reward = 0.5 * ((self.reward(features)[..., 0] - rewards) ** 2).mean()
        return image + reward + torch.clamp(divergence, min=3.0), features


def _normal(outputs):
    mean, std = outputs.chunk(2, -1)
    return Normal(mean, F.softplus(std) + 0.1)


def _stacked(parts):
    mean, std = torch.stack(parts, 1)
    return Normal(mean, std)


class Dreamer:
    """The three networks with their optimisers."""

    def __init__(self):
        self.model, self.actor = WorldModel().to(DEVICE), mlp(FEATURES, 4, 2 * ACTIONS).to(DEVICE)
        self.value = mlp(FEATURES, 3, 1).to(DEVICE)
        parts = ((self.model, 6e-4), (self.actor, 8e-5), (self.value, 8e-5))
        self.optimisers = [torch.optim.Adam(part.parameters(), lr, eps=1e-7) for part, lr in parts]

    def policy(self, features):
        """The tanh-normal distribution of actions."""
        mean, std = self.actor(features).chunk(2, -1)
        normal = Normal(5 * torch.tanh(mean / 5), F.softplus(std + 5.0) + 1e-4)
        return Independent(TransformedDistribution(normal, TanhTransform(cache_size=1)), 1)

    def update(self, images, actions, rewards) -> None:
        """One step of model, actor and value."""
        loss, features = self.model.loss(images, actions, rewards)
        self._step(0, self.model, loss)
        actor_loss, imagined, returns, weights = self._imagine(features.detach().flatten(0, 1))
        self._step(1, self.actor, actor_loss)
        errors = (self.value(imagined)[..., 0] - returns) ** 2
        self._step(2, self.value, 0.5 * (weights * errors).mean())

    def _imagine(self, features):
        for part in (self.model, self.value):
            part.requires_grad_(False)
        s, h = features.split((STOCHASTIC, DETERMINISTIC), -1)
        states = [features]
        for _ in range(HORIZON):
            action = self.policy(states[-1].detach()).rsample()
            h, prior = self.model.predict(h, s, action)
            s = prior.rsample()
            states.append(torch.cat([s, h], -1))
        seen = torch.stack(states)
        rewards, values = self.model.reward(seen)[..., 0], self.value(seen)[..., 0]
        following, returns = values[-1], []
        for t in reversed(range(HORIZON)):
            following = rewards[t] + 0.99 * (0.05 * values[t + 1] + 0.95 * following)
            returns.append(following)
        returns = torch.stack(returns[::-1])
        weights = 0.99 ** torch.arange(HORIZON, device=DEVICE)[:, None]
        for part in (self.model, self.value):
            part.requires_grad_(True)
        return -(weights[:-1] * returns[1:]).mean(), seen[:-1].detach(), returns.detach(), weights

    def _step(self, index: int, part: nn.Module, loss) -> None:
        optimiser = self.optimisers[index]
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(part.parameters(), 100.0)
        optimiser.step()


def update(batch: int, sequence: int) -> Callable[[], None]:
    """An update from random data."""
    agent = Dreamer()
    images = torch.rand(sequence, batch, 3, 64, 64, device=DEVICE) - 0.5
    actions = torch.rand(sequence, batch, ACTIONS, device=DEVICE) * 2 - 1
    rewards = torch.rand(sequence, batch, device=DEVICE)
    return lambda: agent.update(images, actions, rewards)


def finished(call: Callable[[], None]) -> None:
    """Calls, and waits for a GPU."""
    call()
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    """Makes what is asked for once, and times one call of it for each further equal line."""
    made: dict[str, Callable[[], None]] = {}
    for line in sys.stdin:
        request = json.loads(line)
        torch.set_num_threads(request["threads"])
        if line not in made:
            made[line] = update(request["batch"], request["sequence"])
            finished(made[line])
        start = time.perf_counter()
        finished(made[line])
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    main()
