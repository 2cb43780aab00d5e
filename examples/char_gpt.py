"""A small transformer that writes text, letter by letter, like Python's own documentation.

    python examples/char_gpt.py              with PyTorch
    python -m minigrad examples/char_gpt.py  with minigrad: the same numbers

The text is that of the module pydoc_data.topics, which comes with Python.
"""

import argparse
import math
from pydoc_data.topics import topics

import torch
import torch.nn as nn
import torch.nn.functional as F
from report import Report


class Block(nn.Module):
    """Causal attention and a wider layer, each beside the stream."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x):
        b, t, c = x.shape
        parts = self.qkv(self.ln_1(x)).split(c, dim=2)
        q, k, v = (p.view(b, t, self.heads, c // self.heads).transpose(1, 2) for p in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).contiguous().view(b, t, c))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """Embeddings, blocks and a head that shares the embedding's weight."""

    def __init__(self, vocabulary, context, width=64, layers=2, heads=4):
        super().__init__()
        self.context = context
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.tokens.weight
        self.apply(self._init)
        for name, p in self.named_parameters():
            if name.endswith("proj.weight"):
                nn.init.normal_(p, mean=0.0, std=0.02 / math.sqrt(2 * layers))

    @staticmethod
    def _init(module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, index, targets=None):
        x = self.tokens(index) + self.places(torch.arange(index.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.norm(x))
        if targets is None:
            return logits
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))

    @torch.no_grad()
    def write(self, index, length):
        for _ in range(length):
            logits = self(index[:, -self.context :])[:, -1]
            index = torch.cat([index, torch.multinomial(F.softmax(logits, dim=-1), 1)], dim=1)
        return index


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--context", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1337)
    parser.add_argument("--out", default="examples/output")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    text = "\n".join(topics[name] for name in sorted(topics))[:200_000]
    letters = sorted(set(text))
    number = {c: i for i, c in enumerate(letters)}
    data = torch.tensor([number[c] for c in text])

    def batch():
        starts = torch.randint(len(data) - args.context - 1, (args.batch_size,)).tolist()
        x = torch.stack([data[i : i + args.context] for i in starts])
        y = torch.stack([data[i + 1 : i + 1 + args.context] for i in starts])
        return x, y

    model = GPT(len(letters), args.context)
    decay = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=args.lr, betas=(0.9, 0.95))
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(letters)} letters")

    report = Report("char_gpt", args.out)
    every = max(args.steps // 10, 1)
    recent = []
    for step in range(1, args.steps + 1):
        loss = model(*batch())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        recent.append(loss.item())
        if step % every == 0 or step == 1:
            report.add(step=step, loss=sum(recent) / len(recent), norm=norm.item())
            recent = []
    written = model.write(torch.zeros(1, 1, dtype=torch.long), 200)[0].tolist()
    print("".join(letters[i] for i in written))
    report.save("char_gpt")


if __name__ == "__main__":
    main()
