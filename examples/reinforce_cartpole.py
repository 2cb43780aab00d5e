"""REINFORCE (Williams 1992) on a cart-pole that is written here: many of them at once.

python examples/reinforce_cartpole.py              with PyTorch
python -m minigrad examples/reinforce_cartpole.py  with minigrad: the same numbers
"""

import argparse
import math

import torch
import torch.nn as nn
from report import Report
from torch.distributions import Categorical


class CartPoles:
    """`n` carts with a pole each (Barto, Sutton and Anderson 1983); states (n, 4).

    The state is position, speed, angle and angular speed. A cart is done when it leaves the track
    or its pole falls; from then on it stays as it is, without reward.
    """

    gravity, cart, pole, half, force, tau = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02

    def __init__(self, n):
        self.state = torch.empty(n, 4).uniform_(-0.05, 0.05)
        self.alive = torch.ones(n, dtype=torch.bool)

    def step(self, action):
        """Pushes left (0) or right (1); the reward is 1 for each cart that was still upright."""
        x, v, angle, spin = self.state.unbind(1)
        push = torch.where(action == 1, self.force, -self.force)
        total, moment = self.cart + self.pole, self.pole * self.half
        sine, cosine = angle.sin(), angle.cos()
        inertia = (push + moment * spin**2 * sine) / total
        turn = (self.gravity * sine - cosine * inertia) / (
            self.half * (4.0 / 3.0 - self.pole * cosine**2 / total)
        )
        pull = inertia - moment * turn * cosine / total
        moved = [x + self.tau * v, v + self.tau * pull]
        moved += [angle + self.tau * spin, spin + self.tau * turn]
        state = torch.stack(moved, dim=1)
        reward = self.alive.float()
        self.state = torch.where(self.alive[:, None], state, self.state)
        inside = (self.state[:, 0].abs() < 2.4) & (self.state[:, 2].abs() < 12 * math.pi / 180)
        self.alive = self.alive & inside
        return self.state, reward


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60, help="updates of the policy")
    parser.add_argument("--carts", type=int, default=16)
    parser.add_argument("--longest", type=int, default=200)
    parser.add_argument("--gamma", type=float, default=0.99)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--out", default="examples/output")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(policy.parameters(), lr=args.lr)

    report = Report("cartpole", args.out)
    every = max(args.steps // 12, 1)
    for update in range(1, args.steps + 1):
        env = CartPoles(args.carts)
        state, log_probs, rewards, entropies = env.state, [], [], []
        for _ in range(args.longest):
            choice = Categorical(logits=policy(state))
            action = choice.sample()
            log_probs.append(choice.log_prob(action))
            entropies.append(choice.entropy())
            state, reward = env.step(action)
            rewards.append(reward)
            if not env.alive.any():
                break
        rewards = torch.stack(rewards)
        returns, later = torch.zeros_like(rewards), torch.zeros(args.carts)
        for t in reversed(range(len(rewards))):
            later = rewards[t] + args.gamma * later
            returns[t] = later
        played = rewards > 0
        advantage = (returns - returns[played].mean()) / (returns[played].std() + 1e-6)
        gain = torch.stack(log_probs) * advantage + 0.01 * torch.stack(entropies)
        loss = -gain[played].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if update % every == 0 or update == 1:
            report.add(update=update, loss=loss.item(), length=rewards.sum(0).mean().item())
    report.save("reinforce_cartpole")


if __name__ == "__main__":
    main()
