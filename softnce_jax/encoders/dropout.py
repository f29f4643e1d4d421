"""Dropout whose bits belong to the token: its text in the batch, its position there, its layer.

They do not depend on the token's row: packed or padded, on one device or many, in one pass or slice
by slice, a batch drops the same numbers. A key and a number are hashed (threefry) to 64 bits, which
are four draws of 16 bits: cheaper than drawing one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Int, Key, UInt16

__all__ = ["GENERATOR", "Dropout", "Kind"]

Kind = Literal["shared", "elementwise", "off"]
GENERATOR = "threefry2x32"  # its hash of a key and a number is 64 good bits
STEPS = 2**16  # a number is kept if its 16 bits are below (1 - rate) · 2^16


class Dropout(NamedTuple):
    """The source of one pass's bits. A site is one use of dropout in the network.

    Attributes:
      key: of the pass.
      token_RL: a key for each token, from its text and position.
      position_RL: positions of the tokens in their texts; (1, L) if they are those in the row.
    """

    key: Key[Array, ""]
    token_RL: Key[Array, "R L"]
    position_RL: Int[Array, "_ L"]

    @classmethod
    def of(
        cls, key: Key[Array, ""], text_RL: Int[Array, "R _"], position_RL: Int[Array, "_ L"]
    ) -> Dropout:
        """The dropout of rows of tokens.

        Args:
          key: of the pass, of any generator.
          text_RL: the number of each token's text in the batch; (R, 1) for rows of one text.
          position_RL: its position in that text; (1, L) for rows of one text.

        Example:
          Text 9 draws the same alone in a row and before another text.

          >>> @jax.jit
          ... def ones(text, position):
          ...     x = jnp.ones((len(text), 4, 64))
          ...     return Dropout.of(jax.random.key(0), text, position).hidden(x, 0.5, 0)
          >>> alone = ones(jnp.array([[7], [9]]), jnp.array([[0, 1, 2, 3]]))
          >>> packed = ones(jnp.array([[9, 9, 7, 7]]), jnp.array([[0, 1, 0, 1]]))
          >>> bool(jnp.all(packed[0, :2] == alone[1, :2]))
          True
        """
        if jax.random.key_impl(key) != GENERATOR:
            # Other generators' keys are no hashes: one draw makes a threefry key of them.
            key = jax.random.wrap_key_data(jax.random.bits(key, 2, jnp.uint32), impl=GENERATOR)
        return cls(key, _fold(_fold(key, text_RL), position_RL), position_RL)

    def hidden(self, x_RLD: Float[Array, "R L D"], rate: float, site: int) -> Float[Array, "R L D"]:
        """The states with a share `rate` of their numbers dropped, each drawn independently."""
        if rate == 0:
            return x_RLD
        return _dropped(x_RLD, _bits(_fold(self.token_RL, site), x_RLD.shape[-1]), rate)

    def attention(
        self, weights_RHLL: Float[Array, "R H L L"], rate: float, site: int, kind: Kind
    ) -> Float[Array, "R H L L"]:
        """Attention weights, of each head from each position to each, a share `rate` dropped.

        Args:
          weights_RHLL: weights.
          rate: the share to drop.
          site: of this use.
          kind: "shared": one draw for a pair of positions, for all texts and heads, as in
            transformers' Flax models; "elementwise": one for each weight, as in PyTorch; "off".

        Returns:
          Weights (R, H, L, L); what is not dropped is scaled up.
        """
        if rate == 0 or kind == "off":
            return weights_RHLL
        if kind == "shared":
            drawn = self._of_positions(site)[:, None]
        else:
            drawn = self._of_tokens(site, weights_RHLL.shape[1])
        return _dropped(weights_RHLL, drawn, rate)

    def _of_positions(self, site: int) -> UInt16[Array, "_ L L"]:
        """One draw for each pair of positions in a text, looked up for the pairs of each row."""
        length = self.position_RL.shape[1]
        of_position_L = _fold(_fold(self.key, site), jnp.arange(length))
        return _bits(of_position_L, length)[self.position_RL[:, :, None], self.position_RL[:, None]]

    def _of_tokens(self, site: int, heads: int) -> UInt16[Array, "R H L L"]:
        """One draw for each pair of tokens and each head.

        Tokens of different texts have one too, though the mask leaves no weight to drop there.
        """
        pair_RLL = _fold(_fold(self.token_RL, site)[:, :, None], self.position_RL[:, None])
        return jnp.moveaxis(_bits(pair_RLL, heads), -1, 1)


def _fold(keys: Key[Array, "*S"], numbers: Int[Array, "*N"] | int) -> Key[Array, "*B"]:
    """`jax.random.fold_in` of keys and numbers whose shapes broadcast."""
    numbers = jnp.asarray(numbers).astype(jnp.uint32)
    shape = jnp.broadcast_shapes(keys.shape, numbers.shape)
    fold_all = jnp.vectorize(jax.random.fold_in)
    return fold_all(jnp.broadcast_to(keys, shape), jnp.broadcast_to(numbers, shape))


def _bits(keys: Key[Array, "*S"], count: int) -> UInt16[Array, "*S C"]:
    """`count` draws of 16 bits for each key; a larger count begins with the same ones."""
    blocks = jnp.arange(-(-count // 4))
    hashed = jax.random.key_data(_fold(keys[..., None], blocks))
    drawn = jax.lax.bitcast_convert_type(hashed, jnp.uint16)
    return drawn.reshape(*keys.shape, -1)[..., :count]


def _dropped(x: Float[Array, "*S"], drawn: UInt16[Array, "*B"], rate: float) -> Float[Array, "*S"]:
    """Sets the numbers whose draw is high to 0 and scales the others so that the mean stays."""
    kept = round((1 - rate) * STEPS)
    return jnp.where(drawn < kept, x * (STEPS / kept), 0)
