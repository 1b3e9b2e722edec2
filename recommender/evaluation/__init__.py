"""How good a recommender is: splits of a history, metrics of lists, comparisons with intervals."""
