"""Coverage-guided search for bytes that break the protocol: ``python -m fuzz --seconds 600``.

``atheris`` drives it where it is installed, ``hypothesis`` elsewhere; both check the same
``invariants``. What breaks one is written to build/fuzz; ``python -m fuzz FILE`` runs it again.
"""
