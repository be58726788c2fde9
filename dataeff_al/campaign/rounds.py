"""How large rounds are and how many there will be."""


def round_size(per_round: int, growth: float, labelled: int) -> int:
    """Labels that a round asks for: ``per_round``, or the part ``growth`` of what is labelled when that is more."""
    return max(per_round, int(growth * labelled))


def rounds_for(wanted: int, per_round: int, growth: float, labelled: int) -> int:
    """Rounds that it takes to acquire ``wanted`` labels when ``labelled`` are there already."""
    rounds = 0
    while wanted > 0:
        size = min(round_size(per_round, growth, labelled), wanted)
        wanted, labelled, rounds = wanted - size, labelled + size, rounds + 1
    return rounds
