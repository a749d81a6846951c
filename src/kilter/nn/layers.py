"""The family of layers that have no family of their own: weights, windows, shapes, embeddings, attention."""

from kilter.nn.attention import MultiHeadAttention
from kilter.nn.columns import Concatenate, Select
from kilter.nn.compose import Chain, Residual
from kilter.nn.conv import Conv
from kilter.nn.conv_transpose import ConvTranspose
from kilter.nn.dense import Dense
from kilter.nn.depthwise import DepthwiseConv
from kilter.nn.embedding import Embedding, OneHot
from kilter.nn.global_pool import GlobalAvgPool, GlobalMaxPool
from kilter.nn.layer import Layer
from kilter.nn.maxout import Maxout
from kilter.nn.periodic import PeriodicEmbedding
from kilter.nn.piecewise import PiecewiseLinearEmbedding
from kilter.nn.pool import AvgPool, MaxPool
from kilter.nn.positions import PositionEmbedding, PositionEncoding
from kilter.nn.reshape import Flatten
from kilter.nn.scale import Scale
from kilter.nn.transformer import TransformerBlock

ALL: tuple[type[Layer], ...] = (
    *(Dense, Maxout, Scale),
    *(Conv, ConvTranspose, DepthwiseConv),
    *(MaxPool, AvgPool, GlobalMaxPool, GlobalAvgPool, Flatten),
    *(Chain, Residual, Select, Concatenate),
    *(OneHot, Embedding, PeriodicEmbedding, PiecewiseLinearEmbedding),
    *(MultiHeadAttention, TransformerBlock, PositionEmbedding, PositionEncoding),
)
