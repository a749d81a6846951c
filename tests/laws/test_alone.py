"""What LAPACK does for members of a fleet on several devices at once must come to an end."""

import subprocess
import sys

SCRIPT = """
import jax
import kilter as kl
from kilter import losses, nn, optim

net = nn.Chain(nn.LSTM(24), nn.Dense(24, initializer=nn.initializers.Orthogonal()), nn.Dense(3))
x = jax.numpy.zeros((40, 5, 3)) + jax.numpy.arange(40.0)[:, None, None]
data = kl.data.from_arrays(x, jax.numpy.arange(40) % 3, validation=0.2)
recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.SGD(0.1), epochs=0)
for round in range(30):
    kl.train_fleet([recipe], data, seeds=range(16 * round, 16 * (round + 1)), progress=False)
newton = kl.Recipe(nn.Dense(3), losses.SoftmaxCrossEntropy(), optimizer=optim.GaussNewton(), epochs=4, batch_size=40)
for round in range(10):
    kl.train_fleet([newton], kl.data.iris(), seeds=range(16), progress=False)

"""


def test_batches_of_matrices_do_not_wait_for_each_other_for_ever():
    subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT], check=True, timeout=300)
