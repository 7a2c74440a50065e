"""A package, so that a fixture can serve the tests in here and end with them."""
