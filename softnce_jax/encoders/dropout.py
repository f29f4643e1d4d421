"""Dropout whose bits belong to the token: which text of the batch, which place in it, which layer.

So they do not depend on where the token stands: packed or padded, on one device or many, in one
pass or slice by slice, a batch drops the same numbers. A key and a number are hashed (threefry) to
64 bits, four draws of 16, which costs less than drawing one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Int, Key, UInt16

Kind = Literal["shared", "elementwise", "off"]
GENERATOR = "threefry2x32"  # whose hash of a key and a number is 64 good bits
STEPS = 2**16  # a number is kept where its 16 bits are below (1 - rate) · 2^16


class Dropout(NamedTuple):
    """The source of one pass's bits. A site is one use of it in the network.

    Attributes:
      key: of the pass.
      token_RL: a key for each token, of its text and place.
      place_RL: places of the tokens in their texts; (1, L) where they are those of the row.
    """

    key: Key[Array, ""]
    token_RL: Key[Array, "R L"]
    place_RL: Int[Array, "_ L"]

    @classmethod
    def of(
        cls, key: Key[Array, ""], text_RL: Int[Array, "R _"], place_RL: Int[Array, "_ L"]
    ) -> Dropout:
        """That of rows of tokens.

        Args:
          key: of the pass, of any generator.
          text_RL: the number of each token's text in the batch; (R, 1) for rows of one text.
          place_RL: its place in the text; (1, L) for rows of one text.

        Example:
          Text 9 draws the same in a row of its own and before another text.

          >>> key, x = jax.random.key(0), jnp.ones((2, 4, 64))
          >>> alone = Dropout.of(key, jnp.array([[7], [9]]), jnp.arange(4)[None]).hidden(x, 0.5, 0)
          >>> packed = Dropout.of(key, jnp.array([[9, 9, 7, 7]]), jnp.array([[0, 1, 0, 1]]))
          >>> bool(jnp.all(packed.hidden(x[:1], 0.5, 0)[0, :2] == alone[1, :2]))
          True
        """
        if jax.random.key_impl(key) != GENERATOR:
            key = jax.random.wrap_key_data(jax.random.bits(key, 2, jnp.uint32), impl=GENERATOR)
        return cls(key, fold(fold(key, text_RL), place_RL), place_RL)

    def hidden(self, x_RLD: Float[Array, "R L D"], rate: float, site: int) -> Float[Array, "R L D"]:
        """The states with a share `rate` of the numbers dropped, each drawn for itself."""
        if rate == 0:
            return x_RLD
        return dropped(x_RLD, bits(fold(self.token_RL, site), x_RLD.shape[-1]), rate)

    def attention(
        self, weights_RHLL: Float[Array, "R H L L"], rate: float, site: int, kind: Kind
    ) -> Float[Array, "R H L L"]:
        """Attention weights of each head, from each place to each, a share `rate` dropped.

        Args:
          weights_RHLL: weights.
          rate: the share dropped.
          site: of this use.
          kind: "shared": one draw for a pair of places, for all texts and heads, as in
            transformers' Flax models; "elementwise": one for each weight, as in PyTorch; "off".

        Returns:
          Weights (R, H, L, L), those kept scaled up.
        """
        if rate == 0 or kind == "off":
            return weights_RHLL
        if kind == "shared":
            drawn = self._of_places(site)[:, None]
        else:
            drawn = self._of_tokens(site, weights_RHLL.shape[1])
        return dropped(weights_RHLL, drawn, rate)

    def _of_places(self, site: int) -> UInt16[Array, "_ L L"]:
        length = self.place_RL.shape[1]
        of_place_L = fold(fold(self.key, site), jnp.arange(length))
        return bits(of_place_L, length)[self.place_RL[:, :, None], self.place_RL[:, None]]

    def _of_tokens(self, site: int, heads: int) -> UInt16[Array, "R H L L"]:
        # Between tokens of two texts, too, where the mask leaves no weight to drop.
        pair_RLL = fold(fold(self.token_RL, site)[:, :, None], self.place_RL[:, None])
        return jnp.moveaxis(bits(pair_RLL, heads), -1, 1)


def fold(keys: Key[Array, "*S"], numbers: Int[Array, "*N"] | int) -> Key[Array, "*B"]:
    """`jax.random.fold_in` of keys and numbers whose shapes broadcast."""
    numbers = jnp.asarray(numbers).astype(jnp.uint32)
    shape = jnp.broadcast_shapes(keys.shape, numbers.shape)
    fold_all = jnp.vectorize(jax.random.fold_in)
    return fold_all(jnp.broadcast_to(keys, shape), jnp.broadcast_to(numbers, shape))


def bits(keys: Key[Array, "*S"], count: int) -> UInt16[Array, "*S C"]:
    """`count` draws of 16 bits for each key; the first are the same whatever the count."""
    blocks = jnp.arange(-(-count // 4))
    hashed = jax.random.key_data(fold(keys[..., None], blocks))
    drawn = jax.lax.bitcast_convert_type(hashed, jnp.uint16)
    return drawn.reshape(*keys.shape, -1)[..., :count]


def dropped(x: Float[Array, "*S"], drawn: UInt16[Array, "*B"], rate: float) -> Float[Array, "*S"]:
    """Numbers whose draw is high are 0, the others scaled so that the mean stays."""
    kept = round((1 - rate) * STEPS)
    return jnp.where(drawn < kept, x * (STEPS / kept), 0)
