"""What runs in the environment of Argilla's server: it prepares a home, serves it, and works for it.

Every module is a process of its own. It reads its secrets as a JSON object from standard input, because arguments are
visible to everybody on the machine and the environment to every process of the user.
"""
