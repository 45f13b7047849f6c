"""Random models of Pyro: every engine's ELBO and gradient are those of stock Pyro, on average."""
