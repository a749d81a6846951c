"""The family of recurrent layers."""

from kilter.nn.bidirectional import Bidirectional
from kilter.nn.cells import GRU, LSTM, MGU, SimpleRNN
from kilter.nn.layer import Layer

ALL: tuple[type[Layer], ...] = (SimpleRNN, LSTM, GRU, MGU, Bidirectional)
