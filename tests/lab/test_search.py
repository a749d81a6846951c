"""A coarse grid misses the rate that random search finds, and the rate is what matters."""

SETTINGS = {"levels": 3, "rows": 300, "units": 32, "epochs": 4, "repeats": 2}


def ends(made):
    return made.frame[made.frame.trial == 27].set_index("strategy").best


def test_random_search_beats_a_coarse_grid(made):
    """Three levels of the rate: one that learns nothing, one that learns slowly, and one that is far too large."""
    assert ends(made)["random"] > ends(made)["grid"] + 0.2


def test_a_rate_on_a_linear_scale_is_hardly_ever_small_enough(made):
    """Between 1e-4 and 10 nine in ten are above 1, which is too much here."""
    assert ends(made)["random"] > ends(made)["random, linear rate"] + 0.08
    assert ends(made)["coarse to fine"] > ends(made)["random, linear rate"] + 0.08


def test_what_is_best_so_far_never_gets_worse(made):
    trials = made.frame.dropna(subset="strategy")
    assert all(own.best.is_monotonic_increasing and len(own) == 27 for _, own in trials.groupby("strategy"))


def test_the_learning_rate_matters_most(made):
    shares = made.frame.dropna(subset="parameter").set_index("parameter").importance
    assert shares.idxmax() == "learning rate"
    assert shares.sum() <= 1 + 1e-9


def test_the_same_settings_give_the_same_rows(made, again):
    assert again.frame.equals(made.frame)


def test_it_can_be_drawn(made):
    assert len(made.figure().axes) == 3
