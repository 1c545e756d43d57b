"""What tables of journals cost, beside a hand-written script."""
