"""The page of the circuit explorer: a Dash app over the library `circuits`.

`dashboard.server.serve` opens it; `dashboard.app.create_app` builds it without a server.
"""
