"""What helps, in PyTorch's words."""

from kilter.interop.advice import Terms

TERMS = Terms(
    told=lambda remedy: remedy.torch,
    families={
        "output": "end in the nn.Linear alone, with nn.CrossEntropyLoss() for classes or nn.MSELoss() for numbers",
        "inputs": "x = (x - x_train.mean(0)) / x_train.std(0)",
        "targets": "y = (y - y_train.mean()) / y_train.std(), undone on predictions",
        "learning_rate": "a positive lr: a tenth where the loss jumps, ten times as large where it hardly moves",
        "optimizer": "torch.optim.Adam(module.parameters())",
        "initializer": "nn.init.kaiming_normal_(layer.weight); nn.init.zeros_(layer.bias)",
        "activation": "nn.ReLU() or nn.LeakyReLU() between hidden layers",
        "missing_activation": "nn.ReLU() between the two layers",
        "batch_norm": "nn.BatchNorm1d or nn.BatchNorm2d behind every hidden layer",
        "layer_norm": "nn.LayerNorm in place of the batch norm",
        "residual": "x + block(x) around every two layers",
        "clip": "torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0) in front of optimizer.step()",
        "schedule": "torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)",
        "loss": "nn.HuberLoss() for numbers, nn.CrossEntropyLoss(label_smoothing=0.1) for classes",
        "class_weights": "nn.CrossEntropyLoss(weight=1 / counts)",
        "dropout": "nn.Dropout with a rate of 0.2",
        "decay": "weight_decay=0 where training rows are not learned, AdamW with 1e-2 where they are learned by heart",
        "stopping": "stop when the loss on validation rows has not fallen for ten epochs",
        "width": "layers twice as wide, or half as wide where training rows are learned by heart",
        "depth": "fewer layers",
        "batch_size": "DataLoader(..., batch_size=32)",
        "epochs": "twice as many epochs",
        "shuffle": "DataLoader(..., shuffle=True)",
    },
    places={
        "optimizer.lr": 'optimizer.param_groups[0]["lr"]',
        "penalty": "weight_decay",
        "penalty.on": "weight_decay",
        "batch_size": "loader.batch_size",
        "shuffle": "loader",
    },
)
