"""An LSTM that forecasts a chaotic series (Mackey and Glass 1977), which is computed here.

python examples/lstm_forecast.py              with PyTorch
python -m minigrad examples/lstm_forecast.py  with minigrad: the same numbers
"""

import argparse

import torch
from report import Report
from torch import nn


def mackey_glass(n, delay=17):
    """n values of x' = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x, one a unit of time."""
    values = [1.2] * (delay + 1)
    for _ in range(n + 200):
        late = values[-1 - delay]
        values.append(values[-1] + 0.2 * late / (1 + late**10) - 0.1 * values[-1])
    return torch.tensor(values[-n:])


class Forecaster(nn.Module):
    """Two LSTM layers and a linear one that gives the next value at each step."""

    def __init__(self, hidden=32):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, num_layers=2, batch_first=True)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, x, state=None):
        y, state = self.lstm(x, state)
        return x + self.linear(y), state

    @torch.no_grad()
    def continue_(self, past, n):
        """n values after `past` (B, T, 1), each made from the one before."""
        y, state = self(past)
        made = [y[:, -1:]]
        while len(made) < n:
            y, state = self(made[-1], state)
            made.append(y)
        return torch.cat(made, dim=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, help="at most so many batches an epoch")
    parser.add_argument("--length", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="examples/output")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    series = mackey_glass(1500)
    series = (series - series.mean()) / series.std()
    training, testing = series[:1200], series[1200:]
    windows = training.unfold(0, args.length + 1, 3)

    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.5)
    criterion = nn.MSELoss()
    past, future = testing[None, :200, None], testing[200:300]

    report = Report("forecast", args.out)
    for epoch in range(1, args.epochs + 1):
        order = torch.randperm(len(windows))
        losses = []
        for rows in order.split(args.batch_size)[: args.steps]:
            batch = windows[rows].unsqueeze(-1)
            guess, _ = model(batch[:, :-1])
            loss = criterion(guess, batch[:, 1:])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
        schedule.step()
        forecast = model.continue_(past, len(future))[0, :, 0]
        error = (forecast - future)[:30].pow(2).mean().sqrt()
        report.add(epoch=epoch, loss=sum(losses) / len(losses), forecast=error.item())

    def picture(axis):
        axis.plot(future.numpy(), label="series")
        axis.plot(forecast.numpy(), label="forecast")
        axis.legend()

    report.save("lstm_forecast", picture)


if __name__ == "__main__":
    main()
