"""Monte Carlo tree search again, in plain Python on objects: what tests compare the compiled one with."""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass
class Node:
    place: int
    value: float  # the mean of all that was backed up, and the node's own
    raw: float
    prior: np.ndarray
    legal: np.ndarray
    visits: int = 1
    edges: dict = dataclasses.field(default_factory=dict)  # action -> [child, reward, discount]

    def count(self, action):
        return self.edges[action][0].visits if action in self.edges else 0

    def counts(self):
        return np.array([self.count(action) for action in range(len(self.prior))])

    def q(self, action):
        child, reward, discount = self.edges[action]
        return reward + discount * child.value


class Reference:
    """One search from one position of a `worlds.GameTree`."""

    def __init__(self, config, game, place, gumbel=None):
        self.config, self.game = config, game
        self.root = self._node(place)
        self.gumbel = np.zeros(len(self.root.prior)) if gumbel is None else gumbel
        for simulation in range(config.simulations):
            self._simulate(simulation)

    def _node(self, place):
        logits = np.asarray(self.game.logits[place], np.float64)
        legal = np.asarray(self.game.legal(place))
        weights = np.where(legal, np.exp(np.where(legal, logits, 0)), 0)
        value = float(self.game.value[place])
        return Node(int(place), value, value, weights / weights.sum(), legal)

    def _simulate(self, simulation):
        self.range = self._range()
        node, path = self.root, []
        while True:
            at_root = not path
            action = (
                self._puct(node) if self.config.policy == "puct" else self._gumbel(node, at_root, simulation)
            )
            path.append((node, action))
            deepest = len(path) == self.config.max_depth
            if action not in node.edges:
                place, reward, discount = self.game.step(node.place, action)
                node.edges[action] = [self._node(place), float(reward), float(discount)]
                break
            node = node.edges[action][0]
            if deepest:
                node.visits += 1
                break
        leaf = path[-1][0].edges[path[-1][1]][0].value
        for node, action in reversed(path):
            _, reward, discount = node.edges[action]
            leaf = reward + discount * leaf
            node.value = (node.value * node.visits + leaf) / (node.visits + 1)
            node.visits += 1

    def _range(self):
        found, todo = [], [self.root]
        while todo:
            node = todo.pop()
            found += [node.q(action) for action in node.edges]
            todo += [edge[0] for edge in node.edges.values()]
        return (min(found), max(found)) if found else (0.0, 0.0)

    def _scale(self, q, *others):
        if self.config.values == "game":
            return (q + 1) / 2
        low, high = self.range if self.config.values == "tree" else (min(*q, *others), max(*q, *others))
        return (q - low) / (high - low) if high > low else np.zeros_like(q)

    def _puct(self, node):
        config, actions = self.config, range(len(node.prior))
        seen = np.array([action in node.edges for action in actions])
        q = np.array([node.q(action) if action in node.edges else node.value for action in actions])
        q = self._scale(q, node.value)
        if config.first_play != "parent":
            q = np.where(seen, q, {"draw": 0.5, "loss": 0.0}[config.first_play])
        c = config.c_puct or math.log((1 + node.visits + config.c_base) / config.c_base) + config.c_init
        score = q + c * node.prior * math.sqrt(node.visits) / (1 + node.counts())
        return int(np.argmax(np.where(node.legal, score, -np.inf)))

    def sigma(self, node):
        config, counts = self.config, node.counts()
        seen = np.array([action in node.edges for action in range(len(counts))])
        q = np.array([node.q(action) if action in node.edges else 0.0 for action in range(len(counts))])
        average = (node.prior * q)[seen].sum() / node.prior[seen].sum() if seen.any() else 0.0
        mixed = (node.raw + counts.sum() * average) / (1 + counts.sum())
        q = self._scale(np.where(seen, q, mixed))
        return (config.c_visit + counts.max()) * config.c_scale * q

    def improved(self, node):
        logits = np.where(node.legal, np.log(np.where(node.legal, node.prior, 1)), -np.inf) + self.sigma(node)
        weights = np.exp(logits - logits.max())
        return weights / weights.sum()

    def _gumbel(self, node, at_root, simulation):
        counts = node.counts()
        if not at_root:
            score = self.improved(node) - counts / (1 + counts.sum())
            return int(np.argmax(np.where(node.legal, score, -np.inf)))
        return self._best(node, counts == self._considered(simulation))

    def _best(self, node, candidates):
        score = np.log(np.where(node.legal, node.prior, 1)) + self.gumbel + self.sigma(node)
        return int(np.argmax(np.where(node.legal & candidates, score, -np.inf)))

    def _considered(self, simulation):
        """Visits of those that Sequential Halving turns to, written as its loop over rounds."""
        left = min(self.config.max_considered, int(self.root.legal.sum()))
        if left == 1:
            return simulation
        rounds, visited = math.ceil(math.log2(left)), 0
        while True:
            for _ in range(max(1, self.config.simulations // (rounds * left))):
                if simulation < left:
                    return visited
                simulation, visited = simulation - left, visited + 1
            left = max(2, left // 2)

    def action(self):
        counts = self.root.counts()
        if self.config.policy == "gumbel":
            return self._best(self.root, counts == counts.max())
        return int(np.argmax(counts + self.root.prior / 2))

    def policy(self):
        self.range = self._range()
        counts = self.root.counts()
        return self.improved(self.root) if self.config.policy == "gumbel" else counts / counts.sum()
