"""The figures that matplotlib draws, one module each. `icws_explore.plots` is their public face."""
