"""Documents that are generated from the code, so that they cannot say something else; a checkout needs them."""
