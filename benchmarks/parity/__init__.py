"""Our engine beside Pyro's SVI on hand-written models: moments of the ELBO and of its gradients."""
