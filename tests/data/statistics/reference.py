"""The other values, by scipy, statsmodels, and whole matrices or enumerations in numpy."""

from collections import Counter
from fractions import Fraction
from itertools import product

import numpy as np
import pandas as pd
from scipy import special, stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint


def say(case, quantity, value):
    print(f"{case},{quantity},{float(value):.15g}")


def freedom(sizes, correlation):
    """Imbens and Kolesár (2016), by the matrices of its equation: G has a column for each cluster."""
    task = np.repeat(np.arange(len(sizes)), sizes)
    n = len(task)
    residual = np.eye(n) - 1 / n
    columns = []
    for g, size in enumerate(sizes):
        rows = residual[task == g]
        values, vectors = np.linalg.eigh(rows[:, task == g])
        root = vectors @ np.diag(values**-0.5) @ vectors.T
        columns.append(rows.T @ root @ np.ones(size) / n)
    g = np.array(columns).T
    same = (task[:, None] == task[None, :]).astype(float)
    omega = correlation * same + (1 - correlation) * np.eye(n)
    eigen = np.linalg.eigvalsh(g.T @ omega @ g)
    return eigen.sum() ** 2 / (eigen**2).sum()


def correlation(pairs, value):
    table = anova_lm(ols(f"{value} ~ C(task)", pairs).fit())
    between, within = table["mean_sq"]
    sizes = pairs.groupby("task").size()
    usual = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(sizes) - 1)
    return (between - within) / (between + (usual - 1) * within)


def labels(pairs):
    """All ways to deal out the passes of each pair, with hypergeometric chances, in fractions."""
    whole = {Fraction(0): 1.0}
    found = Fraction(0)
    for _, p in pairs.iterrows():
        one, n, other, m = (int(p[c]) for c in ("first_passed", "first_of", "second_passed", "second_of"))
        found += Fraction(one, n) - Fraction(other, m)
        number = {}
        for x in range(max(0, one + other - m), min(n, one + other) + 1):
            value = Fraction(x, n) - Fraction(one + other - x, m)
            number[value] = stats.hypergeom.pmf(x, n + m, one + other, n)
        step = Counter()
        for (a, pa), (b, pb) in product(whole.items(), number.items()):
            step[a + b] += pa * pb
        whole = dict(step)
    return sum(p for value, p in whole.items() if abs(value) >= abs(found))


def flips(pairs):
    exact = pairs.apply(
        lambda p: Fraction(int(p.first_passed), int(p.first_of))
        - Fraction(int(p.second_passed), int(p.second_of)),
        axis=1,
    )
    sums = exact.groupby(pairs.task).sum().tolist()
    signed = [abs(sum(s * v for s, v in zip(signs, sums))) for signs in product((1, -1), repeat=len(sums))]
    return sum(value >= abs(sum(sums)) for value in signed) / len(signed)


cases = pd.read_csv("cases.csv")
cases["first"] = cases.first_passed / cases.first_of
cases["second"] = cases.second_passed / cases.second_of
cases["difference"] = cases["first"] - cases["second"]
for case, pairs in cases.groupby("case", sort=False):
    sizes = pairs.groupby("task").size().tolist()
    say(case, "freedom_half", freedom(sizes, 0.5))
    for value in ("first", "difference"):
        say(case, f"{value}_correlation", correlation(pairs, value))
    say(case, "flips", flips(pairs))
    say(case, "labels", labels(pairs))
    if case == "single":
        only = [((pairs["first"] == a) & (pairs["second"] == b)).sum() for a, b in ((1, 0), (0, 1))]
        say(case, "mcnemar", mcnemar([[0, only[0]], [only[1], 0]], exact=True).pvalue)
    else:
        of_trials = [np.var([1] * c + [0] * (k - c), ddof=1) / k for c, k in zip(pairs.first_passed, pairs.first_of)]
        say(case, "first_repeats_variance", np.sum(of_trials) / len(pairs) ** 2)

for at, (share, of) in enumerate([(0.0, 12.0), (0.3, 7.5), (0.5, 100.0), (1.0, 3.0)]):
    low, high = proportion_confint(share * of, of, method="wilson")
    say(f"wilson{at}", "low", low)
    say(f"wilson{at}", "high", high)
for df in (1.0, 2.5, 7.25, 31.0):
    say(f"student{df}", "quantile", stats.t.ppf(0.975, df))
for at, p in enumerate(multipletests([0.01, 0.04, 0.03, 0.2, 0.04], method="holm")[1]):
    say(f"holm{at}", "p", p)
for k, c, n in [(1, 2, 5), (3, 2, 5), (5, 1, 5), (4, 2, 5)]:
    # As in the evaluation code of Chen et al.
    at = 1.0 if n - c < k else 1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1))
    say(f"pass{k}of{c}in{n}", "at", at)
    say(f"pass{k}of{c}in{n}", "hat", special.comb(c, k) / special.comb(n, k))
