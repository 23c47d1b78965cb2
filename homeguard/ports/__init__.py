"""What HomeGuard needs of a store: one small protocol a concern. Every method may raise StoreUnavailable.

A method that reads or writes one home's data takes `home_id` first and answers about that home only: what belongs to
another home looks absent. Writes are safe to repeat: the same ids leave the same rows.
"""
