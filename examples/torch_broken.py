"""A PyTorch training that goes nowhere, and two lines that say why: those with `kilter` in them."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import kilter.interop.torch

DEPTH, WIDTH, EPOCHS = 6, 64, 15


def network(activation=nn.Sigmoid):
    layers = [nn.Linear(64, WIDTH), activation()]
    for _ in range(DEPTH - 1):
        layers += [nn.Linear(WIDTH, WIDTH), activation()]
    return nn.Sequential(*layers, nn.Linear(WIDTH, 10))


def train(module):
    pixels, digits = load_digits(return_X_y=True)
    rows = TensorDataset(torch.tensor(pixels / 16, dtype=torch.float32), torch.tensor(digits))
    training, test = torch.utils.data.random_split(rows, [1500, 297], torch.Generator().manual_seed(0))
    loader = DataLoader(training, batch_size=32, shuffle=True)
    optimizer, criterion = torch.optim.Adam(module.parameters(), 1e-3), nn.CrossEntropyLoss()
    watch = kilter.interop.torch.watch(module, optimizer, criterion)
    for _ in range(EPOCHS):
        for x, y in loader:
            optimizer.zero_grad()
            criterion(module(x), y).backward()
            optimizer.step()
    print(watch.checkup())
    x, y = test[:]
    module.eval()
    return (module(x).argmax(1) == y).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(0)
    print(f"right: {train(network()):.0%}")
