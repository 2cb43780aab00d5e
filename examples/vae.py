"""A variational autoencoder of handwritten digits (Kingma and Welling 2014).

python examples/vae.py              with PyTorch
python -m minigrad examples/vae.py  with minigrad: the same numbers
"""

import argparse

import torch
from report import Report, digits
from torch import nn
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence


class VAE(nn.Module):
    """Encodes a digit as a normal distribution, from a sample of which it is decoded."""

    def __init__(self, latent=8, hidden=128):
        super().__init__()
        self.latent = latent
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(784, hidden), nn.SiLU(), nn.Linear(hidden, 2 * latent)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden), nn.SiLU(), nn.Linear(hidden, 784),
            nn.Unflatten(1, (1, 28, 28)),
        )  # fmt: skip

    def encode(self, x):
        mean, raw = self.encoder(x).chunk(2, dim=-1)
        return Independent(Normal(mean, nn.functional.softplus(raw) + 1e-4), 1)

    def decode(self, z):
        return Independent(Bernoulli(logits=self.decoder(z)), 3)

    def prior(self, n):
        return Independent(Normal(torch.zeros(n, self.latent), torch.ones(n, self.latent)), 1)

    def forward(self, x):
        """Both parts of the negative evidence bound, in nats an image."""
        posterior = self.encode(x)
        z = posterior.rsample()
        reconstruction = -self.decode(z).log_prob(x).mean()
        return reconstruction, kl_divergence(posterior, self.prior(len(x))).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--steps", type=int, help="at most so many batches an epoch")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="examples/output")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    images = (torch.from_numpy(digits()[0]) > 0.5).float()
    loader = torch.utils.data.DataLoader(images, batch_size=args.batch_size, shuffle=True)
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)

    report = Report("vae", args.out)
    for epoch in range(1, args.epochs + 1):
        totals = []
        for step, x in enumerate(loader):
            if step == args.steps:
                break
            reconstruction, kl = model(x)
            loss = reconstruction + kl
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            totals.append((loss.item(), reconstruction.item(), kl.item()))
        loss, reconstruction, kl = (sum(column) / len(totals) for column in zip(*totals))
        report.add(epoch=epoch, loss=loss, recon=reconstruction, kl=kl)

    with torch.no_grad():
        drawn = model.decode(model.prior(16).sample()).mean
    sheet = drawn.view(4, 4, 28, 28).transpose(1, 2).reshape(112, 112)

    def picture(axis):
        axis.imshow(sheet.numpy(), cmap="gray_r")
        axis.set(title="drawn from the prior", xticks=[], yticks=[])

    report.save("vae", picture)


if __name__ == "__main__":
    main()
