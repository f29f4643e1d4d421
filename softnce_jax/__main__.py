"""`python -m softnce_jax COMMAND`."""

from softnce_jax.cli import main

if __name__ == "__main__":
    main()
